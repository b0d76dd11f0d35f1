"""`helm` for machines without it: the commands and flags that `provisioning.helm` uses, over Helm's own library.

The same arguments, exit status and words.  A process of its own, because the library is Go inside Python: some charts
end its process, and it does not survive a fork.  It imports little, for it is started for every command.
"""

import argparse
import csv
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

if __name__ == "__main__" and os.path.basename(sys.orig_argv[0]) != "helm":
    # The library gives its fields of an object to an owner called as its process is: "helm", or else what the command
    # installed, a helm on the PATH could not upgrade ("conflict"), nor a Python of another name.
    os.execv(sys.executable, [os.path.join(os.path.dirname(sys.executable), "helm"), *sys.orig_argv[1:]])  # noqa: S606

import helm_python as helm
from helm_python import _native

Options = argparse.Namespace


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = _parser().parse_args(arguments)
    run: Callable[[Options], str] = options.run
    try:
        print(run(options))  # noqa: T201
    except (helm.HelmError, OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    """Complains as helm does."""

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"^unrecognized arguments: (-\S+).*", r"unknown flag: \1", message)
        sys.stderr.write(f"Error: {message}\n")
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="helm", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Options], str]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, allow_abbrev=False)
        made.set_defaults(run=run)
        return made

    def on_a_release(name: str, run: Callable[[Options], str]) -> argparse.ArgumentParser:
        made = command(name, run)
        made.add_argument("--kubeconfig")
        made.add_argument("--kube-context")
        made.add_argument("--namespace", "-n", default="default")
        made.add_argument("release")
        return made

    upgrade = on_a_release("upgrade", _upgrade)
    upgrade.add_argument("chart", type=Path)
    upgrade.add_argument("--install", "-i", action="store_true", required=True)
    upgrade.add_argument("--values", "-f", default="")
    upgrade.add_argument("--labels", "-l", default="")
    upgrade.add_argument("--history-max", type=int, default=10)
    upgrade.add_argument("--force-conflicts", action="store_true")
    upgrade.add_argument("--take-ownership", action="store_true")
    upgrade.add_argument("--hide-notes", action="store_true")
    upgrade.add_argument("--timeout", type=_seconds, default=300)

    uninstall = on_a_release("uninstall", _uninstall)
    uninstall.add_argument("--ignore-not-found", action="store_true")
    uninstall.add_argument("--timeout", type=_seconds, default=300)

    rollback = on_a_release("rollback", _rollback)
    rollback.add_argument("revision", type=int, nargs="?", default=0)
    rollback.add_argument("--history-max", type=int, default=10)
    rollback.add_argument("--force-conflicts", action="store_true")
    rollback.add_argument("--timeout", type=_seconds, default=300)

    on_a_release("status", _status)
    on_a_release("history", _history)
    command("version", _version).add_argument("--short", action="store_true", required=True)
    return parser


def _seconds(duration: str) -> int:
    """Go's durations, as far as they are whole seconds: "90s", "1m30s"."""
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", duration)
    if not duration or parts is None:
        raise argparse.ArgumentTypeError(f'time: invalid duration "{duration}"')
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return (hours * 60 + minutes) * 60 + seconds


def _config(options: Options) -> helm.Config:
    return helm.Config(
        kubeconfig_path=options.kubeconfig, kube_context=options.kube_context, namespace=options.namespace
    )


def _upgrade(options: Options) -> str:
    document = sys.stdin.buffer.read().decode() if options.values == "-" else ""
    if options.values not in ("", "-"):
        document = Path(options.values).read_text()
    values = helm.values_from_yaml(document) if document.strip() else {}
    labels = dict(pair.split("=", 1) for line in csv.reader([options.labels]) for pair in line)
    choices = {
        "labels": labels,
        "timeout_seconds": options.timeout,
        "force_conflicts": options.force_conflicts,
        "take_ownership": options.take_ownership,
        "hide_notes": options.hide_notes,
    }
    with _config(options) as config:
        # No trace of a release, or only what an uninstall kept: then it is an install, as with helm.
        last = _last_revision(config, options.release)
        if last is None or last["status"] == "uninstalled":
            begun = f'Release "{options.release}" does not exist. Installing it now.'
            function, choices = "helm_install", {**choices, "replace": last is not None}
        else:
            begun = f'Release "{options.release}" has been upgraded. Happy Helming!'
            function, choices = "helm_upgrade", {**choices, "max_history": options.history_max}
        try:
            release = _until_told_to_end(
                options.release,
                lambda context: _native.call_string(
                    function,
                    config._raw(),
                    context._raw(),
                    _native.HANDLE(0),  # the chart is given by its path
                    str(options.chart),
                    options.release,
                    json.dumps(values),
                    json.dumps(choices),
                ),
            )
        except helm.HelmError as error:
            raise ValueError(f"UPGRADE FAILED: {error}" if function == "helm_upgrade" else str(error)) from error
    return f"{begun}\n{_described(json.loads(release))}"


def _until_told_to_end(release: str, act: Callable[[helm.HelmContext], str]) -> str:
    """Do `act`; on SIGTERM it is cancelled, and marks its release failed.

    The library keeps the thread that calls it until it is done; Python's own must be free to hear the signal.
    """
    context = helm.HelmContext()

    def cancel(number: int, frame: object) -> None:
        print(f"Release {release} has been cancelled.")  # noqa: T201
        context.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, cancel)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(act, context).result()


def _last_revision(config: helm.Config, release: str) -> dict[str, Any] | None:
    try:
        return config.history(release, max_revisions=1)[-1]
    except helm.HelmNotFoundError:
        return None


def _uninstall(options: Options) -> str:
    with _config(options) as config:
        config.uninstall(options.release, ignore_not_found=options.ignore_not_found, timeout=options.timeout)
    return f'release "{options.release}" uninstalled'


def _rollback(options: Options) -> str:
    choices = {
        "version": options.revision,
        "max_history": options.history_max,
        "force_conflicts": options.force_conflicts,
        "timeout_seconds": options.timeout,
    }
    with _config(options) as config:
        _native.call_status("helm_rollback", config._raw(), options.release, json.dumps(choices))
    return "Rollback was a success! Happy Helming!"


def _status(options: Options) -> str:
    with _config(options) as config:
        return _described(config.status(options.release))


def _history(options: Options) -> str:
    with _config(options) as config:
        revisions = config.history(options.release)
    rows = [(str(each["revision"]), str(each["status"]), str(each.get("description", ""))) for each in revisions]
    return "\n".join("\t".join(row) for row in [("REVISION", "STATUS", "DESCRIPTION"), *rows])


def _version(options: Options) -> str:
    return helm.helm_sdk_version()


def _described(release: dict[str, Any]) -> str:
    words = {
        "NAME": release["name"],
        "NAMESPACE": release["namespace"],
        "STATUS": release["status"],
        "REVISION": release["revision"],
    }
    return "\n".join(f"{word}: {said}" for word, said in words.items())


if __name__ == "__main__":
    sys.exit(main())
