"""Several `storefleet serve` on one PostgreSQL and one sandbox, and what a test does with them."""

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from sqlmodel import col, select

from provisioning.database import Database
from provisioning.models import Event, Store, Transition
from provisioning.sandbox import Sandbox
from provisioning.secrets import new_key
from provisioning.states import LEGAL
from tests.served import EMAIL, NO_TLS, Served, command, free_port

T = TypeVar("T")
API = "/api/v1/stores"


class Replica:
    """One process, and a client of it."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.http = httpx.AsyncClient(base_url=served.url, timeout=30, trust_env=False, verify=NO_TLS)

    @property
    def pid(self) -> int:
        assert self.served.process is not None
        return self.served.process.pid

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """SIGKILL: it can do nothing any more."""
        self.signal(signal.SIGKILL)
        await asyncio.to_thread(self.served.process.wait)

    async def leader(self) -> dict[str, Any] | None:
        """Who leads, by its word; None while it does not know or does not answer."""
        with contextlib.suppress(httpx.HTTPError):
            found: dict[str, Any] | None = (await self.http.get("/readyz", timeout=2)).json().get("leader")
            return found
        return None

    async def leads(self) -> bool:
        leader = await self.leader()
        return bool(leader and leader["here"])

    async def ask(self, name: str) -> None:
        answer = await self.http.post(API, json={"name": name})
        assert answer.status_code == 202, answer.text

    async def store(self, name: str) -> dict[str, Any] | None:
        answer = await self.http.get(f"{API}/{name}")
        return None if answer.status_code == 404 else answer.json()

    async def stories(self, names: Iterable[str]) -> str:
        """What happened to these stores, for whoever has to find out why they are not as they should be."""
        return "\n".join(f"{name}: {await self.store(name)}\n  {await self.lines(name)}" for name in names)

    async def states(self, names: Iterable[str]) -> set[str]:
        return {(await self.store(name) or {"state": "gone"})["state"] for name in names}

    async def follow(self, name: str, last: str, within: float = 60) -> dict[int, float]:
        """When each event of the store's stream came, by its id, up to the one of kind `last`."""
        came: dict[int, float] = {}
        async with asyncio.timeout(within), self.http.stream("GET", f"{API}/{name}/events/stream") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    came[event["id"]] = time.monotonic()
                    if event["kind"] == last:
                        return came
        raise AssertionError(f"the stream of {name} ended without {last}")

    async def lines(self, name: str) -> list[str]:
        return [event["message"] for event in (await self.http.get(f"{API}/{name}/events")).json()["items"]]


class Line:
    """A way to the cluster for one process, which can be cut."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._text = kubeconfig.read_text()
        self._port = int(re.findall(r"https://127\.0\.0\.1:(\d+)", self._text)[0])
        self.kubeconfig = folder / "kubeconfig-by-line"
        self._listening = free_port()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._listening)
        self.kubeconfig.write_text(self._text.replace(f":{self._port}", f":{self._listening}"))
        self.kubeconfig.chmod(0o600)

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection("127.0.0.1", self._port)
        self._open |= {writer, onward}
        await asyncio.gather(_pass_on(reader, onward), _pass_on(there, writer))
        self._open -= {writer, onward}


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


class Replicas:
    """The processes, and the database behind their back."""

    def __init__(self, folder: Path, database_url: str, arguments: Iterable[str], settings: dict[str, str]) -> None:
        self._folder, self._arguments = folder, tuple(arguments)
        self.settings = {"STOREFLEET_DATABASE_URL": database_url, "STOREFLEET_KEY": new_key(), **settings}
        self.database = Database(database_url)
        self.all: list[Replica] = []
        self._token = ""

    async def start(self, kubeconfig: Path | None = None) -> Replica:
        """One more."""
        arguments = ("--kubeconfig", str(kubeconfig)) if kubeconfig else self._arguments
        folder = self._folder / f"replica-{len(self.all)}"
        folder.mkdir()
        replica = Replica(Served(folder, *arguments, **self.settings))
        self.all.append(replica)
        await asyncio.to_thread(replica.served.start)
        if not self._token:
            made = await asyncio.to_thread(command, "token", "create", "--user", EMAIL, **replica.served.settings)
            assert made.returncode == 0, made.stderr
            self._token = made.stdout.split()[-1]
        replica.http.headers["Authorization"] = f"Bearer {self._token}"
        return replica

    async def revive(self) -> None:
        """Those that ended serve again, at their old addresses."""
        for replica in self.all:
            if replica.served.process is None or replica.served.process.poll() is not None:
                await asyncio.to_thread(replica.served.start)

    def other_than(self, replica: Replica) -> Replica:
        return next(each for each in self.all if each is not replica)

    async def leading(self, among: Iterable[Replica] | None = None, within: float = 20) -> Replica:
        """The one that leads, once one does."""
        candidates = list(among or self.all)

        async def look() -> Replica | None:
            for replica in candidates:
                if await replica.leads():
                    return replica
            return None

        return await until(look, within, "nobody leads")

    async def close(self) -> None:
        for replica in self.all:
            process = replica.served.process
            if process is not None and process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    replica.signal(signal.SIGCONT)
                await asyncio.to_thread(replica.served.stop)
            await replica.http.aclose()
        await self.database.close()

    async def history(self, name: str) -> list[Transition]:
        async with self.database.session() as session:
            query = select(Transition).join(Store).where(col(Store.name) == name).order_by(col(Transition.id))
            return list(await session.exec(query))

    async def events(self, name: str) -> list[Event]:
        async with self.database.session() as session:
            query = select(Event).join(Store).where(col(Store.name) == name).order_by(col(Event.at), col(Event.id))
            return list(await session.exec(query))

    async def assert_nothing_was_done_twice(self, name: str) -> None:
        """The store's states follow one from the other, and no line of its timeline is there twice."""
        history = await self.history(name)
        for before, after in zip([None, *history], history, strict=False):
            assert after.before == (before.after if before else None), (name, history)
            assert after.before is None or after.after in LEGAL[after.before], (name, history)
        messages = [event.message for event in await self.events(name)]
        assert len(messages) == len(set(messages)), (name, messages)


async def until(look: Callable[[], Awaitable[T | None]], within: float, what: str) -> T:
    """The first true answer of `look`."""
    end = time.monotonic() + within
    while not (found := await look()):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def replicas_on(sandbox: Sandbox, folder: Path, database_url: str, count: int) -> AsyncIterator[Replicas]:
    settings = {
        "STOREFLEET_STORE_URL": "http://{name}.localhost",
        "STOREFLEET_INGRESS_URL": sandbox.ingress_url,
        "STOREFLEET_STORES_PER_USER": "1000",
        "STOREFLEET_CREATIONS_AN_HOUR": "1000",
    }
    arguments = ("--kubeconfig", str(sandbox.kubeconfig))
    async with AsyncExitStack() as stack:
        replicas = Replicas(folder, database_url, arguments, settings)
        stack.push_async_callback(replicas.close)
        for _ in range(count):
            await replicas.start()
        yield replicas
