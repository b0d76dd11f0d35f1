"""`python -m provisioning.helm_command`: as much of the `helm` command as the engine uses, over Helm's own library.

For machines without helm.  The same arguments, output, exit status and words on stderr.  A process of its own, because
the library (Go, loaded into Python) can end its process.
"""

import argparse
import json
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import helm_python
import yaml


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    options.cancellation = helm_python.HelmContext()
    # Helm's library keeps its thread until it is done; ours must be free to hear that we are asked to end.
    signal.signal(signal.SIGTERM, lambda number, frame: options.cancellation.cancel())
    try:
        with ThreadPoolExecutor(1) as thread:
            print(thread.submit(options.run, options).result())  # noqa: T201 - it is a command
    except (helm_python.HelmError, OSError, yaml.YAMLError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="helm", allow_abbrev=False)
    commands = parser.add_subparsers(required=True)

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--namespace", default="default")
    common.add_argument("--kubeconfig")
    common.add_argument("--kube-context")

    upgrade = commands.add_parser("upgrade", parents=[common], allow_abbrev=False)
    upgrade.add_argument("release")
    upgrade.add_argument("chart", type=Path)
    upgrade.add_argument("--install", action="store_true")
    upgrade.add_argument("--values", type=Path)
    upgrade.add_argument("--labels", default="")
    upgrade.add_argument("--history-max", type=int, default=10)
    upgrade.add_argument("--output", choices=["json", "table"], default="table")
    upgrade.set_defaults(run=_upgrade)

    uninstall = commands.add_parser("uninstall", parents=[common], allow_abbrev=False)
    uninstall.add_argument("release")
    uninstall.add_argument("--ignore-not-found", action="store_true")
    uninstall.set_defaults(run=_uninstall)

    rollback = commands.add_parser("rollback", parents=[common], allow_abbrev=False)
    rollback.add_argument("release")
    rollback.add_argument("revision", type=int, nargs="?")
    rollback.set_defaults(run=_rollback)

    version = commands.add_parser("version", allow_abbrev=False)
    version.add_argument("--template")
    version.set_defaults(run=lambda options: helm_python.helm_sdk_version())
    return parser


def _config(options: argparse.Namespace) -> helm_python.Config:
    return helm_python.Config(
        kubeconfig_path=options.kubeconfig, kube_context=options.kube_context, namespace=options.namespace
    )


def _upgrade(options: argparse.Namespace) -> str:
    values: dict[str, Any] = (yaml.safe_load(options.values.read_text()) or {}) if options.values else {}
    labels = dict(pair.split("=", 1) for pair in options.labels.split(",") if pair)
    with _config(options) as config:
        given: dict[str, Any] = {"namespace": options.namespace, "labels": labels, "context": options.cancellation}
        if options.install and not _is_deployed(config, options.release):
            release = config.install(options.chart, options.release, values, **given)
        else:
            release = config.upgrade(options.chart, options.release, values, max_history=options.history_max, **given)
    if options.output == "json":
        return json.dumps({"name": release["name"], "version": release["revision"], "namespace": release["namespace"]})
    return f"Release {options.release} is {release['status']}"


def _is_deployed(config: helm_python.Config, release: str) -> bool:
    """Is there any revision to upgrade from?  (`helm upgrade --install` asks the same.)"""
    try:
        return bool(config.history(release, max_revisions=1))
    except helm_python.HelmNotFoundError:
        return False


def _uninstall(options: argparse.Namespace) -> str:
    with _config(options) as config:
        config.uninstall(options.release, ignore_not_found=options.ignore_not_found)
    return f'release "{options.release}" uninstalled'


def _rollback(options: argparse.Namespace) -> str:
    with _config(options) as config:
        config.rollback(options.release, version=options.revision)
    return "Rollback was a success! Happy Helming!"


if __name__ == "__main__":
    sys.exit(main())
