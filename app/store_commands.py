"""`storefleet stores …`: stores from a terminal or a script, through the REST API."""

import argparse
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from app.command_error import CommandError
from app.rest import HELP, ask, connect, lines, local_time, plain, table

if TYPE_CHECKING:
    import httpx

LOOK_EVERY = 1.0  # seconds between two looks while waiting
_ON_THE_WAY = ("REQUESTED", "PROVISIONING")


def add_to(commands: Any) -> None:
    """Add `stores` to the command line."""
    actions = commands.add_parser(
        "stores", help="list, create, follow, delete stores", description=HELP, formatter_class=_Raw
    ).add_subparsers(required=True, metavar="ACTION")

    each = actions.add_parser("list", help="your stores (an administrator: all)")
    each.add_argument("--state", help="only those in this state")
    each.add_argument("--json", action="store_true", help="as JSON")
    each.set_defaults(run=_list)

    each = actions.add_parser("create", help="ask for a new store")
    each.add_argument("name", metavar="NAME")
    each.add_argument("--plan", default="small", help="its size (default: %(default)s)")
    each.add_argument("--template", default="medusa", help="what shop it is (default: %(default)s)")
    _waits(each, "until it is READY or FAILED")
    each.set_defaults(run=_create)

    for action, text, run in (
        ("show", "one store", _show),
        ("events", "what happened to a store", _events),
        ("delete", "delete a store and all its data", _delete),
        ("undelete", "take a deleted store back, while there is time", _undelete),
        ("retry", "let a FAILED store have another try", _retry),
        ("upgrade", "give a store the newest release; it serves all the while", _upgrade),
        ("rollback", "give a store an earlier release; its database stays as it is", _rollback),
    ):
        each = actions.add_parser(action, help=text)
        each.add_argument("name", metavar="NAME")
        if action in ("show", "events"):
            each.add_argument("--json", action="store_true", help="as JSON")
        elif action == "delete":
            each.add_argument("--now", action="store_true", help="leave no time to undo it")
            _waits(each, "until it is gone")
        else:
            if action == "rollback":
                each.add_argument(
                    "--revision", type=int, metavar="N", help="this one of Helm's (default: the one before)"
                )
            _waits(each, "until it is READY or FAILED")
        each.set_defaults(run=run)

    each = actions.add_parser("logs", help="what a store's containers printed, without secrets")
    each.add_argument("name", metavar="NAME")
    each.add_argument("--follow", action="store_true", help="go on with what comes, over restarts")
    each.add_argument("--part", choices=("medusa", "postgres"), default="medusa", help="(default: %(default)s)")
    each.add_argument("--pod", default="", help="this pod of the part (default: the newest)")
    each.add_argument("--container", default="", help="where a pod has several")
    each.add_argument(
        "--tail", type=int, default=200, metavar="N", help="so many of the last lines (default: %(default)s)"
    )
    each.add_argument("--previous", action="store_true", help="of the run before this one")
    each.set_defaults(run=_logs)
    each = actions.add_parser("rotate", help="give a store new secrets; it serves all the while")
    each.add_argument("name", metavar="NAME")
    each.add_argument(
        "--only", action="append", choices=("database", "sessions", "admin"), help="not all of them (may be repeated)"
    )
    _waits(each, "until the old ones are refused")
    each.set_defaults(run=_rotate)


class _Raw(argparse.RawDescriptionHelpFormatter):
    pass


def _waits(parser: argparse.ArgumentParser, until: str) -> None:
    parser.add_argument("--wait", action="store_true", help=f"wait {until}")
    parser.add_argument("--timeout", type=float, default=900, help="seconds to wait at most (default: %(default)s)")


def _list(chosen: argparse.Namespace) -> None:
    with connect() as api:
        query = {"limit": 200} | ({"state": chosen.state.upper()} if chosen.state else {})
        page = ask(api, "GET", "/stores", params=query)
        stores = page["items"]
        while page["next"]:
            page = ask(api, "GET", "/stores", params={**query, "cursor": page["next"]})
            stores += page["items"]
    if chosen.json:
        print(json.dumps(stores, indent=2))
    elif stores:
        rows = [(each["name"], each["state"], each["plan"], each["owner"], each["url"]) for each in stores]
        table([("NAME", "STATE", "PLAN", "OWNER", "URL"), *rows])
    else:
        print("No stores.")


def _create(chosen: argparse.Namespace) -> int:
    with connect() as api:
        body = {"name": chosen.name, "template": chosen.template, "plan": chosen.plan}
        store = ask(api, "POST", "/stores", json=body)
        return _outcome(api, chosen, store)


def _retry(chosen: argparse.Namespace) -> int:
    with connect() as api:
        return _outcome(api, chosen, ask(api, "POST", f"{_path(chosen.name)}/retry"))


def _upgrade(chosen: argparse.Namespace) -> int:
    with connect() as api:
        return _outcome(api, chosen, ask(api, "POST", f"{_path(chosen.name)}/upgrade"))


def _rollback(chosen: argparse.Namespace) -> int:
    body = {} if chosen.revision is None else {"revision": chosen.revision}
    with connect() as api:
        return _outcome(api, chosen, ask(api, "POST", f"{_path(chosen.name)}/rollback", json=body))


