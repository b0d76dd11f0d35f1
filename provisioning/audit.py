"""The audit trail: who did what to which store, when, and how it ended.  Rows are added, never changed.

Each row carries a SHA-256 over its own content and the row before it, and the next number without a gap, so that
`verify` finds what was changed or taken out.  A tail that was cut off leaves a chain that is whole: that shows only
against a head that was noted elsewhere, which is why the head goes into the log every hour.

An entry is added in the transaction of what it records, as its last write: whoever appends holds the one lock until the
commit, and whoever held it while waiting for another row could wait for ever.
"""

import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning.database import Exclusive, one_at_a_time
from provisioning.models import AuditEntry, Outcome, Store, now

BEFORE_THE_FIRST = "0" * 64
"""What the first row has in the place of the hash before it."""

LARGEST_DETAIL = 128 * 1024  # bytes of JSON
LONGEST_TEXT = 500  # characters, of every other field
AT_ONCE = 200  # rows read at a time


@dataclass(frozen=True)
class Who:
    """Who did something, as they were known at that time."""

    name: str  # e-mail address, or what it was that acted by itself
    user_id: str = ""
    token_id: str = ""  # where a program did it
    address: str = ""  # of the client


ENGINE = Who("the engine")


async def append(
    session: AsyncSession,
    who: Who,
    action: str,
    *,
    store: Store | None = None,
    store_name: str = "",
    outcome: Outcome = Outcome.OK,
    error: str = "",
    detail: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Add an entry, within the session's transaction (the caller commits, and writes nothing in between).

    `store_name` names a store that is not there.  `detail` is JSON; one that is too large is left out, and says so.
    """
    await _be_the_only_writer(session)
    last = (await session.exec(select(AuditEntry).order_by(col(AuditEntry.id).desc()).limit(1))).first()
    entry = AuditEntry(
        id=last.id + 1 if last else 1,
        at=now(),
        actor_id=who.user_id,
        actor=_plain(who.name),
        token_id=who.token_id,
        address=_plain(who.address),
        action=action,
        store_id=store.id if store else "",
        store_name=_plain(store.name if store else store_name),
        outcome=outcome.value,
        error=_plain(error),
        detail=_bounded(dict(detail or {})),
    )
    entry.hash = digest(entry, last.hash if last else BEFORE_THE_FIRST)
    session.add(entry)
    await session.flush()
    return entry


def digest(entry: AuditEntry, before: str) -> str:
    """The hash of a row behind a row with the hash `before`: over all of its content, in one spelling."""
    content = [
        before,
        entry.id,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.actor_id,
        entry.actor,
        entry.token_id,
        entry.address,
        entry.action,
        entry.store_id,
        entry.store_name,
        entry.outcome,
        entry.error,
        entry.detail,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """What a walk along the chain found."""

    count: int  # rows that are in order
    head: str  # the hash of the last of them
    broken: str = ""  # a sentence about the first row that is not in order; "" when all are
    found: bool = True  # whether the head that was asked for is among them


async def verify(session: AsyncSession, head: str = "") -> Verdict:
    """Walk the whole chain.  `head`: one that was noted earlier, to be looked for."""
    count, before, found, limit = 0, BEFORE_THE_FIRST, head in ("", BEFORE_THE_FIRST), AT_ONCE
    while True:
        try:
            rows = await _rows(session, count, limit)
        except (ValueError, TypeError, LookupError):  # somebody wrote what is no time or no JSON
            if limit > 1:
                limit = 1
                continue
            return Verdict(count, before, f"Entry {count + 1} cannot be read: it was changed.", found)
        if not rows:
            return Verdict(count, before, "", found)
        for row in rows:
            if row.id != count + 1:
                return Verdict(count, before, f"Entry {count + 1} is missing.", found)
            if row.hash != digest(row, before):
                changed = f"Entry {row.id} was changed, or the one before it was replaced."
                return Verdict(count, before, changed, found)
            count, before = row.id, row.hash
            found = found or before == head


async def head(session: AsyncSession) -> tuple[int, str]:
    """The number of the last row and its hash."""
    newest = select(AuditEntry.id, AuditEntry.hash).order_by(col(AuditEntry.id).desc()).limit(1)
    last = (await session.exec(newest)).first()
    return (last[0], last[1]) if last else (0, BEFORE_THE_FIRST)


async def entries(
    session: AsyncSession, *, store: str = "", action: str = "", since: datetime | None = None
) -> AsyncIterator[AuditEntry]:
    """The entries that fit, in the order in which they were written."""
    after = 0
    while rows := await _rows(session, after, AT_ONCE, store=store, action=action, since=since):
        for row in rows:
            yield row
        after = rows[-1].id


async def _rows(
    session: AsyncSession, after: int, limit: int, *, store: str = "", action: str = "", since: datetime | None = None
) -> list[AuditEntry]:
    query = select(AuditEntry).where(col(AuditEntry.id) > after)
    if store:
        query = query.where(col(AuditEntry.store_name) == store)
    if action:
        query = query.where(col(AuditEntry.action) == action)
    if since is not None:
        query = query.where(col(AuditEntry.at) >= since)
    found = list(await session.exec(query.order_by(col(AuditEntry.id)).limit(limit)))
    session.expunge_all()  # a long trail is read once, and need not stay in memory
    return found


COLUMNS = "id at actor actor_id token_id address action store_name store_id outcome error detail hash".split()
CSV_HEAD = ",".join(COLUMNS)


def json_line(entry: AuditEntry) -> str:
    """An entry as a line of JSON."""
    return json.dumps({name: _value(entry, name) for name in COLUMNS}, separators=(",", ":"))


def csv_line(entry: AuditEntry) -> str:
    """An entry as a line of CSV; `CSV_HEAD` names its cells."""
    values = [_value(entry, name) for name in COLUMNS]
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(
        [harmless(value if isinstance(value, str) else json.dumps(value)) for value in values]
    )
    return out.getvalue()


def harmless(cell: str) -> str:
    """With an apostrophe before what a spreadsheet would work out as a formula: names and errors are other people's."""
    return f"'{cell}" if cell.lstrip()[:1] in tuple("=+-@") or cell[:1] in tuple("\t\r\n") else cell


def _value(entry: AuditEntry, name: str) -> Any:
    value = getattr(entry, name)
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


async def _be_the_only_writer(session: AsyncSession) -> None:
    """Until the commit: nobody else reads the last row to put another one behind it."""
    await one_at_a_time(session, Exclusive.AUDIT)
    if session.get_bind().dialect.name == "sqlite":  # one writer; a write that changes nothing makes it us
        await (await session.connection()).execute(text("UPDATE installation SET id = id WHERE 1 = 0"))


def _plain(value: str) -> str:
    """Of one line, storable on every database, and bounded."""
    return "".join(each if each.isprintable() else " " for each in value[:LONGEST_TEXT])


def _bounded(detail: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(detail))
    return detail if size <= LARGEST_DETAIL else {"left_out": f"{size} bytes"}
