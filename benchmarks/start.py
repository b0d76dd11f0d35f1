"""From the start of the process to the first page."""

import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.figures import show
from tests.served import Served


def run(arguments: list[str]) -> None:
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(int(arguments[0]) if arguments else 5):
            served = Served(Path(folder))
            begun = time.monotonic()
            served.start()
            httpx.get(f"{served.url}/sign-in", trust_env=False).raise_for_status()
            if number:  # the first one also makes the database
                seconds.append(time.monotonic() - begun)
            served.stop()
    show("start of the process to the first page", seconds)
