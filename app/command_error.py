"""What ends a command: one sentence for standard error instead of a traceback.  Light, since every command loads it."""


class CommandError(Exception):
    """Why it cannot be done, in words that say what to change.  `status`: 1 it failed, 2 it was asked for wrongly."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status
