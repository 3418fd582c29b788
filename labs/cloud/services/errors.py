"""Errors as the services' models name them.

raise ServiceError("ThrottlingException", "Too many tokens, please wait before trying again.")
"""

from moto.core.exceptions import ServiceException


class ServiceError(ServiceException):
    """An error with a modelled code: moto's serializer adds the HTTP status and members from the service's model.

    Moto's own class will not do: moto looks for the model of an error's service by the module of its class, and fails at `moto.core`.
    """

    def __init__(self, code: str, message: str, **members: object) -> None:
        super().__init__(code, message)
        vars(self).update(members)
