"""Every answer that a client gets is held against its operation's output shape in botocore's model."""

from typing import Any

from botocore.validate import ParamValidator


def checked(client: Any) -> Any:
    """The same client; a call whose answer does not have its shape fails the test."""
    client.meta.events.register("after-call", _check)
    return client


def _check(parsed: dict[str, Any], model: Any, http_response: Any, **_: Any) -> None:
    if http_response.status_code >= 300 or model.output_shape is None:
        return
    said = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
    report = ParamValidator().validate(said, model.output_shape)
    assert not report.has_errors(), f"{model.name}: {report.generate_report()}"
