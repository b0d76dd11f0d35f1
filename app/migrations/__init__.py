"""The database's shape through time: Alembic's revisions, applied at the start of the server and of every command.

Several processes may start at once on one database; a lock makes them wait for the one that migrates.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from app.locks import lock
from provisioning.database import Database, Exclusive

HEAD = "0010"
"""The newest revision (a test compares).  Known here so that a database that has it needs no Alembic to be loaded."""


class Unknown(Exception):
    """The database is of a newer Storefleet than this one."""


async def migrate(database: Database) -> None:
    """Bring the database to the newest revision.  Raises Unknown, or SQLAlchemy's errors when it cannot be written."""
    async with database.engine.connect() as connection:
        if await connection.run_sync(_revision) == HEAD:
            return
    with ExitStack() as held:
        if database.is_sqlite:
            file = Path(f"{database.url.database}.migration")
            await asyncio.to_thread(held.enter_context, lock(file, wait=True))
        async with database.engine.begin() as connection:
            if not database.is_sqlite:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": int(Exclusive.MIGRATE)})
            await connection.run_sync(_upgrade)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        if "Can't locate revision" not in str(error):
            raise
        raise Unknown(
            "the database was made by a newer version of Storefleet; install that version, or restore an older database"
        ) from error
