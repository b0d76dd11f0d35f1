"""What is inside a store: parts, logs and use, of real objects in the sandbox, for whoever may see the store."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.actor import Actor
from app.inside import STREAMS_EACH, Inside
from app.inside_views import LogOf, LogQuery
from app.problems import Problem
from app.settings import Settings
from app.stores import Stores
from app.usual import FEWEST, Usual
from provisioning.parts import PartHealth
from provisioning.pod_logs import LogLine, Note
from provisioning.sandbox import ApiFault, CrashFault, ImageFault, Sandbox
from provisioning.usage import Usage
from tests.integration.fleet import Fleet

ANN, BEN = Actor("ann", "ann@example.com", False, "token"), Actor("ben", "ben@example.com", False, "token")
ADMIN = Actor("root", "root@example.com", True, "token")


@pytest.fixture
async def inside(fleet: Fleet, tmp_path: Path) -> AsyncIterator[Inside]:
    settings = Settings(data_dir=tmp_path, store_url="http://{name}.localhost")
    inside = Inside(Stores(fleet.database, fleet.changes, settings, fleet.sealer), fleet.changes)
    usage = Usage(fleet.cluster, await fleet.database.installation(), inside.tell_all)
    inside.begin(fleet.engine, fleet.cluster, usage, simulated=True)
    yield inside
    inside.end()


async def refused(work: Any, status: int) -> Problem:
    with pytest.raises(Problem) as caught:
        await work
    assert caught.value.status == status
    return caught.value


async def until(items: AsyncGenerator[Any, None], wanted: str) -> list[str]:
    """What a log says up to the line or note that holds `wanted`."""
    said: list[str] = []
    async with asyncio.timeout(30):
        async for item in items:
            said += [line.text for line in item] if isinstance(item, list) else [str(item)]
            if any(wanted in each for each in said):
                return said
    raise AssertionError(said)


async def read(inside: Inside, actor: Actor, query: LogQuery) -> list[LogLine]:
    return [line async for lines in await inside.read_log(actor, "shop", query) for line in lines]


async def test_a_store_that_is_ready(fleet: Fleet, inside: Inside, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    told = asyncio.Event()
    leave = inside.follow("shop", told.set)
    await fleet.ask("shop")
    await fleet.settled("shop")
    assert told.is_set()
    for actor in (ANN, ADMIN):
        seen = await inside.parts(actor, "shop")
        health = {part.key: part.health for part in seen.items}
        assert health == {
            **dict.fromkeys(("postgres", "medusa", "ingress", "volume"), PartHealth.OK),
            "certificate": PartHealth.UNUSED,
        }
        assert seen.cluster == "connected"

    # Figures come by the clock; while somebody looks, more often.
    monkeypatch.setattr("provisioning.usage.WATCHED_EVERY", 1.5)
    told.clear()
    assert (await inside.usage(ANN, "shop")).measured == "not_yet"
    async with asyncio.timeout(30):
        while (used := await inside.usage(ANN, "shop")).measured == "not_yet":  # a pod has run for a while before it is
            await inside.sample()
            await asyncio.sleep(0.2)
    assert told.is_set()
    assert (used.measured, used.simulated, used.disk_bytes) == ("yes", True, 1024**3)
    (sample,) = used.samples
    assert sample.cpu.keys() == sample.memory.keys() == used.limits.keys() == {"medusa", "postgres"}
    assert 0 < sample.memory["medusa"] < used.limits["medusa"].memory

    lines = await read(inside, ANN, LogQuery("postgres", lines=1000))
    assert any("database system is ready to accept connections" in line.text for line in lines)
    assert len(await read(inside, ANN, LogQuery("postgres", lines=1))) == 1
    for work in (
        inside.parts(BEN, "shop"),
        inside.usage(BEN, "shop"),
        inside.read_log(BEN, "shop", LogQuery()),
        inside.follow_log(BEN, "shop", LogQuery()),
        inside.read_log(ANN, "shop", LogQuery("redis")),
        inside.read_log(ANN, "shop", LogQuery("medusa", pod="postgres-0")),
        inside.read_log(ANN, "shop", LogQuery("medusa", pod="../../kube-system/pods/x")),
        inside.read_log(ANN, "shop", LogQuery(container="sidecar")),
    ):
        await refused(work, 404)
    problem = await refused(inside.read_log(ANN, "shop", LogQuery(previous=True)), 409)
    assert "previous terminated container" in problem.detail.lower()

    # A log is live: what is printed while nobody asks for more comes by itself.
    live = await inside.follow_log(ANN, "shop", LogQuery(lines=1))
    async with contextlib.aclosing(live):
        assert isinstance(await anext(live), LogOf)
        first, second = await anext(live), await anext(live)
        assert first[-1].at < second[-1].at
        again = await inside.follow_log(ANN, "shop", LogQuery(since=first[-1].at))
        async with contextlib.aclosing(again):
            assert isinstance(await anext(again), LogOf)
            assert (await anext(again))[0] == second[0]

    # Nobody follows without end.
    many = [await inside.follow_log(ANN, "shop", LogQuery(lines=1)) for _ in range(STREAMS_EACH)]
    async with contextlib.AsyncExitStack() as open_:
        for each in many:
            await open_.enter_async_context(contextlib.aclosing(each))
            await anext(each)
        await refused(inside.follow_log(ANN, "shop", LogQuery()), 429)
        await (await inside.follow_log(ADMIN, "shop", LogQuery())).aclose()
    await (await inside.follow_log(ANN, "shop", LogQuery())).aclose()
    leave()


async def test_a_cluster_that_measures_nothing_or_is_away(fleet: Fleet, inside: Inside, sandbox: Sandbox):
    await fleet.ask("shop")
    await fleet.settled("shop")
    sandbox.faults.add(ApiFault(status=404, kinds=("PodMetrics",)))
    await inside.sample()
    used = await inside.usage(ANN, "shop")
    assert (used.measured, used.samples, used.disk_bytes) == ("absent", [], 1024**3)
    live = await inside.follow_log(ANN, "shop", LogQuery("postgres", lines=1))
    async with contextlib.aclosing(live):
        await anext(live)
        away = asyncio.create_task(sandbox.faults.api_away(2))
        said = await until(live, "does not answer")
        while (await inside.parts(ANN, "shop")).cluster != "away":
            await asyncio.sleep(0.05)
        seen = await inside.parts(ANN, "shop")
        assert {part.health for part in seen.items} == {PartHealth.UNKNOWN}
        await refused(inside.read_log(ANN, "shop", LogQuery()), 503)
        await away
        assert await until(live, "checkpoint")
    assert said


async def test_a_log_goes_on_over_restarts_and_new_pods_and_tells_no_secret(
    fleet: Fleet, inside: Inside, sandbox: Sandbox
):
    await fleet.ask("shop")
    await fleet.settled("shop")
    store = await fleet.store("shop")
    assert store is not None
    password, *others = await inside._stores.secrets(store)
    live = await inside.follow_log(ANN, "shop", LogQuery("medusa", lines=10))
    async with contextlib.aclosing(live):
        await anext(live)
        assert await anext(live)  # nothing is followed before it is read
        said = (f"connecting with {password}", "token=abcdefgh", "\x1b[31m<b>red</b>")
        sandbox.faults.add(CrashFault("medusa", log=said, times=1))
        crash = [line for line in await until(live, "<b>red</b>") if not line.startswith("http: ")]
        assert crash[-3:] == ["connecting with ***", "token=***", "<b>red</b>"]
        restart = await until(live, "storefleet: shop prepared")
        assert password not in str(crash + restart)
        before = await read(inside, ANN, LogQuery(previous=True, lines=10))
        assert [line.text for line in before if not line.text.startswith("http: ")][-3:] == crash[-3:]
        (medusa,) = [part for part in (await inside.parts(ANN, "shop")).items if part.key == "medusa"]
        assert (medusa.restarts, medusa.pods[0].containers[0].had_run) == (1, True)

        pod = medusa.pods[0].name
        await fleet.cluster.delete("Pod", pod, "store-shop")
        news = await until(live, "storefleet: shop prepared")
        assert any("LogOf" in each and pod not in each for each in news)
    assert not others or others[0] not in str(news)

    live = await inside.follow_log(ANN, "shop", LogQuery("medusa", lines=1))
    async with contextlib.aclosing(live):  # and it ends with the store
        await anext(live)
        await fleet.delete("shop")
        async with asyncio.timeout(30):
            async for _ in live:
                pass


async def test_what_a_run_said_that_ended_while_nobody_could_listen_is_told(
    fleet: Fleet, inside: Inside, sandbox: Sandbox
):
    await fleet.ask("shop")
    await fleet.settled("shop")
    live = await inside.follow_log(ANN, "shop", LogQuery("medusa", lines=1))
    async with contextlib.aclosing(live):
        await anext(live)
        assert await anext(live)
        away = asyncio.create_task(sandbox.faults.api_away(2))
        await until(live, "does not answer")
        sandbox.faults.add(CrashFault("medusa", log=("the last words",), times=1))
        await away
        said = await until(live, "storefleet: shop prepared")
        assert said.count("the last words") == 1
        assert said.index("the last words") < len(said) - 1


async def test_a_container_that_does_not_start_says_what_it_waits_for(fleet: Fleet, inside: Inside, sandbox: Sandbox):
    sandbox.faults.add(ImageFault("*postgres:*"))
    await fleet.ask("shop")
    await fleet.settled("shop")
    problem = await refused(inside.read_log(ANN, "shop", LogQuery("postgres")), 409)
    assert "waiting to start" in problem.detail
    live = await inside.follow_log(ANN, "shop", LogQuery("postgres"))
    async with contextlib.aclosing(live):
        assert isinstance(await anext(live), LogOf)
        note = await anext(live)
        assert isinstance(note, Note)
        assert "waiting to start" in note.text
    seen = await inside.parts(ANN, "shop")
    (postgres,) = [part for part in seen.items if part.key == "postgres"]
    assert (postgres.health, postgres.note) == (
        PartHealth.DEGRADED,
        "PostgreSQL pod failed to start: ImagePullBackOff",
    )
    assert any(warning.about == "pod/postgres-0" and warning.count >= 1 for warning in seen.warnings)


async def test_what_is_usual_is_known_after_a_few_stores(fleet: Fleet, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.usual.KEPT_NOTHING", 0.0)
    usual = Usual(fleet.database)
    assert await usual.steps("medusa") == {}
    for number in range(FEWEST):
        await fleet.ask(f"shop-{number}")
    for number in range(FEWEST):
        await fleet.settled(f"shop-{number}", within=30)
    known = await usual.steps("medusa")
    assert known.keys() == {"requested", "namespace", "postgres", "medusa", "ingress", "page"}
    assert all(seconds >= 0 for seconds in known.values())
