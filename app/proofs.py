"""Long random words that prove who asks: of browser sessions, API tokens and setup links.

They are kept as SHA-256 only.  With 256 bits of chance in each there is nothing to guess, so that a fast hash will do,
and looking one up by its hash tells nothing by the time it takes.
"""

import hashlib
import secrets


def make(prefix: str = "") -> str:
    """A new proof, to be shown once."""
    return prefix + secrets.token_urlsafe(32)


def digest(proof: str) -> str:
    """What is kept of it."""
    return hashlib.sha256(proof.encode(errors="surrogateescape")).hexdigest()
