"""Databases of both kinds, the services on them, the API in this process, and a really served process."""

import asyncio
import contextlib
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from app import api, passwords, services, sign_in
from app.actor import Actor
from app.guard import Guard
from app.migrations import migrate
from app.models import User
from app.services import Services
from app.settings import Settings
from provisioning.database import Database
from provisioning.sandbox import Sandbox
from tests import postgres
from tests.integration.fleet import Fleet, fleet_on, sandbox_in
from tests.served import Served

_argon2 = passwords._argon2


@cache
def _quick_argon2() -> Any:
    return _argon2().using(rounds=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real hash takes 0.2 s of the processor on purpose, which is tests/unit/test_passwords.py's to see."""
    monkeypatch.setattr(passwords, "_argon2", _quick_argon2)
    monkeypatch.setattr(passwords, "_nobodys_hash", cache(lambda: str(_quick_argon2().hash(""))))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL: the one that STOREFLEET_TEST_POSTGRES_URL names, else a private one."""
    if named := os.environ.get("STOREFLEET_TEST_POSTGRES_URL"):
        yield named
    elif commands := postgres.binaries():
        with postgres.running(commands) as url:
            yield url
    else:
        pytest.skip("there is no PostgreSQL: install it, or set STOREFLEET_TEST_POSTGRES_URL")


@contextlib.contextmanager
def empty_database(postgres_server: str, like: str = "template1") -> Iterator[str]:
    """A database of that server, gone afterwards.  `like`: the one that it is a copy of."""
    server, name = make_url(postgres_server), f"test_{uuid.uuid4().hex}"
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        yield server.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty database of the test's own."""
    with empty_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[str]:
    """The name of a database at the newest revision, to be copied: quicker than to migrate for each test."""
    with empty_database(postgres_server) as url:
        asyncio.run(_migrate(url))
        name = make_url(url).database
        assert name
        yield name


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()


BOTH_DATABASES = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
"""For tests of what the two might do differently."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database: SQLite, unless the test asks for both kinds; PostgreSQL's is migrated."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/storefleet.db"
    else:
        migrated = request.getfixturevalue("migrated_postgres")
        with empty_database(request.getfixturevalue("postgres_server"), like=migrated) as url:
            yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file at the newest revision, to be copied: quicker than to migrate for each test."""
    file = tmp_path_factory.mktemp("migrated") / "storefleet.db"
    asyncio.run(_migrate(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture
def chosen_settings() -> dict[str, int]:
    """What `parts` are set to: a file whose tests need other numbers has a fixture of this name."""
    return {"in_flight": 4, "stores_per_user": 1000, "creations_an_hour": 1000}


@pytest.fixture
async def parts(
    database_url: str, tmp_path: Path, migrated_sqlite: Path, chosen_settings: dict[str, int]
) -> AsyncIterator[Services]:
    """Everything but an engine: what people ask for is recorded, and stays as it is."""
    if database_url.startswith("sqlite"):
        shutil.copy(migrated_sqlite, tmp_path)
    settings = Settings(
        database_url=database_url, data_dir=tmp_path, store_url="http://{name}.localhost", **chosen_settings
    )
    composed = services.compose(settings)
    await migrate(composed.database)
    yield composed
    await composed.database.close()


async def add_user(parts: Services, email: str, *, admin: bool = False) -> Actor:
    """Somebody who cannot sign in, which is quick to make."""
    async with parts.database.session() as session:
        user = User(email=email, password_hash="!", admin=admin)
        session.add(user)
        await session.commit()
    return Actor(user.id, user.email, user.admin, "token")


async def token_of(parts: Services, actor: Actor) -> str:
    user = await parts.users.by_email(actor.email)
    assert user is not None
    return (await parts.tokens.create(actor, user, "test")).token


@pytest.fixture
async def anna(parts: Services) -> Actor:
    return await add_user(parts, "anna@example.com")


@pytest.fixture
async def boris(parts: Services) -> Actor:
    return await add_user(parts, "boris@example.com")


@pytest.fixture
async def admin(parts: Services) -> Actor:
    return await add_user(parts, "admin@example.com", admin=True)


@pytest.fixture
async def client(parts: Services, anna: Actor) -> AsyncIterator[httpx.AsyncClient]:
    """The API, asked by anna."""
    transport = httpx.ASGITransport(Guard(api.build(parts)))
    headers = {"Authorization": f"Bearer {await token_of(parts, anna)}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`storefleet serve --sandbox` in a process of its own, with an administrator and a token of theirs."""
    process = Served(tmp_path_factory.mktemp("served"))
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandbox_in() as sandbox:
        yield sandbox


@pytest.fixture
async def fleet(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet_on(sandbox, tmp_path) as fleet:
        yield fleet


@pytest.fixture
async def browser(parts: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the sign-in pages."""
    app = FastAPI()
    app.state.services = parts
    app.include_router(sign_in.router(parts))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Guard(app)), base_url="http://test") as client:
        yield client
