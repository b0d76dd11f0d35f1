"""What has to be so before a process serves or a command works: folder, key, database, first administrator."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.command_error import CommandError
from app.locks import Held, lock
from app.migrations import Unknown, migrate
from app.problems import Problem
from app.settings import PREFIX, Settings, split_keys
from app.users import Users
from provisioning import plans
from provisioning.database import Database
from provisioning.fence import named
from provisioning.secrets import SealBroken, Sealer, new_key
from provisioning.templates import TEMPLATES, all_values

log = logging.getLogger(__name__)

CONNECTS_WITHIN = 10.0  # seconds; where a firewall drops packets, a connection hangs for minutes


def make_data_dir(settings: Settings) -> None:
    """The folder, for this user alone.  Raises CommandError."""
    folder = settings.data_dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CommandError(
            f"The data folder {folder} cannot be made: {error.strerror}. Choose another with {PREFIX}DATA_DIR."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CommandError(f"The data folder {folder} cannot be written. Choose another with {PREFIX}DATA_DIR.")


def keys(settings: Settings) -> list[str]:
    """The keys that seal secrets: from the setting, else from the file in the data folder, made if it is not there."""
    if given := split_keys(settings.key):
        return given
    file = settings.data_dir.resolve() / "key"
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(new_key())
    except FileExistsError:
        pass
    return [file.read_text().strip()]


async def claim_key(settings: Settings, database: Database, *, instead: bool = False) -> None:
    """See to it that all processes on one PostgreSQL seal with one key; `instead`: with ours.  Raises CommandError."""
    if database.is_sqlite:  # one process: a lost key fails the stores that it sealed, and no more
        return
    try:
        await database.claim_key(Sealer(keys(settings)), instead=instead)
    except SealBroken as error:
        file = settings.data_dir.resolve() / "key"
        ours = f"{PREFIX}KEY" if settings.key.get_secret_value() else f"the file {file}"
        raise CommandError(
            f"This database's secrets are sealed with another key than {ours}. Give every process on it the same "
            f"{PREFIX}KEY (where the first one was started without, the key is in the file `key` of its data folder). "
            "If that key is lost: `storefleet key replace`; the stores that it sealed can then only be deleted."
        ) from error


def overlay(settings: Settings) -> dict[str, Any]:
    """The operator's Helm values for every store.  Raises CommandError."""
    if settings.store_values is None:
        return {}
    values = _read_yaml(settings.store_values, "STORE_VALUES") or {}
    if not isinstance(values, dict):
        raise CommandError(f"{PREFIX}STORE_VALUES: {settings.store_values} has to hold a mapping of Helm values.", 2)
    for host in named(values)[1] if not settings.egress else ():
        log.warning("shops reach %s only if its address and port stand in %sEGRESS", host, PREFIX)
    return values


def use_plans(settings: Settings, overlay: Mapping[str, Any]) -> dict[str, str]:
    """Make the operator's plans those of this process; by plan, a sentence on why no store can be made by it.

    Raises CommandError.
    """
    if settings.plans is not None:
        try:
            plans.use(plans.laid_over(_read_yaml(settings.plans, "PLANS") or {}, plans.PLANS))
        except ValueError as error:
            raise CommandError(f"{PREFIX}PLANS: {settings.plans}: {error}.", 2) from error
    unfit = {}
    for name, plan in plans.PLANS.items():
        short = {each: None for kind in TEMPLATES for each in plans.shortfalls(plan, all_values(kind, name, overlay))}
        if short:
            unfit[name] = f"The parts of a store ask for more than the plan {name} gives: {'; '.join(short)}."
            log.warning("%s Raise it in %sPLANS, or lower what %sSTORE_VALUES asks for.", unfit[name], PREFIX, PREFIX)
    return unfit


def _read_yaml(file: Path, name: str) -> Any:
    try:
        return yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise CommandError(f"{PREFIX}{name}: {file} cannot be read: {reason}.", 2) from error


def claim(settings: Settings, held: ExitStack) -> None:
    """Be the only process that serves on this SQLite database, as long as `held` is open.  Raises CommandError."""
    database = Database(settings.database_address)
    if not database.is_sqlite:
        return
    file = Path(str(database.url.database))
    try:
        held.enter_context(lock(file.with_name(file.name + ".serving"), wait=False))
    except Held as error:
        raise CommandError(
            f"Another Storefleet serves on the database {file} already. Stop it, or give this one another "
            f"{PREFIX}DATA_DIR; several processes on one database need PostgreSQL."
        ) from error
    except OSError as error:
        raise CommandError(f"The database {file} cannot be written: {error.strerror}.") from error


async def wait_for_database(settings: Settings, seconds: float, say: Callable[[str], None]) -> None:
    """Until the database answers, or for so long; why it does not is said once.  What is wrong then, `opened` tells."""
    database = Database(settings.database_address)
    end, said = time.monotonic() + seconds, ""
    try:
        while time.monotonic() < end:
            try:
                async with asyncio.timeout(CONNECTS_WITHIN), database.engine.connect() as connection:
                    await connection.execute(text("SELECT 1"))
                return
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                why = _cause(error) or "no answer in time"
                if why != said:
                    say(f"Waiting for the database {database.url.render_as_string(hide_password=True)}: {why}")
                said = why
            await asyncio.sleep(1)
    finally:
        await database.close()


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The database, at its newest revision and proven to be writable.  Raises CommandError."""
    database = Database(settings.database_address)
    shown = database.url.render_as_string(hide_password=True)
    try:
        try:
            await migrate(database)
            async with database.engine.begin() as connection:
                await connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
        except Unknown as error:
            raise CommandError(f"The database {shown} cannot be used: {error}.") from error
        except (SQLAlchemyError, OSError) as error:
            raise CommandError(f"The database {shown} cannot be opened or written: {_cause(error)}.") from error
        yield database
    finally:
        await database.close()


async def first_admin(settings: Settings, database: Database, url: str) -> str | None:
    """See to it that somebody can sign in; the answer, if any, is a sentence for the console.  Raises CommandError."""
    users = Users(database)
    if settings.admin_email:
        try:
            await users.ensure_admin(settings.admin_email, settings.admin_password.get_secret_value())
        except Problem as problem:
            raise CommandError(f"{PREFIX}ADMIN_EMAIL and {PREFIX}ADMIN_PASSWORD: {problem.detail}", 2) from problem
        return None
    proof = await users.open_setup()
    return f"Nobody can sign in yet. Make the first administrator at {url}/setup?token={proof}" if proof else None


def _cause(error: Exception) -> str:
    """What the database itself said, on one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
