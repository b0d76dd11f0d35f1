"""What a container's last words tell: which failure it was, and the lines that say so.

The shop's image says why it ended in one line, `storefleet: failed: STAGE: REASON`; PostgreSQL by FATAL and PANIC.
"""

import json
import re

from provisioning.cluster import Obj
from provisioning.failures import causes
from provisioning.failures.cause import Cause
from provisioning.failures.reading import clean, line, names_of, part_of
from provisioning.failures.reason import Finding

LINES = 10
"""As many lines of a log are shown as evidence."""

_FAILED = re.compile(r"storefleet: failed: (configuration|database|migration|prepare): (.*)")
_WAITS = re.compile(r"storefleet: waiting for the database since (\d+) s: (.*)")
_STACK = re.compile(r"\s+at .*|\s*\d+: 0x[0-9a-f]+.*|\s*\^+\s*|[-=*]{8,}")

_REFUSED = re.compile(
    r"password authentication failed|no pg_hba\.conf entry|database \"[^\"]*\" does not exist"
    r"|role \"[^\"]*\" (does not exist|is not permitted to log in)|permission denied for",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|timeout expired|could not connect"
    r"|Connection terminated",
)
_FULL = re.compile(r"No space left on device|ENOSPC|Disk quota exceeded")
_OTHER_VERSION = re.compile(r"database files are incompatible with server|initialized by PostgreSQL version")

# The words that tell, and the cause; the first that fits counts.
_BY_STAGE = {
    "configuration": (causes.SHOP_CONFIGURATION, "its settings are not accepted"),
    "migration": (causes.MIGRATION_FAILED, "the database migration failed"),
}


def cause_of(said: str) -> tuple[Cause, str]:
    """(cause, a word for it) of a container that ended, by the end of its log; the word is "" where nothing told."""
    if _FULL.search(said):
        return causes.VOLUME_FULL, "no space left on its volume"
    if _OTHER_VERSION.search(said):
        return causes.DATABASE_VERSION, "its data is of another version"
    if failed := _FAILED.search(said):
        stage, why = failed.groups()
        if stage in _BY_STAGE:
            return _BY_STAGE[stage]
        if _REFUSED.search(why):
            return causes.DATABASE_REFUSES, "the database refuses it"
        if _UNREACHABLE.search(why):
            return causes.DATABASE_UNREACHABLE, "the database does not answer"
        if stage == "database":
            return causes.DATABASE_FAILED, "the database answered with an error"
    return causes.CRASH_LOOP, ""


def telling_lines(said: str) -> list[str]:
    """The last lines of a log that say something: no stack frames, JSON lines by their message, nothing secret."""
    lines = [clean(_message(each)) for each in said.splitlines() if each.strip() and not _STACK.fullmatch(each)]
    return [each for each in lines if each][-LINES:]


def _message(text: str) -> str:
    if text.startswith("{"):
        try:
            return str(json.loads(text)["message"])
        except (ValueError, KeyError, TypeError):
            return text
    return text


def waits_for_database(pod: Obj, log: str) -> Finding | None:
    """That a running shop does not get through to its database, if the last thing it said is that it waits.

    `log`: its lines, each behind a time.
    """
    lines = [each for each in log.splitlines() if "storefleet: " in each]
    waits = _WAITS.search(lines[-1]) if lines else None
    if waits is None:
        return None
    message = f"{part_of(pod)} waits for its database since {waits[1]} s: {waits[2]}"
    return causes.DATABASE_UNREACHABLE.found(message, [line(pod, "log", lines[-1].split(" ", 1)[1])], names_of(pod))
