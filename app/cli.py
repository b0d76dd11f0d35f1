"""The command line: `storefleet serve | migrate | stores | orphans | user | token | key | cluster | audit`.

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
    _add_target(serve)
    serve.set_defaults(run=_serve)

    migrate = commands.add_parser("migrate", help="bring the database to this version's shape, as `serve` does first")
    migrate.add_argument("--wait", type=_seconds, default=0, metavar="SECONDS", help="for a database that is away")
    migrate.set_defaults(run=_migrate)

    store_commands.add_to(commands)
    orphan_commands.add_to(commands)

    user_commands.add_to(commands, _on_database)

    key = commands.add_parser("key", help="the key that seals secrets").add_subparsers(required=True, metavar="ACTION")
    replace = key.add_parser("replace", help="take ours, where the one that sealed is lost")
    replace.set_defaults(run=_on_database(_replace_key))

    cluster = commands.add_parser("cluster", help="the cluster in which the stores live")
    actions = cluster.add_subparsers(required=True, metavar="ACTION")
    adopt = actions.add_parser("adopt", help="set the stores up in another cluster than the one where they were")
    _add_target(adopt)
    adopt.set_defaults(run=_on_database(_adopt_cluster))

    audit_commands.add_to(commands, _on_database)
    return parser


def _add_target(command: argparse.ArgumentParser) -> None:
    where = command.add_mutually_exclusive_group()
    where.add_argument("--sandbox", action="store_true", help="a simulated cluster: nothing runs for real")
    where.add_argument("--kubeconfig", type=Path, metavar="FILE", help="the cluster of this kubeconfig")
    command.add_argument("--context", metavar="NAME", help="the kubeconfig's context (default: its current one)")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 (any that is free) to 65535")
    return port


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise argparse.ArgumentTypeError("write a whole number of seconds")
    return int(text)


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


def _migrate(chosen: argparse.Namespace) -> None:
    """Of several at once on one database, one does it and the others wait."""
    from app import migrations, settings, startup

    def say(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    async def work(loaded: "Settings") -> None:
        await startup.wait_for_database(
            loaded, chosen.wait, say=lambda words: print(words, file=sys.stderr, flush=True)
        )
        async with startup.opened(loaded):
            print(f"The database is at revision {migrations.HEAD}.")

    loaded = settings.load()
    startup.make_data_dir(loaded)
    asyncio.run(work(loaded))


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


async def _adopt_cluster(chosen: argparse.Namespace, database: "Database") -> None:
    from app import target
    from app.actor import COMMAND_LINE
    from provisioning import audit
    from provisioning.cluster import Cluster, ClusterError

    where = target.choose(sandbox=chosen.sandbox, kubeconfig=chosen.kubeconfig, context=chosen.context)
    uid = None  # of the sandbox, which exists while it is served: the next that is
    if not where.sandbox:
        try:
            cluster = await Cluster.connect(where.kubeconfig, where.context)
            try:
                uid = await cluster.uid()
            finally:
                await cluster.close()
        except ClusterError as error:
            raise CommandError(f"It is not known which cluster that is: {error}") from error
    await database.installation()
    async with database.session() as session:
        await database.move_to_cluster(session, uid)
        await audit.append(session, COMMAND_LINE.who, "cluster.adopt", detail={"uid": uid or "the sandbox"})
        await session.commit()
    print(f"The stores of this database live in this cluster from now on. {where.description}")
    print("Processes that serve them from another cluster stop to act within a minute.")


if __name__ == "__main__":
    main()
