"""Passwords: the one module that knows how they are hashed (argon2id, through passlib).

A hash takes tens of milliseconds and 64 MiB, so it is made in a thread, in at most two at a time: many sign-ins at
once wait for each other, instead of holding up the event loop or filling the memory.
"""

import asyncio
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import Any

from app.problems import Problem
from app.settings import SMALLEST_PASSWORD

LONGEST = 256

_loading = Lock()
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")


def check(password: str) -> None:
    """Raise a Problem unless `password` may be chosen."""
    if len(password) < SMALLEST_PASSWORD:
        raise Problem(422, f"Choose a password of at least {SMALLEST_PASSWORD} characters.")
    if len(password) > LONGEST:
        raise Problem(422, f"Choose a password of at most {LONGEST} characters.")


async def hashed(password: str) -> str:
    """What to store of `password`."""
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: str(_argon2().hash(password)))


async def verify(password: str, stored: str | None) -> bool:
    """Is it the password?  Without a stored hash (no such user) the answer is no, after the same time."""

    def compare() -> bool:
        return bool(_argon2().verify(password[: LONGEST + 1], stored or _nobodys_hash())) and stored is not None

    return await asyncio.get_running_loop().run_in_executor(_threads, compare)


def _argon2() -> Any:
    # passlib loads its backend at the first use, and two threads must not do that at once; it looks for `crypt` and for
    # argon2's version in ways that both call deprecated.
    with _loading, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from passlib.hash import argon2  # here, since the first page needs none

        argon2.get_backend()
    return argon2


@cache
def _nobodys_hash() -> str:
    return str(_argon2().hash(""))
