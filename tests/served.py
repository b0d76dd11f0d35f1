"""`storefleet` in processes of its own: what a person or a supervisor meets, through the front doors."""

import contextlib
import io
import os
import socket
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self
from unittest import mock

import httpx

from app import cli

EMAIL, PASSWORD = "admin@example.com", "correct horse battery"
ROOT = Path(__file__).parent.parent
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""To load whom the machine trusts, as a client of its own would, takes 15 ms of the processor."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def environment(**settings: str) -> dict[str, str]:
    """What a command finds in its environment: ours without anything that concerns Storefleet or a cluster.

    What it compiles it may keep: else each process of ours would spend two seconds on compiling all that it imports.
    """
    not_for_it = ("STOREFLEET_", "KUBE", "PYTEST_", "NICEGUI_", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(not_for_it)}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **settings}


def process(*arguments: str, seconds: float = 60, **settings: str) -> "subprocess.CompletedProcess[str]":
    """`storefleet ARGUMENTS` in a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env=environment(**settings),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def command(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """`storefleet ARGUMENTS`, to its end, in this process: most of a command's time goes by loading what it is made of.

    `serve` wants a process of its own.
    """
    assert "serve" not in arguments
    stdout, stderr = io.StringIO(), io.StringIO()

    def run() -> int | str | None:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            try:
                cli.main(arguments)
            except SystemExit as end:
                return end.code
        return 0

    # In a thread: a loop may be running in this one.
    with mock.patch.dict(os.environ, environment(**settings), clear=True), ThreadPoolExecutor(1) as thread:
        status = int(thread.submit(run).result() or 0)
    return subprocess.CompletedProcess(arguments, status, stdout.getvalue(), stderr.getvalue())


class Served:
    """`storefleet serve` on a free port, its output in a file.  A second `start` serves at the same address again."""

    module = "app.cli"

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.folder = folder
        self.log = folder / "output"
        self.arguments = arguments or ("--sandbox",)
        self.settings = {
            "STOREFLEET_DATA_DIR": str(folder / "data"),
            "STOREFLEET_ADMIN_EMAIL": EMAIL,
            "STOREFLEET_ADMIN_PASSWORD": PASSWORD,
            "STOREFLEET_SANDBOX_SPEED": "20",
            **settings,
        }
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "serve", "--port", str(self.port), *self.arguments],
                env=environment(**self.settings),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        end = time.monotonic() + 120
        with self.client() as client:
            while time.monotonic() < end and self.process.poll() is None:
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/healthz").is_success:
                        return self
                time.sleep(0.05)
        raise AssertionError(f"it did not start serving:\n{self.log.read_text()[-6000:]}")

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)

    def token(self) -> str:
        made = command("token", "create", "--user", EMAIL, **self.settings)
        assert made.returncode == 0, made.stderr
        return made.stdout.split()[-1]

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=NO_TLS)
