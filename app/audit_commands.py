"""`storefleet audit …`: the audit trail, read from the database itself, so that it can be checked whatever serves."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.command_error import CommandError

if TYPE_CHECKING:
    from provisioning.database import Database


def add_to(commands: Any, on_database: Callable[..., Any]) -> None:
    """Add `audit` to the command line; `on_database` opens the database for an action."""
    actions = commands.add_parser("audit", help="who did what").add_subparsers(required=True, metavar="ACTION")

    each = actions.add_parser("verify", help="whether any entry was changed or taken out; prints the head")
    each.add_argument("--head", metavar="HASH", default="", help="one noted earlier: is it still in the chain?")
    each.set_defaults(run=on_database(_verify))

    each = actions.add_parser("export", help="all entries, oldest first")
    each.add_argument("--format", choices=("csv", "json"), default="json", help="json: a line each (default)")
    each.add_argument("--since", type=_time, metavar="TIME", help="2026-01-31, or 2026-01-31T12:00:00+00:00")
    each.add_argument("--store", default="", metavar="NAME", help="only this store's")
    each.set_defaults(run=on_database(_export))

    each = actions.add_parser("receipt", help="what the last store of this name consisted of, and that it is gone")
    each.add_argument("name", metavar="NAME")
    each.set_defaults(run=on_database(_receipt))


async def _verify(chosen: argparse.Namespace, database: "Database") -> None:
    from provisioning import audit

    async with database.session() as session:
        verdict = await audit.verify(session, chosen.head.strip().lower())
    if verdict.broken:
        raise CommandError(f"{verdict.broken} The {verdict.count} before it are in order.")
    print(f"{verdict.count} entries, all in order. Head: {verdict.head}")
    if not verdict.found:
        raise CommandError(
            f"The head {chosen.head} is not in the chain: entries at its end were cut off, or it is another database's."
        )
    if chosen.head:
        print("The given head is in the chain.")


async def _export(chosen: argparse.Namespace, database: "Database") -> None:
    from provisioning import audit

    line = audit.csv_line if chosen.format == "csv" else audit.json_line
    if chosen.format == "csv":
        print(audit.CSV_HEAD)
    async with database.session() as session:
        async for entry in audit.entries(session, store=chosen.store, since=chosen.since):
            print(line(entry))


async def _receipt(chosen: argparse.Namespace, database: "Database") -> None:
    from provisioning import audit

    last = None
    async with database.session() as session:
        async for entry in audit.entries(session, store=chosen.name, action="store.deleted"):
            last = entry
    if last is None:
        raise CommandError(f"No store called {chosen.name} was destroyed.")
    told = last.detail
    print(f"{last.store_name} ({last.store_id}) is gone. Entry {last.id}, hash {last.hash}")
    for name, title in (("requested_at", "Deletion asked for"), ("began_at", "Began"), ("ended_at", "Ended")):
        print(f"{title}: {told[name]}")
    print(f"Took: {told['seconds']:g} s")
    print(f"There before: {told['before']['count']} objects")
    for each in told["before"]["objects"]:
        print(f"  {each['kind']} {each['name']} {each['uid']}")
    if beyond := told["before"]["count"] - len(told["before"]["objects"]):
        print(f"  and {beyond} more")
    print("Found to be absent:")
    for each in told["absent"]:
        print(f"  {each}")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a time is 2026-01-31 or 2026-01-31T12:00:00+00:00") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
