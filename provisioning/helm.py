"""Helm, run as a process of its own: installs, upgrades, rolls back and uninstalls releases.

A process, because Helm can take its process down with it, and because a process can be stopped from outside.  It is
`helm` where version 4 is installed; else `helm_command`, which takes the same arguments and works over Helm's library.

Values go in as a file without a name on standard input: nothing of them is on a command line or left on a disk, and a
helm that has started has all of them.  The environment is a short list, so that no secret of ours reaches a chart's
tools or a crash report.  If we are killed, a helm that runs is left to end by itself: a finished release is worth more
than a locked one.

A helm that changes a release holds an open, locked file of that release's name for as long as it lives, whatever
becomes of us: so whoever comes after us on this machine knows at once whether anybody is at work on a release that is
`pending`.
"""

import asyncio
import contextlib
import csv
import fcntl
import functools
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from provisioning import measures

HISTORY = 5  # revisions that Helm keeps of a release
GRACE = 10.0  # seconds between asking a helm to end and killing it; it marks its release `failed` in between
_KEPT = 256 * 1024  # bytes of each output that are kept; what follows is read and dropped
_MESSAGE = 2000  # characters of an error's message
_VERSION_LIMIT = 20.0  # seconds

# What a helm needs of our environment: to be found and to reach the cluster, and what the credential commands that a
# kubeconfig may name (`aws eks get-token` and its kind) need for their part.
_PASSED_ON = frozenset(
    "PATH HOME USER LANG LC_ALL TZ TMPDIR SSL_CERT_FILE SSL_CERT_DIR"
    " HTTPS_PROXY HTTP_PROXY NO_PROXY https_proxy http_proxy no_proxy".split()
)
_PASSED_ON_BEGINNINGS = ("KUBERNETES_SERVICE_", "AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_")


class HelmError(Exception):
    """Helm failed.  The message is the cause, one paragraph; `stderr` is what Helm said, `returncode` how it ended
    (negative: by that signal; None: it never ran)."""

    def __init__(self, message: str, stderr: str = "", returncode: int | None = None) -> None:
        super().__init__(message)
        self.stderr, self.returncode = stderr, returncode


