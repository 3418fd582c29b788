"""The one exception a user may see: a sentence that says what happened, to what, and what to do next."""

FALSE, USAGE, NOT_READY = 1, 2, 3
"""Exit statuses: the thing asked about is not so; wrong usage; the environment is not ready."""


class Refusal(Exception):  # noqa: N818 - it is not an error in the program; the program declines, and says why
    """Raised by any room to stop a command with one clear sentence and an exit status (see the constants above)."""

    def __init__(self, message: str, exit_status: int = FALSE) -> None:
        super().__init__(message)
        self.exit_status = exit_status
