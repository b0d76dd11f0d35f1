"""Helm, run as a process of its own: installs, upgrades and uninstalls releases.

A process, because Helm can take its process down with it and must be stoppable from outside.  `helm` where it is
installed; else `helm_command`, which takes the same arguments and works over Helm's library.  Values go by a file that
only we can read, and hold no secrets.
"""

import asyncio
import contextlib
import functools
import importlib.util
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HISTORY = 5  # revisions that Helm keeps of a release
GRACE = 5.0  # seconds between asking a helm to end and killing it
_OUTPUT = 1_000_000  # bytes of output that are read
_PASSED_ON = ("PATH", "LANG", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


class HelmError(Exception):
    """Helm failed.  The message is its own cause, cleaned; `stderr` is all that it said."""

    def __init__(self, message: str, stderr: str = "", returncode: int | None = None) -> None:
        super().__init__(message)
        self.stderr, self.returncode = stderr, returncode


class Helm:
    """Runs helm against one cluster.  Nothing is shared between two runs."""

    def __init__(self, kubeconfig: Path | None, context: str | None, command: Sequence[str] | None = None) -> None:
        """Without `kubeconfig`, helm uses the pod's own account.  `command`: instead of the one that is found."""
        self._kubeconfig, self._context = kubeconfig, context
        self._command = tuple(command) if command else None

    async def upgrade_install(
        self,
        release: str,
        namespace: str,
        chart: Path,
        values: Mapping[str, Any],
        labels: Mapping[str, str],
        time_limit: float,
    ) -> int:
        """Install the release, or upgrade it to this chart and these values; does not wait for what it makes.

        `labels` go on the release's Secret.  The answer is the revision.  Raises HelmError.
        """
        with tempfile.NamedTemporaryFile("w", prefix="values-", suffix=".json") as file:
            json.dump(dict(values), file)  # JSON is YAML; the file is readable by us alone
            file.flush()
            arguments = ["upgrade", release, str(chart), "--install", "--values", file.name, "--output", "json"]
            arguments += ["--labels", ",".join(f"{key}={value}" for key, value in labels.items())]
            arguments += ["--history-max", str(HISTORY)]
            answer = await self._run(arguments, namespace, time_limit)
        try:
            return int(json.loads(answer)["version"])
        except (ValueError, KeyError, TypeError) as error:
            raise HelmError(f"helm's answer has no revision: {answer[:200]}") from error

    async def uninstall(self, release: str, namespace: str, time_limit: float) -> None:
        """Uninstall the release; one that is not there is fine.  Does not wait for its objects to go."""
        await self._run(["uninstall", release, "--ignore-not-found"], namespace, time_limit)

    async def rollback(self, release: str, namespace: str, revision: int, time_limit: float) -> None:
        """Make `revision` the newest one again."""
        await self._run(["rollback", release, str(revision)], namespace, time_limit)

    async def version(self) -> str:
        """Helm's own version: "v4.2.3"."""
        return (await self._start(["version", "--template", "{{.Version}}"], 20)).strip()

    async def _run(self, arguments: list[str], namespace: str, time_limit: float) -> str:
        arguments = [*arguments, "--namespace", namespace]
        if self._kubeconfig is not None:
            arguments += ["--kubeconfig", str(self._kubeconfig)]
        if self._context:
            arguments += ["--kube-context", self._context]
        return await self._start(arguments, time_limit)

    async def _start(self, arguments: list[str], time_limit: float) -> str:
        """What helm printed.  Whatever happens to the caller, the process has ended when this returns."""
        command = self._command or find_command()
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        with tempfile.TemporaryDirectory(prefix="helm-") as home:  # its caches; the root may be read-only
            environment |= {"HOME": home, "HELM_CACHE_HOME": home, "HELM_CONFIG_HOME": home, "HELM_DATA_HOME": home}
            if self._kubeconfig is None:
                environment |= {key: value for key, value in os.environ.items() if key.startswith("KUBERNETES_")}
            process = await asyncio.create_subprocess_exec(
                *command,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
                start_new_session=True,  # so that what it starts ends with it
            )
            try:
                async with asyncio.timeout(time_limit):
                    output, said, _ = await asyncio.gather(_read(process.stdout), _read(process.stderr), process.wait())
            except TimeoutError:
                raise HelmError(f"helm {arguments[0]} did not end within {time_limit:g} s and was stopped") from None
            finally:
                await _end(process)
        if process.returncode != 0:
            raise HelmError(clean(said) or f"helm ended with status {process.returncode}", said, process.returncode)
        return output


@functools.cache
def find_command() -> tuple[str, ...]:
    """How helm is run on this machine.  Raises HelmError where there is none."""
    if found := shutil.which("helm"):
        return (found,)
    if importlib.util.find_spec("helm_python"):
        return (sys.executable, "-m", "provisioning.helm_command")
    raise HelmError(
        "There is no Helm: put helm (version 4) on the PATH, or install its library: pip install 'storefleet[helm]'"
    )


def clean(stderr: str) -> str:
    """The cause in what helm said: without its warnings, its log lines, and the word Error."""
    noise = re.compile(r"^(WARNING|level=|time=|[IWE]\d{4} |coalesce\.go|\d{4}/\d\d/\d\d )")
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not noise.match(line)]
    causes = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    text = " ".join(lines[causes[-1] :] if causes else lines)
    return text.removeprefix("Error: ").strip()[:4000]


async def _read(stream: asyncio.StreamReader | None) -> str:
    """All of it, kept up to a bound; the rest is read and dropped so that the writer does not stall."""
    kept = bytearray()
    while stream is not None and (chunk := await stream.read(65536)):
        kept += chunk[: max(0, _OUTPUT - len(kept))]
    return kept.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process that still runs: first ask (helm then marks its release failed), then kill, with all it started."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    waiting = asyncio.ensure_future(process.wait())
    done, _ = await asyncio.wait([waiting], timeout=GRACE)
    if not done:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await waiting