class Helm:
    """Runs helm against one cluster.  Runs for different releases may go on side by side."""

    def __init__(
        self,
        kubeconfig: Path | None,
        context: str | None,
        command: Sequence[str] | None = None,
        locks: Path | None = None,
    ) -> None:
        """Without `kubeconfig`, helm uses the pod's own account.  `command`: instead of the one that is found.

        `locks`: the folder of the lock files, which those who come after us look into; made if it is not there.
        """
        self._cluster: list[str] = []
        if kubeconfig is not None:
            self._cluster += ["--kubeconfig", str(kubeconfig)]
        if context:
            self._cluster += ["--kube-context", context]
        self._command = tuple(command) if command else None
        self._endings: set[asyncio.Task[None]] = set()
        # Helm's own files, which nobody needs after us; what the cluster serves is remembered there between runs.
        folder = tempfile.mkdtemp(prefix="storefleet-helm-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._folders = {
            name: f"{folder}/{name.lower()}"
            for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR")
        }
        self._locks = locks or Path(folder) / "locks"
        self._locks.mkdir(parents=True, exist_ok=True, mode=0o700)

    @functools.cached_property
    def runner(self) -> str:
        """The name of the lock folder, the same for all who share it: elsewhere nothing is known of our helms."""
        file = self._locks / "id"
        with contextlib.suppress(FileExistsError), file.open("x") as new:
            new.write(uuid.uuid4().hex)
        return file.read_text()

    def is_running(self, release: str, namespace: str) -> bool:
        """Whether a helm on this machine, ours or one that outlived its parent, is at work on the release."""
        try:
            with self._locked(release, namespace):
                return False
        except BlockingIOError:
            return True

    def forget(self, release: str, namespace: str) -> bool:
        """The release is gone for good: leave no file of it.  False while a helm is still at work on it."""
        try:
            with self._locked(release, namespace):
                self._lock_file(release, namespace).unlink(missing_ok=True)
                return True
        except BlockingIOError:
            return False

    async def upgrade_install(
        self,
        release: str,
        namespace: str,
        chart: Path,
        values: Mapping[str, Any],
        labels: Mapping[str, str],
        time_limit: float,
        *,
        force_conflicts: bool = False,
    ) -> int:
        """Install the release, or upgrade it to this chart and these values; the revision.

        Does not wait for what the release makes, only for its hooks.  `labels` go on the Secret that holds the
        release.  `time_limit` in seconds.  `force_conflicts` takes back fields that somebody else has changed, and
        objects that lost the labels by which Helm knows its own; without it, that is an error.  Raises HelmError.
        """
        arguments = ["upgrade", "--install", "--values", "-", "--labels", _pairs(labels), "--hide-notes"]
        arguments += ["--history-max", str(HISTORY)]
        arguments += ["--force-conflicts", "--take-ownership"] if force_conflicts else []
        arguments += ["--", release, str(chart)]
        said = await self._act(arguments, release, namespace, time_limit, document(values))
        # As text: with `--output json`, helm prints the whole chart and everything rendered too.
        revision = re.search(r"^REVISION: (\d+)$", said, re.MULTILINE)
        if revision is None:
            raise HelmError(f"helm did not say which revision it made: {said[:200]!r}", returncode=0)
        return int(revision[1])

    async def uninstall(self, release: str, namespace: str, time_limit: float) -> None:
        """Uninstall the release; one that is not there is fine.  Does not wait for its objects to go."""
        await self._act(["uninstall", "--ignore-not-found", "--", release], release, namespace, time_limit)

    async def rollback(
        self, release: str, namespace: str, revision: int, time_limit: float, *, force_conflicts: bool = False
    ) -> None:
        """Make what `revision` was the newest one again, labels included.  `force_conflicts` takes back fields that
        somebody else has changed.

        Raises HelmError, also where there is no such revision.
        """
        arguments = ["rollback", "--history-max", str(HISTORY), *(["--force-conflicts"] if force_conflicts else [])]
        await self._act([*arguments, "--", release, str(revision)], release, namespace, time_limit)

    async def version(self) -> str:
        """Helm's own version: "v4.2.3"."""
        return await self._version_of(await self._found())

    async def _act(
        self, arguments: list[str], release: str, namespace: str, time_limit: float, given: bytes = b""
    ) -> str:
        verb, *rest = arguments
        # For a hook; sooner than we, so that helm itself tells which hook did not end.
        timeout = f"{max(1, int(time_limit * 0.8))}s"
        where = ["--namespace", namespace, *self._cluster, "--timeout", timeout]
        command = [*await self._found(), verb, *where, *rest]
        outcome, begun = "failed", time.monotonic()
        try:
            with self._locked(release, namespace) as lock:
                printed = await self._run(command, verb, time_limit, given, lock)
            outcome = "ok"
            return printed
        except BlockingIOError as error:
            raise HelmError("another helm is still at work on this release") from error
        finally:
            measures.HELM_RUN_SECONDS.labels(verb, outcome).observe(time.monotonic() - begun)

    def _lock_file(self, release: str, namespace: str) -> Path:
        return self._locks / f"{namespace}.{release}.lock"

    @contextlib.contextmanager
    def _locked(self, release: str, namespace: str) -> Iterator[int]:
        """The release's lock, as an open file.  Raises BlockingIOError when somebody holds it."""
        file = self._lock_file(release, namespace)
        while True:
            lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _is_at(file, lock):  # another process removed it in between: this one is nobody's lock
                    continue
                yield lock
                return
            finally:
                os.close(lock)  # a child that has it open as well keeps it locked

    async def _found(self) -> tuple[str, ...]:
        """How helm is run on this machine; looked for once.  Raises HelmError where there is none."""
        if self._command is None:
            unusable = "There is no Helm"
            if path := shutil.which("helm"):
                version = await self._version_of((path,))
                if version.startswith("v4."):
                    self._command = (path,)
                    return self._command
                unusable = f"{path} is Helm {version}"
            if importlib.util.find_spec("helm_python") is None:
                raise HelmError(
                    f"{unusable}: put helm, version 4, on the PATH, or install its library: "
                    "pip install 'storefleet[helm]'"
                )
            # By its file, so that it is found whatever the working directory; -P keeps our modules (`secrets`, ...)
            # from standing in for Python's.
            self._command = (sys.executable, "-P", str(Path(__file__).with_name("helm_command.py")))
        return self._command

    async def _version_of(self, command: tuple[str, ...]) -> str:
        return (await self._run([*command, "version", "--short"], "version", _VERSION_LIMIT)).strip()

    def _environment(self) -> dict[str, str]:
        passed_on = {
            name: value
            for name, value in os.environ.items()
            if name in _PASSED_ON or name.startswith(_PASSED_ON_BEGINNINGS)
        }
        # An empty kubeconfig, so that ~/.kube/config is never taken unasked: it may be somebody's production.
        return {**passed_on, **self._folders, "KUBECONFIG": os.devnull}

    async def _run(
        self, command: Sequence[str], verb: str, time_limit: float, given: bytes = b"", lock: int | None = None
    ) -> str:
        """What helm printed.  Whatever happens to the caller, the process ends."""
        try:
            # A file without a name, not a pipe: who is killed before he has written all leaves a helm without values.
            with tempfile.TemporaryFile() as values:
                values.write(given)
                values.seek(0)
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=values,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    env=self._environment(),
                    pass_fds=() if lock is None else (lock,),
                    start_new_session=True,  # a process group of its own: what helm starts is ended with it
                )
        except OSError as error:
            raise HelmError(f"helm cannot be started: {error}") from error
        printed, complained = bytearray(), bytearray()
        running = asyncio.gather(
            _read(process.stdout, printed),
            _read(process.stderr, complained),
            process.wait(),
        )
        late = False
        try:
            async with asyncio.timeout(time_limit):
                await asyncio.shield(running)
        except TimeoutError:
            late = True
        finally:
            # A task of its own, so that a second cancellation of ours cannot leave the process behind.
            ending = asyncio.create_task(_end(process, running))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)
            await asyncio.shield(ending)
        if process.returncode == 0:  # also of one that came to its end while it was asked to
            return printed.decode(errors="replace")
        stderr = complained.decode(errors="replace")
        said = cause(stderr)
        if late:
            said = f"helm {verb} did not end within {time_limit:g} s and was stopped" + (f": {said}" if said else "")
        elif not said:
            said = f"helm {verb} {_ended_by(process.returncode)}"
        raise HelmError(said, stderr, process.returncode)


