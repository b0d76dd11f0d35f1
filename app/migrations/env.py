"""What Alembic runs for every command: it works on the connection it is given, else on STOREFLEET_DATABASE_URL."""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel

import app.models  # noqa: F401 - fills the metadata
import provisioning.models  # noqa: F401


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect() -> None:
    """For whoever writes a new revision: `alembic` on the command line brings no connection."""
    from app.settings import load
    from provisioning.database import Database

    database = Database(load().database_address)
    async with database.engine.begin() as connection:
        await connection.run_sync(run)
    await database.close()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(connect())
