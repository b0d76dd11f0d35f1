"""The dashboard with 1,000 stores and 100 open pages: how soon a change is seen, and what it costs.

Three pages are open in Chromium, the others are `visitors`, and all show the stores that change.  Changes are written
into the database beside the server, as another replica would, so that no engine's own work is measured (there is no
cluster here); the time begins before the commit.  The server's CPU is its process's own.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
from playwright.async_api import Browser, Page, async_playwright

from app import proofs
from app.migrations import migrate
from app.models import User, UserSession
from benchmarks.figures import show
from benchmarks.scale import _cpu as cpu
from benchmarks.scale import _resident as resident
from provisioning.database import Database, add_events
from provisioning.models import Event, Level, Store, now
from provisioning.states import State
from tests import postgres
from tests.browser.conftest import FLAGS, chromium_command
from tests.served import ROOT, Served, environment

STORES, CHANGING, ADMINS = 1000, 20, 4
VISITORS, BROWSERS = 97, 3
RATES = ((1, 30), (20, 20))  # (changes a second, for so many seconds)
SETTLE = 3.0  # seconds for the last change to arrive

WATCH = """() => {
  window.seen = {};
  const look = () => {
    const text = document.querySelector("tbody").textContent;
    for (const [, number] of text.matchAll(/change-(\\d+)-/g)) window.seen[number] ??= Date.now() / 1000;
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
# When the rows were drawn, counted from the moment at which the page was asked for.
DRAWN = """(rows) => new Promise((done) => {
  const look = () => document.querySelectorAll("tbody tr").length >= rows
    ? requestAnimationFrame(() => setTimeout(() => done(performance.now() / 1000)))
    : requestAnimationFrame(look);
  look();
})"""
# The longest that the page did not draw while all of it was scrolled through, in ms.
SCROLL = """() => new Promise((done) => {
  let last = performance.now(), longest = 0, end = last + 2000;
  const step = (at) => {
    longest = Math.max(longest, at - last);
    last = at;
    scrollBy(0, 600);
    at < end ? requestAnimationFrame(step) : done(longest);
  };
  requestAnimationFrame(step);
})"""


def run(arguments: list[str]) -> None:
    chromium, commands = chromium_command(), postgres.binaries()
    if not (chromium and commands):
        print("left out: needs Chromium and PostgreSQL")
        return
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as folder, postgres.running(commands) as url:
        asyncio.run(_run(Path(folder), url, chromium))
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}", flush=True)


async def _run(folder: Path, url: str, chromium: str) -> None:
    database = Database(url)
    await migrate(database)
    cookies, changing = await _fill(database)
    served = _served(folder, url)
    served.start()
    assert served.process is not None
    pid = served.process.pid
    try:
        _serve_pages(served, pid, cookies[0])
        before = resident(pid)
        with _visitors(served, VISITORS, cookies) as ask:
            show("memory of an open page", [(resident(pid) - before) / VISITORS], "MB")
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                await _draw(browser, served, cookies[0])
                opened = [await _opened(browser, served, cookies[n % ADMINS]) for n in range(BROWSERS)]
                for page in opened:
                    await page.evaluate(WATCH)
                for rate, seconds in RATES:
                    await _measure(database, changing, rate, seconds, pid, opened, ask)
                await browser.close()
            await _vanish(served, ask)
    finally:
        served.stop()
        await database.close()


def _served(folder: Path, url: str) -> Served:
    served = Served(folder, "--kubeconfig", str(folder / "kubeconfig"), STOREFLEET_DATABASE_URL=url)
    # A cluster that nobody knows: there is no engine then, whose work would be measured along.
    (folder / "kubeconfig").write_text(json.dumps({"current-context": "none", "contexts": [{"name": "none"}]}))
    served.module = "benchmarks.serve_pages"
    served.settings |= {"STOREFLEET_STORE_URL": "http://{name}.localhost", "STOREFLEET_STORES_IN_ALL": str(2 * STORES)}
    return served


async def _fill(database: Database) -> tuple[list[str], list[Store]]:
    """The cookies of people who are signed in, and those of the stores that are to change."""
    at, cookies = now(), []
    async with database.session() as session:
        for number in range(ADMINS):
            user = User(email=f"admin-{number}@example.com", password_hash="!", admin=True)
            owner = User(email=f"owner-{number}@example.com", password_hash="!")
            proof = proofs.make()
            session.add_all([user, owner])
            await session.flush()
            expires = at + timedelta(days=1)
            digest = proofs.digest(proof)
            session.add(UserSession(id_hash=digest, user_id=user.id, expires_at=expires, address="", agent=""))
            cookies.append(f"storefleet={proof}")
        stores = [_store(number, owner.id, number >= STORES - CHANGING) for number in range(STORES)]
        session.add_all(stores)
        await session.flush()
        for store in stores:
            kinds = ["store.requested", "namespace.created", "postgres.claim", "postgres.ready", "medusa.created"]
            await add_events(session, [_event(store, kind, kind) for kind in kinds])
        await session.commit()
    return cookies, stores[-CHANGING:]


def _store(number: int, owner: str, changing: bool) -> Store:
    name, at = f"bench-{number:04d}", now() - timedelta(minutes=STORES - number)
    return Store(
        id=uuid.uuid4().hex,
        name=name,
        owner_id=owner,
        template="medusa",
        plan="small",
        state=State.PROVISIONING if changing else State.READY,
        state_at=at,
        created_at=at,
        ready_at=None if changing else at,
        url=f"http://{name}.localhost",
        version="2.21.2",
        revision=1,
    )


def _event(store: Store, key: str, message: str) -> Event:
    return Event(store_id=store.id, key=key, at=now(), kind=key, message=message, level=Level.INFO)


def _serve_pages(served: Served, pid: int, cookie: str) -> None:
    """What a page costs the server, asked for by one who is not in a hurry."""
    for path, what in (("/", "the page, 50 rows"), (f"/?rows={STORES}", f"the page, {STORES} rows")):
        took, used = [], []
        with httpx.Client(base_url=served.url, headers={"Cookie": cookie}, trust_env=False, timeout=60) as client:
            for number in range(23):
                begun, before = time.monotonic(), cpu(pid)
                client.get(path).raise_for_status()
                if number >= 3:
                    took.append(1000 * (time.monotonic() - begun))
                    used.append(cpu(pid) - before)
        _spread(f"{what}, {STORES} stores: served", took)
        print(f"{'    CPU of the server, on average':58} {1000 * sum(used) / len(used):7.2f} ms", flush=True)


@contextmanager
def _visitors(served: Served, count: int, cookies: Sequence[str]) -> Iterator[Callable[[str], Any]]:
    """`count` open pages in a process of their own; call the answer with a line ("": SIGSTOP) to ask what they saw."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.visitors", served.url, str(count), *cookies],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(line: str) -> Any:
        if not line:
            process.send_signal(signal.SIGSTOP)
            return None
        print(line, file=process.stdin, flush=True)
        return json.loads(process.stdout.readline())  # type: ignore[union-attr]

    try:
        assert process.stdout.readline() == "ready\n"
        yield ask
    finally:
        process.kill()
        process.wait()


async def _opened(browser: Browser, served: Served, cookie: str, path: str = "/") -> Page:
    context = await browser.new_context(base_url=served.url)
    name, _, value = cookie.partition("=")
    await context.add_cookies([{"name": name, "value": value, "url": served.url}])
    page = await context.new_page()
    await page.goto(path, wait_until="commit")
    await page.evaluate(DRAWN, 50)
    return page


async def _draw(browser: Browser, served: Served, cookie: str) -> None:
    for path, rows in (("/", 50), (f"/?rows={STORES}", STORES)):
        seconds = []
        page = await _opened(browser, served, cookie)
        for _ in range(5):
            await page.goto(path, wait_until="commit")
            seconds.append(await page.evaluate(DRAWN, rows))
        show(f"{rows} of {STORES} rows: from the click to drawn", seconds)
        if rows == STORES:
            show(f"{rows} rows: the longest pause while scrolling", [await page.evaluate(SCROLL)], "ms")
        await page.context.close()


async def _measure(
    database: Database,
    changing: Sequence[Store],
    rate: int,
    seconds: int,
    pid: int,
    pages: Sequence[Page],
    ask: Callable[[str], Any],
) -> None:
    written: dict[int, float] = {}
    begun, used = time.monotonic(), cpu(pid)
    async with asyncio.TaskGroup() as tasks:
        for number in range(rate * seconds):
            await asyncio.sleep(begun + number / rate - time.monotonic())
            key = rate * 10_000 + number
            tasks.create_task(_write(database, changing[number % len(changing)], key, written))
    used, took = cpu(pid) - used, time.monotonic() - begun
    await asyncio.sleep(SETTLE)
    by_visitors = ask("seen")
    by_browsers = [await page.evaluate("seen") for page in pages]
    what = f"{rate} change{'s' if rate > 1 else ''} a second: written to"
    delays = [1000 * (at - written[int(number)]) for number, times in by_visitors.items() for at in times]
    _spread(f"{what} received", delays)
    drawn = [
        1000 * (seen[str(number)] - at) for seen in by_browsers for number, at in written.items() if str(number) in seen
    ]
    _spread(f"{what} seen in the browser", drawn)
    missed = len(written) * (VISITORS + BROWSERS) - len(delays) - len(drawn)
    of = len(written) * (VISITORS + BROWSERS)
    print(f"    overtaken by the same store's next change, so not seen themselves: {missed} of {of}")
    print(f"{'    CPU of the server':58} {100 * used / took:7.2f} % of a core", flush=True)


async def _write(database: Database, store: Store, number: int, written: dict[int, float]) -> None:
    async with database.session() as session:
        written[number] = time.time()
        text = f"change-{number}- Pulling image, {number % 100} % of it are there"
        await add_events(session, [_event(store, f"bench:{number}", text)])
        await session.commit()


async def _vanish(served: Served, ask: Callable[[str], Any]) -> None:
    """All visitors fall silent at once, their connections open: what a laptop's closed lid looks like."""

    def pages() -> int:
        return int(httpx.get(f"{served.url}/benchmark/pages", trust_env=False).text)

    before, begun = pages(), time.monotonic()
    ask("")
    while (left := pages()) > before - VISITORS and time.monotonic() - begun < 120:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    show(f"{before} open pages fall silent: {left} known after", [time.monotonic() - begun])


def _spread(what: str, values: Sequence[float], unit: str = "ms") -> None:
    """One line: p50, p95, p99 and the worst."""
    cuts = quantiles(values, n=100)
    print(
        f"{what:58} {cuts[49]:7.1f} {unit}  (p95 {cuts[94]:.1f}, p99 {cuts[98]:.1f}, worst {max(values):.1f},"
        f" of {len(values)})",
        flush=True,
    )
