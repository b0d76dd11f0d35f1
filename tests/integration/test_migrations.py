"""The migrations make what the models say, on both databases, and may be run by many at once."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

import app.migrations
import app.models
from app.migrations import HEAD, Unknown, migrate
from provisioning.database import Database
from tests.integration.conftest import BOTH_DATABASES


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
