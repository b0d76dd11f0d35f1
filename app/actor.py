"""Who asks: handed to every service call, which checks permission by it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from app.problems import Problem
from provisioning.audit import Who


class Scope(StrEnum):
    """What a token may do of what its user may, each with all that stands before it."""

    READ = "read"  # look, but at no secret
    WRITE = "write"  # act on the user's own stores, sessions and tokens
    ADMIN = "admin"  # what administrators may, where the user is one

    def covers(self, other: "Scope") -> bool:
        return list(Scope).index(self) >= list(Scope).index(other)


@dataclass(frozen=True)
class Actor:
    """A person, and how they proved who they are."""

    user_id: str
    email: str
    admin: bool  # by this proof: an administrator's token without that scope does not make one
    via: Literal["session", "token", "command"]
    token_id: str = ""  # which token, where it was one
    address: str = ""  # of the client
    scope: Scope = Scope.ADMIN  # of the token; whoever needs none may do all that they may
    session_id: str = ""  # which session, where it was one

    @property
    def who(self) -> Who:
        """For the audit trail."""
        return Who(self.email, self.user_id, self.token_id, self.address)

    def require_write(self) -> None:
        """Problem 403 for a token that is for looking only.  Whatever changes something, or shows a secret, asks."""
        if not self.scope.covers(Scope.WRITE):
            raise Problem(
                403, "This token may only read. Make one with the scope “write”.", extra={"scope": Scope.WRITE.value}
            )


COMMAND_LINE = Actor(user_id="", email="the command line", admin=True, via="command")
"""Whoever may read the database and its key may do anything: commands that work on it directly act as this."""
