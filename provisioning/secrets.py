"""A store's secrets: made once, kept sealed in the database, applied to the cluster as a Kubernetes Secret.

The sealed copy lets a Secret that somebody deleted come back with the same values; a database is never locked out by a
new password.  MultiFernet: the first key seals, every key opens, so that keys can be changed one at a time.
"""

import json
import secrets
from collections.abc import Mapping, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SealBroken(Exception):
    """None of the keys opens what is sealed: STOREFLEET_KEY is not the one that sealed it."""


class Sealer:
    """Seals and opens small mappings of text."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`: Fernet keys (44 characters, URL-safe base64), the newest first.  Raises ValueError on a bad one."""
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, values: Mapping[str, str]) -> bytes:
        return self._fernet.encrypt(json.dumps(dict(values)).encode())

    def unseal(self, sealed: bytes) -> dict[str, str]:
        """Raises SealBroken."""
        try:
            opened: dict[str, str] = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise SealBroken("the store's secrets were sealed with another STOREFLEET_KEY") from error
        return opened


def new_key() -> str:
    """A key for a Sealer."""
    return Fernet.generate_key().decode()


def generate(admin_email: str) -> dict[str, str]:
    """The secrets of a new store, under the keys that the chart's `secrets.existingSecret` expects."""
    return {"database-user": "medusa", "admin-email": admin_email, **made()}


def made() -> dict[str, str]:
    """New values for all that is secret."""
    return {
        "database-password": secrets.token_urlsafe(24),
        "jwt-secret": secrets.token_urlsafe(32),
        "cookie-secret": secrets.token_urlsafe(32),
        "admin-password": secrets.token_urlsafe(12),
    }
