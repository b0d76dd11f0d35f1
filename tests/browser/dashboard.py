"""A served dashboard with people in it, for browsers; its sandbox breaks and mends on request."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx

from tests.served import EMAIL, PASSWORD, Served

ADMIN = EMAIL
ANN, BEN, CARA, DORA, EVA = PEOPLE = tuple(
    f"{name}@example.com"
    for name in ("ann", "ben", "cara", "dora", "eva")  # whose stores no other file counts
)
MARKUP = (
    "<img src='data:,x' onerror='window.owned=1'><b class='from-the-cluster'>"
    "\u202egnidaeh\u2066</b>\x1b[31m\x07{{ 7*7 }}"
)
READY = "everybody is there"
NEWER = "2.22.0"  # the shop's version by the chart of a newer platform
__all__ = [
    "ADMIN",
    "ANN",
    "BEN",
    "CARA",
    "DORA",
    "EVA",
    "MARKUP",
    "NEWER",
    "PASSWORD",
    "PEOPLE",
    "READY",
    "Dashboard",
    "running",
]


class Dashboard(Served):
    """`storefleet serve --sandbox`, ready when the sandbox and the people are there."""

    module = "tests.browser.serve"

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        many = {"STOREFLEET_STORES_PER_USER": "1000", "STOREFLEET_CREATIONS_AN_HOUR": "1000"}
        super().__init__(folder, *arguments, **{**many, **settings})

    def start(self) -> Self:
        before = self.lines().count(READY) if self.log.exists() else 0
        super().start()
        end = time.monotonic() + 120
        with self.client() as client:
            while self.lines().count(READY) == before or client.get("/readyz").status_code != 200:
                assert time.monotonic() < end, f"the dashboard is not ready:\n{self.log.read_text()[-4000:]}"
                time.sleep(0.1)
        return self

    @contextmanager
    def signed_in(self, person: str) -> Iterator[httpx.Client]:
        """The API as somebody's browser has it."""
        with self.client() as client:
            answer = client.post("/sign-in", data={"email": person, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            yield client

    def have(self, owner: str, *names: str, state: str = "READY") -> None:
        """Let there be these stores of theirs, which have come to this state."""
        end = time.monotonic() + 60
        with self.signed_in(owner) as client:
            for name in names:
                assert client.post("/api/v1/stores", json={"name": name}).status_code == 202
            while any(client.get(f"/api/v1/stores/{name}").json()["state"] != state for name in names):
                assert time.monotonic() < end, f"not {state}: {names}"
                time.sleep(0.1)

    def break_images(self) -> None:
        """From now on no image can be pulled."""
        self._send(signal.SIGUSR1)

    def speak_markup(self) -> None:
        """Of the stores `markup` and `markup-waits` the cluster tells what is wrong in words that would be markup."""
        self._send(signal.SIGRTMIN)

    def bring_newer_chart(self) -> None:
        """As if the platform had been upgraded."""
        self._send(signal.SIGRTMIN + 1)

    def take_own_chart(self) -> None:
        self._send(signal.SIGRTMIN + 2)

    def mend_images(self) -> None:
        self._send(signal.SIGUSR2)

    def _send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)


@contextmanager
def running(dashboard: Dashboard) -> Iterator[Dashboard]:
    """Serves meanwhile; afterwards its log must hold no traceback."""
    try:
        yield dashboard.start()
    finally:
        dashboard.stop()
    log = dashboard.log.read_text()
    assert "Traceback" not in log, log[-6000:]
