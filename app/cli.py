"""The command line: `storefleet serve | stores | orphans | user | token | key | audit`.

`stores` and `orphans` go through the REST API, like any other program; the others work on the database itself, so that
whoever runs the platform can always let somebody in and see what was done.  Commands are loaded when asked for.

Exit status: 0 done; 1 it could not be done; 2 the command or a setting is wrong.
"""

import argparse
import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app import audit_commands, orphan_commands, store_commands, user_commands
from app.command_error import CommandError

if TYPE_CHECKING:
    from app.settings import Settings
    from provisioning.database import Database


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script.  Ends the process."""
    chosen = _parser().parse_args(arguments)
    try:
        sys.exit(chosen.run(chosen) or 0)
    except CommandError as error:
        print(f"storefleet: {error}", file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="storefleet", description="Online shops on Kubernetes, one click each.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the dashboard and the API, and keep the stores as they are wished")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8080, help="port to listen on (default: %(default)s)")
    where = serve.add_mutually_exclusive_group()
    where.add_argument("--sandbox", action="store_true", help="a simulated cluster: nothing runs for real")
    where.add_argument("--kubeconfig", type=Path, metavar="FILE", help="the cluster of this kubeconfig")
    serve.add_argument("--context", metavar="NAME", help="the kubeconfig's context (default: its current one)")
    serve.set_defaults(run=_serve)

    store_commands.add_to(commands)
    orphan_commands.add_to(commands)

    user_commands.add_to(commands, _on_database)

    key = commands.add_parser("key", help="the key that seals secrets").add_subparsers(required=True, metavar="ACTION")
    replace = key.add_parser("replace", help="take ours, where the one that sealed is lost")
    replace.set_defaults(run=_on_database(_replace_key))

    audit_commands.add_to(commands, _on_database)
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 (any that is free) to 65535")
    return port


def _serve(chosen: argparse.Namespace) -> None:
    gc.disable()  # nothing that is loaded at the start is garbage; looking for it costs half a second
    from app import logs, settings, target

    loaded = settings.load()
    logs.set_up(loaded.log_level)
    where = target.choose(sandbox=chosen.sandbox, kubeconfig=chosen.kubeconfig, context=chosen.context)

    from app.main import serve

    gc.freeze()
    gc.enable()
    serve(loaded, where, chosen.host, chosen.port)


def _on_database(
    action: "Callable[[argparse.Namespace, Database], Awaitable[None]]",
) -> Callable[[argparse.Namespace], None]:
    """A command that works on the database, beside whatever serves on it."""

    def run(chosen: argparse.Namespace) -> None:
        from app import settings, startup
        from app.problems import Problem

        async def work(loaded: "Settings") -> None:
            async with startup.opened(loaded) as database:
                try:
                    await action(chosen, database)
                except Problem as problem:
                    raise CommandError(problem.detail) from problem

        loaded = settings.load()
        startup.make_data_dir(loaded)
        asyncio.run(work(loaded))

    return run


async def _replace_key(chosen: argparse.Namespace, database: "Database") -> None:
    from app import settings, startup

    if database.is_sqlite:
        raise CommandError("On SQLite the key of the one process that serves is the key: there is nothing to replace.")
    await startup.claim_key(settings.load(), database, instead=True)
    print("From now on secrets are sealed with this key. Stores that the lost one sealed can be deleted, not repaired.")


if __name__ == "__main__":
    main()
