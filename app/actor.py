"""Who asks: handed to every service call, which checks permission by it."""

from dataclasses import dataclass
from typing import Literal

from provisioning.audit import Who


@dataclass(frozen=True)
class Actor:
    """A person, and how they proved who they are."""

    user_id: str
    email: str
    admin: bool
    via: Literal["session", "token", "command"]
    token_id: str = ""  # which token, where it was one
    address: str = ""  # of the client

    @property
    def who(self) -> Who:
        """For the audit trail."""
        return Who(self.email, self.user_id, self.token_id, self.address)


COMMAND_LINE = Actor(user_id="", email="the command line", admin=True, via="command")
"""Whoever may read the database and its key may do anything: commands that work on it directly act as this."""
