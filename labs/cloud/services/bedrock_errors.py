"""Bedrock's refusals, by the names and in the words that its API uses."""

from labs.cloud.services.errors import ServiceError

ACCESS = "You don't have access to the model with the specified model ID."
TOO_MANY_TOKENS = "Too many tokens, please wait before trying again."


def invalid(message: str) -> ServiceError:
    """400: the request is wrong."""
    return ServiceError("ValidationException", message)


def not_found(message: str) -> ServiceError:
    """404: there is no such thing."""
    return ServiceError("ResourceNotFoundException", message)


def conflict(message: str) -> ServiceError:
    """400: the name is taken, or the thing is in use or in the wrong state."""
    return ServiceError("ConflictException", message)


def denied(message: str) -> ServiceError:
    """403: the account may not."""
    return ServiceError("AccessDeniedException", message)


def over_quota(message: str) -> ServiceError:
    """400: a quota of resources (not of tokens) is used up."""
    return ServiceError("ServiceQuotaExceededException", message)


def rejection(reason: str | None) -> ServiceError:
    """What the engine's refusal (`labs.serving.engine.REASONS`) is called on the wire."""
    match reason:
        case "tokens per minute" | "tokens per day":
            return ServiceError("ThrottlingException", TOO_MANY_TOKENS)
        case "requests per minute":
            return ServiceError("ThrottlingException", "Too many requests, please wait before trying again.")
        case "not ready":
            return ServiceError(
                "ModelNotReadyException", "Model is not ready for inference. Wait and try your request again."
            )
        case "context":
            return invalid("Input is too long for requested model.")
    return ServiceError("ServiceUnavailableException", "Bedrock is unable to process your request.")