def _undelete(chosen: argparse.Namespace) -> int:
    with connect() as api:
        return _outcome(api, chosen, ask(api, "POST", f"{_path(chosen.name)}/undelete"))


def _rotate(chosen: argparse.Namespace) -> int:
    with connect() as api:
        done = _rotations(api, chosen.name)
        ask(api, "POST", f"{_path(chosen.name)}/rotate-secrets", json={"secrets": chosen.only} if chosen.only else {})
        if not chosen.wait:
            print(f"{chosen.name} is being given new secrets.")
            return 0
        for _ in _until(chosen.timeout):
            if _rotations(api, chosen.name) > done:
                print(f"{chosen.name} has new secrets, and the old ones are refused.")
                return 0
    raise _took_too_long(chosen)


def _rotations(api: "httpx.Client", name: str) -> int:
    """How many its timeline tells of."""
    events = ask(api, "GET", f"{_path(name)}/events")["items"]
    return sum(event["kind"] == "secrets.rotated" for event in events)


def _show(chosen: argparse.Namespace) -> None:
    with connect() as api:
        store = ask(api, "GET", _path(chosen.name))
    if chosen.json:
        print(json.dumps(store, indent=2))
        return
    _describe(store)


def _events(chosen: argparse.Namespace) -> None:
    with connect() as api:
        events = ask(api, "GET", f"{_path(chosen.name)}/events")["items"]
    if chosen.json:
        print(json.dumps(events, indent=2))
        return
    for event in events:
        _print_event(event)


def _logs(chosen: argparse.Namespace) -> None:
    query = {key: getattr(chosen, key) for key in ("part", "pod", "container", "tail", "previous", "follow")}
    with connect() as api, contextlib.suppress(KeyboardInterrupt):
        for line in lines(api, f"{_path(chosen.name)}/logs", query):
            print(plain(line), flush=chosen.follow)


def _delete(chosen: argparse.Namespace) -> int:
    with connect() as api:
        store = ask(api, "DELETE", _path(chosen.name), params={"now": "true"} if chosen.now else {})
        if not chosen.wait:
            if (until := store["destroy_at"]) and not chosen.now:
                print(f"{chosen.name} is stopped and will be destroyed at {local_time(until)}.")
                print(f"Until then it comes back with: storefleet stores undelete {chosen.name}")
            else:
                print(f"{chosen.name} is being deleted.")
            return 0
        for _ in _until(chosen.timeout):
            if ask(api, "GET", _path(chosen.name), absent_is_fine=True) is None:
                print(f"{chosen.name} is gone.")
                return 0
    raise _took_too_long(chosen)


def _outcome(api: "httpx.Client", chosen: argparse.Namespace, store: dict[str, Any]) -> int:
    """Follow a store that is on its way, its timeline printed as it comes."""
    if note := store.get("note"):
        print(plain(note))
    if not chosen.wait:
        print(f"{store['name']} is {store['state']}. Follow it with: storefleet stores events {store['name']}")
        return 0
    told = 0
    for _ in _until(chosen.timeout):
        state = ask(api, "GET", _path(chosen.name))["state"]
        events = ask(api, "GET", f"{_path(chosen.name)}/events")["items"]
        for event in [each for each in events if each["id"] > told]:
            _print_event(event)
        told = max((each["id"] for each in events), default=told)
        if state not in _ON_THE_WAY:
            _describe(ask(api, "GET", _path(chosen.name)))
            return 0 if state == "READY" else 1
    raise _took_too_long(chosen)


def _until(seconds: float) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(LOOK_EVERY)


def _took_too_long(chosen: argparse.Namespace) -> CommandError:
    return CommandError(f"{chosen.name} is still on its way after {chosen.timeout:g} seconds.")


def _describe(store: dict[str, Any]) -> None:
    rows = [("Name", store["name"]), ("State", store["state"])]
    if reason := store["reason"]:
        rows += [("Reason", reason["message"]), ("Who can help", reason["who"]), ("What to try", reason["hint"])]
    if store["queue_position"]:
        rows.append(("Place in queue", str(store["queue_position"])))
    rows += [("Address", store["url"]), ("Owner", store["owner"]), ("Plan", store["plan"])]
    rows += [("Template", f"{store['template']} {store['version']}"), ("Revision", str(store["revision"]))]
    if newer := store["upgrade"]:
        rows.append(("Upgrade", f"to {newer['version']}" if newer["version"] != store["version"] else "available"))
    if earlier := store["rollback"]:
        rows.append(("Rollback", f"to revision {earlier['revision']} ({earlier['version']})"))
    rows.append(("Requested", local_time(store["created_at"])))
    if store["ready_at"]:
        rows.append(("Ready since", local_time(store["ready_at"])))
    table(rows)


def _print_event(event: dict[str, Any]) -> None:
    clock = local_time(event["at"]).split()[1]
    about = f"  ({event['object']})" if event["object"] else ""
    print(f"[{clock}] {plain(event['message'])}{about}", flush=True)


def _path(name: str) -> str:
    return f"/stores/{quote(name, safe='')}"
