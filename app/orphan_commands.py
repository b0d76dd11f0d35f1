"""`storefleet orphans …`: what has lost its store, for administrators, through the REST API."""

import argparse
import json
from typing import Any
from urllib.parse import quote

from app.command_error import CommandError
from app.rest import HELP, ask, connect, local_time, plain, table


def add_to(commands: Any) -> None:
    """Add `orphans` to the command line."""
    actions = commands.add_parser(
        "orphans", help="objects in the cluster whose store is not known any more", description=HELP
    ).add_subparsers(required=True, metavar="ACTION")

    each = actions.add_parser("list", help="what is there")
    each.add_argument("--json", action="store_true", help="as JSON")
    each.set_defaults(run=_list)

    each = actions.add_parser("clean", help="remove orphans, with all that is in them")
    each.add_argument("ids", nargs="*", metavar="ID", help="as `orphans list` shows them")
    each.add_argument("--all", action="store_true", help="every one that is listed now")
    each.set_defaults(run=_clean)


def _list(chosen: argparse.Namespace) -> None:
    with connect() as api:
        orphans = ask(api, "GET", "/platform/orphans")["items"]
    if chosen.json:
        print(json.dumps(orphans, indent=2))
    elif orphans:
        rows = [
            (each["id"], _name(each), local_time(each["created_at"]), _size(each["size_bytes"])) for each in orphans
        ]
        table([("ID", "OBJECT", "SINCE", "STORAGE"), *rows])
    else:
        print("No orphans.")


def _clean(chosen: argparse.Namespace) -> None:
    if bool(chosen.ids) == chosen.all:
        raise CommandError("Say which: orphans clean ID…, or orphans clean --all.", 2)
    with connect() as api:
        orphans = ask(api, "GET", "/platform/orphans")["items"] if chosen.all else []
        for id_ in chosen.ids or [each["id"] for each in orphans if each["cleanable"]]:
            print(
                f"{plain(_name(ask(api, 'DELETE', f'/platform/orphans/{quote(id_, safe=str())}')))} is being removed."
            )
    if chosen.all and not orphans:
        print("No orphans.")


def _name(orphan: dict[str, Any]) -> str:
    """In kubectl's words; a row is a store's."""
    name = f"{orphan['kind'].lower()}/{orphan['name']}"
    if orphan["kind"] == "Store":
        return f"{name} (nothing of it is there)"
    return f"{name} in {orphan['namespace']}" if orphan["namespace"] else name


def _size(orphan: dict[str, Any]) -> str:
    size = orphan["size_bytes"]
    return "-" if size is None else f"{size / 1024**3:.1f} GiB"
