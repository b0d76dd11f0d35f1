"""The migrations make what the models say, on both databases, and may be run by many at once."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlmodel import SQLModel

import app.migrations
import app.models
from app import startup
from app.migrations import HEAD, Unknown, migrate
from app.settings import Settings
from provisioning.database import Database
from tests.integration.conftest import BOTH_DATABASES
from tests.served import command, free_port


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    return list(compare_metadata(context, SQLModel.metadata))


@BOTH_DATABASES
async def test_upgrade_from_empty_equals_the_models(database_url: str) -> None:
    database = Database(database_url)
    await migrate(database)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


@BOTH_DATABASES
async def test_many_at_once_migrate_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    await asyncio.gather(*(migrate(database) for database in databases))
    async with databases[0].engine.connect() as connection:
        assert (await connection.scalars(text("SELECT version_num FROM alembic_version"))).all() == [HEAD]
    for database in databases:
        await database.close()


@BOTH_DATABASES
async def test_a_newer_database_is_left_alone(database_url: str) -> None:
    database = Database(database_url)
    await migrate(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unknown, match="newer version"):
        await migrate(database)
    await database.close()


def test_the_known_head_is_the_newest_revision() -> None:
    assert ScriptDirectory(str(Path(app.migrations.__file__).parent)).get_current_head() == HEAD


def test_the_command_brings_a_database_to_its_newest_shape(tmp_path: Path) -> None:
    done = command("migrate", STOREFLEET_DATA_DIR=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"The database is at revision {HEAD}.\n", "")


def test_a_database_that_stays_away_is_waited_for_and_then_named(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://shop:hunter2@127.0.0.1:{free_port()}/shop"
    done = command("migrate", "--wait", "2", STOREFLEET_DATA_DIR=str(tmp_path), STOREFLEET_DATABASE_URL=url)
    assert done.returncode == 1
    waiting, refusal = done.stderr.splitlines()
    assert waiting.startswith("Waiting for the database postgresql+psycopg://shop:***@127.0.0.1")
    assert "cannot be opened or written" in refusal
    assert "hunter2" not in done.stderr


async def test_a_database_that_comes_later_is_waited_for(postgres_url: str, tmp_path: Path) -> None:
    here = make_url(postgres_url)
    later = here.set(database=f"{here.database}_later")
    settings = Settings(data_dir=tmp_path, database_url=later.render_as_string(hide_password=False))
    said: asyncio.Queue[str] = asyncio.Queue()
    waiting = asyncio.create_task(startup.wait_for_database(settings, 60, said.put_nowait))
    assert "does not exist" in await asyncio.wait_for(said.get(), 60)
    assert not waiting.done()
    plain = here.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {later.database}")
        await asyncio.wait_for(waiting, 60)
        connection.execute(f"DROP DATABASE {later.database} WITH (FORCE)")