def document(values: Mapping[str, Any]) -> bytes:
    r"""`values` as a YAML document.

    JSON is nearly YAML: what differs is that characters beyond the basic plane have no \u escape there, and that
    some characters may not stand as they are.
    """
    text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def cause(stderr: str) -> str:
    """The cause in what helm said, as one paragraph: without log lines, warnings, stack traces and "Error: "."""
    lines = [line.strip() for line in stderr.splitlines()]
    lines = [line for line in lines if line and not _NOISE.match(line)]
    for number, line in enumerate(lines):
        if line.startswith(("fatal error: ", "panic: ", "runtime: out of memory")):
            lines = [f"Helm crashed: {line}"]  # what follows is Go's stack
            break
        if line.startswith("Error: "):
            lines = lines[number:]
            break
    text = " ".join(" ".join(lines).split()).removeprefix("Error: ")
    return text if len(text) <= _MESSAGE else text[:_MESSAGE] + " …"


_NOISE = re.compile(
    r"""[IWEF]\d{4}\ \d\d:\d\d:\d\d      # klog, by the Kubernetes client
      | \d{4}/\d\d/\d\d\ \d\d:\d\d:\d\d  # Go's log
      | (time|level)=                    # Go's structured log
      | WARNING:|Warning:|coalesce\.go
    """,
    re.VERBOSE,
)


def _pairs(labels: Mapping[str, str]) -> str:
    """`labels` as helm's flag reads them: a line of comma-separated values."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([f"{key}={value}" for key, value in labels.items()])
    return line.getvalue()


def _is_at(file: Path, opened: int) -> bool:
    """Whether the open file is the one of that name."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(file.stat(), os.fstat(opened))
    return False


def _ended_by(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        name = signal.Signals(-returncode).name
        return f"was ended by {name}" + (" (perhaps memory ran out)" if name == "SIGKILL" else "")
    return f"ended with status {returncode} and said nothing"


async def _read(stream: asyncio.StreamReader | None, kept: bytearray) -> None:
    """Read to the end, so that the writer never stalls, and keep the beginning."""
    assert stream is not None  # noqa: S101 - a pipe was asked for
    while chunk := await stream.read(65536):
        kept += chunk[: max(0, _KEPT - len(kept))]


async def _end(process: asyncio.subprocess.Process, running: "asyncio.Future[Any]") -> None:
    """End what still runs: first ask helm itself, then kill it with all that it started."""
    if running.done():
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait([running], timeout=GRACE)
    finally:
        if not running.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    await running
