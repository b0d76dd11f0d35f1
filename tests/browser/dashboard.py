"""A served Storefleet of its own for a test: a process on a free port, with the sandbox and an empty data folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

ADMIN = "admin@example.com"
ANN, BEN, CARA = PEOPLE = ("ann@example.com", "ben@example.com", "cara@example.com")
READY = "everybody is there"
PASSWORD = "correct horse battery"
ROOT = Path(__file__).parent.parent.parent


class Dashboard:
    """`start`, then use `url`; `stop` ends the process and fails if it had to be killed."""

    def __init__(self, folder: Path, speed: float = 20) -> None:
        self.folder, self.speed = folder, speed
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Dashboard":
        self.folder.mkdir(parents=True, exist_ok=True)
        # NiceGUI behaves otherwise where it finds pytest's variables.
        ours = ("STOREFLEET_", "PYTEST_", "NICEGUI_", "KUBECONFIG")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        environment |= {
            "STOREFLEET_DATA_DIR": str(self.folder / "data"),
            "STOREFLEET_ADMIN_EMAIL": ADMIN,
            "STOREFLEET_ADMIN_PASSWORD": PASSWORD,
            "STOREFLEET_SANDBOX_SPEED": str(self.speed),
        }
        port = self.url.rpartition(":")[2]
        lines_before = self.log.read_text().count(READY) if self.log.exists() else 0
        command = [
            sys.executable,
            "-m",
            "tests.browser.serve",
            "serve",
            "--sandbox",
            "--host",
            "127.0.0.1",
            "--port",
            port,
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        self._wait_until_served(lambda: self.log.read_text().count(READY) > lines_before)
        return self

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._process = None

    def break_images(self) -> None:
        """From now on no image can be pulled."""
        self._process.send_signal(signal.SIGUSR1)

    def mend_images(self) -> None:
        self._process.send_signal(signal.SIGUSR2)

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def _wait_until_served(self, everybody_is_there: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200 and everybody_is_there():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the dashboard is not served:\n{self.log.read_text()[-4000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
