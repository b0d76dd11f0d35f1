"""Which cluster the stores live in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from app.command_error import CommandError

POD_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
POD_NAMESPACE = POD_ACCOUNT.with_name("namespace")


@dataclass(frozen=True)
class Target:
    """A kubeconfig's cluster, the cluster that we run in (no kubeconfig), or the sandbox."""

    description: str  # a sentence for the console
    kubeconfig: Path | None = None
    context: str | None = None
    sandbox: bool = False


def choose(
    *,
    sandbox: bool = False,
    kubeconfig: Path | None = None,
    context: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Target:
    """By flags, else by KUBECONFIG, else the pod's own account, else the sandbox; never ~/.kube/config unasked.

    Raises CommandError when what is named cannot be used.
    """
    named = environment.get("KUBECONFIG", "")
    if sandbox:
        return Target("Stores run in the sandbox: a simulated cluster. Nothing runs for real.", sandbox=True)
    if kubeconfig is not None:
        return _by_file(kubeconfig, context, "--kubeconfig")
    if os.pathsep in named:
        raise CommandError("KUBECONFIG names several files. Name one with --kubeconfig FILE.", 2)
    if named:
        return _by_file(Path(named), context, "KUBECONFIG")
    if context is not None:
        raise CommandError("--context needs a kubeconfig: add --kubeconfig FILE or set KUBECONFIG.", 2)
    if environment.get("KUBERNETES_SERVICE_HOST") and POD_ACCOUNT.is_file():
        return Target("Stores run in this cluster, by the pod's own account.")
    return Target(
        "No cluster was named, so stores run in the sandbox: a simulated cluster. Nothing runs for real. "
        "For a real one: --kubeconfig FILE, or KUBECONFIG.",
        sandbox=True,
    )


def lease_namespace(target: Target) -> str:
    """Where the Lease of the leader is, unless a setting says so: with us, where we run in that cluster."""
    if target.kubeconfig is None and not target.sandbox and POD_NAMESPACE.is_file():
        return POD_NAMESPACE.read_text().strip()
    return "default"


def _by_file(file: Path, context: str | None, source: str) -> Target:
    file = file.expanduser()
    try:
        content = yaml.safe_load(file.read_text())
        contexts = [each["name"] for each in content.get("contexts") or []]
        context = context or content.get("current-context") or None
    except OSError as error:
        raise CommandError(f"The kubeconfig {file} (from {source}) cannot be read: {error.strerror}.", 2) from error
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        raise CommandError(f"{file} (from {source}) is not a kubeconfig.", 2) from error
    if context is None:
        raise CommandError(f"The kubeconfig {file} has no current context. Name one with --context.", 2)
    if context not in contexts:
        known = ", ".join(contexts) or "none"
        raise CommandError(f"The kubeconfig {file} has no context {context}; it has: {known}.", 2)
    return Target(f"Stores run in the cluster of {file}, context {context}.", file, context)
