"""A private PostgreSQL for tests: Debian's binaries, a folder of its own, loopback only, gone afterwards.

PostgreSQL refuses to run as root, so there it runs as somebody else.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`, on the PATH or where Debian keeps them; None where there are none."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return next((path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None)


@contextlib.contextmanager
def running(commands: Path) -> Iterator[str]:
    """Its address, as SQLAlchemy wants it, while it runs."""
    who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="storefleet-postgres-"))
    data, log = folder / "data", folder / "log"
    if who:
        shutil.chown(folder, who["user"], who["group"])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        subprocess.run(
            [commands / "initdb", "-D", data, "-U", "storefleet", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **who,
        )
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        options = [part for setting in settings for part in ("-c", setting)]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [commands / "postgres", "-D", data, "-p", str(port), *options],
                stdout=output,
                stderr=output,
                cwd=folder,
                **who,
            )
        try:
            _wait(port, server, log)
            yield f"postgresql+psycopg://storefleet@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(20)
    finally:
        shutil.rmtree(folder)


def _wait(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=port, user="storefleet", dbname="postgres").close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")
