"""Passwords: hashed slowly, compared in the same time whether there is a user or not, never in the event loop."""

import asyncio

import pytest

from app import passwords, proofs
from app.problems import Problem


async def test_a_hash_opens_to_its_password_only() -> None:
    stored = await passwords.hashed("correct horse")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify("correct horse", stored)
    assert not await passwords.verify("Correct horse", stored)
    assert stored != await passwords.hashed("correct horse")


async def test_nobody_is_never_let_in_however_they_ask() -> None:
    assert not await passwords.verify("", None)
    assert not await passwords.verify("correct horse", None)


async def test_the_event_loop_goes_on_meanwhile() -> None:
    stored = await passwords.hashed("x")
    checking = asyncio.gather(*(passwords.verify("y", stored) for _ in range(4)))
    turns = 0
    while not checking.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert await checking == [False] * 4
    assert turns > 20, "the loop stood still"


async def test_a_stranger_costs_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = passwords._argon2()

    class Counted:
        hash = staticmethod(real.hash)

        @staticmethod
        def verify(password: str, stored: str) -> bool:
            compared.append(stored)
            return bool(real.verify(password, stored))

    stored = await passwords.hashed("x")
    monkeypatch.setattr(passwords, "_argon2", lambda: Counted)
    await passwords.verify("y", stored)
    await passwords.verify("y", None)
    known, unknown = compared
    assert known.split("$")[1:4] == unknown.split("$")[1:4]  # the same algorithm with the same costs


@pytest.mark.parametrize("password", ["", "1234567", "x" * 257])
def test_passwords_that_nobody_may_choose(password: str) -> None:
    with pytest.raises(Problem) as refused:
        passwords.check(password)
    assert refused.value.status == 422
    assert not password or password not in refused.value.detail


def test_passwords_that_one_may_choose() -> None:
    passwords.check("12345678")
    passwords.check("ü" * 256)


def test_proofs_are_long_random_and_kept_as_hashes() -> None:
    made = {proofs.make("sf_") for _ in range(100)}
    assert len(made) == 100
    assert all(len(proof) >= 46 and proof.startswith("sf_") for proof in made)
    assert proofs.digest("a") == proofs.digest("a") != proofs.digest("b")
    assert len(proofs.digest("\udcff")) == 64
