"""Several processes on one PostgreSQL and one cluster: one leads, all serve, and nothing is done twice."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
from sqlalchemy import text

from provisioning.cluster import Cluster, Obj
from provisioning.sandbox import Sandbox
from tests.integration.conftest import empty_database
from tests.integration.fleet import sandbox_in
from tests.integration.replicas import API, Line, Replica, Replicas, replicas_on, until

# One sandbox, one database and two processes for all the tests here: what ended serves again for the next.
pytestmark = pytest.mark.asyncio(loop_scope="module")
shared = partial(pytest_asyncio.fixture, scope="module", loop_scope="module")


@shared()
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandbox_in(speed=4) as sandbox:
        yield sandbox


@shared()
async def cluster(sandbox: Sandbox) -> AsyncIterator[Cluster]:
    cluster = await Cluster.connect(sandbox.kubeconfig)
    yield cluster
    await cluster.close()


@shared()
async def two(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, postgres_server: str):
    with empty_database(postgres_server) as url:
        async with replicas_on(sandbox, tmp_path_factory.mktemp("replicas"), url, count=2) as replicas:
            yield replicas


@pytest_asyncio.fixture(loop_scope="module")
async def replicas(two: Replicas) -> Replicas:
    await two.revive()
    return two


async def lease_of(replicas: Replicas, cluster: Cluster) -> Obj:
    name = f"storefleet-{await replicas.database.installation()}"
    return next(lease for lease in (await cluster.list_all("Lease", "default"))[0] if lease["metadata"]["name"] == name)


async def revisions(cluster: Cluster, name: str) -> list[str]:
    secrets, _ = await cluster.list_all("Secret", f"store-{name}", "owner=helm")
    return sorted(
        f"{secret['metadata']['labels']['version']} {secret['metadata']['labels']['status']}" for secret in secrets
    )


async def test_one_leads_and_every_one_says_which(replicas, cluster):
    leader = await replicas.leading()

    async def all_told():
        told = [await replica.leader() for replica in replicas.all]
        return told if all(told) else None

    told = await until(all_told, 60, "somebody knows of no leader")
    assert {each["holder"] for each in told} == {told[0]["holder"]}
    assert [each["here"] for each in told].count(True) == 1
    assert told[0]["since"]
    lease, installation = await lease_of(replicas, cluster), await replicas.database.installation()
    assert lease["metadata"]["labels"]["storefleet.dev/installation"] == installation
    assert lease["spec"]["holderIdentity"] == told[0]["holder"]
    assert str(leader.pid) in told[0]["holder"]


async def begun(by: Replica, beginning: str, count: int = 3) -> list[str]:
    """Stores that were asked for and have all been begun (on a busy machine the first may be READY before the last)."""
    names = [f"{beginning}-{number}" for number in range(count)]
    for name in names:
        await by.ask(name)

    async def at_work() -> bool:
        return "REQUESTED" not in await by.states(names)

    await until(at_work, 90, "they are not begun")
    return names


async def come_up_once(replicas: Replicas, cluster: Cluster, asked: Replica, names: list[str]) -> None:
    """All become READY, and nothing of it was done twice."""

    async def all_ready() -> bool:
        return await asked.states(names) == {"READY"}

    try:
        await until(all_ready, 120, "they are not READY")
        for name in names:
            await replicas.assert_nothing_was_done_twice(name)
            assert await revisions(cluster, name) == ["1 deployed"], name
            assert (await asked.store(name))["revision"] == 1
    except AssertionError:
        print(await asked.stories(names))
        raise


async def test_a_leader_that_is_killed_under_work_is_replaced_and_nothing_is_done_twice(replicas, cluster):
    leader = await replicas.leading()
    follower = replicas.other_than(leader)
    names = await begun(follower, "killed")
    await asyncio.sleep(0.5)
    await leader.kill()
    killed = time.monotonic()
    await replicas.leading([follower])
    took = time.monotonic() - killed
    print(f"killed: replaced after {took:.1f} s")
    assert took < 15
    await come_up_once(replicas, cluster, follower, names)


async def test_a_leader_that_sleeps_and_wakes_up_late_does_nothing_again(replicas, cluster):
    leader = await replicas.leading()
    follower = replicas.other_than(leader)
    names = await begun(follower, "late")
    await asyncio.sleep(0.5)
    before = (await lease_of(replicas, cluster))["spec"]["leaseTransitions"]
    leader.signal(signal.SIGSTOP)
    await replicas.leading([follower], within=60)
    await asyncio.sleep(2)
    leader.signal(signal.SIGCONT)
    await come_up_once(replicas, cluster, follower, names)
    assert await follower.leads()
    assert not await leader.leads()
    assert (await lease_of(replicas, cluster))["spec"]["leaseTransitions"] == before + 1


async def test_a_leader_that_is_stopped_under_work_ends_what_it_began_and_hands_over(replicas, cluster):
    leader = await replicas.leading()
    follower = replicas.other_than(leader)
    names = await begun(follower, "stopped")
    stopping, said = time.monotonic(), len(leader.served.lines())
    leader.signal(signal.SIGTERM)
    await replicas.leading([follower])
    print(f"stopped: replaced after {time.monotonic() - stopping:.1f} s")
    await come_up_once(replicas, cluster, follower, names)
    given_up = [line for line in leader.served.lines()[said:] if "given up the lead" in line]
    assert given_up, "the end of the lease was waited for"


async def test_a_leader_that_loses_the_cluster_is_replaced_and_serves_on(sandbox, cluster, tmp_path, postgres_url):
    line = Line(sandbox.kubeconfig, tmp_path)
    await line.mend()
    async with replicas_on(sandbox, tmp_path, postgres_url, count=0) as replicas:
        first = await replicas.start(line.kubeconfig)
        await replicas.leading([first])
        second = await replicas.start()
        names = await begun(second, "cut", count=2)
        await line.cut()
        await replicas.leading([second])
        assert not await first.leads()
        assert (await first.http.get("/healthz")).status_code == 200
        assert (await first.http.get("/readyz")).json()["checks"]["cluster"] == "away"
        await first.ask("meanwhile")  # it cannot act, and still takes wishes
        await come_up_once(replicas, cluster, first, [*names, "meanwhile"])
        await line.mend()

        async def back() -> bool:
            return (await first.http.get("/readyz")).status_code == 200

        await until(back, 90, "it does not see the cluster again")
        assert await second.leads()
        await line.cut()


async def test_a_follower_shows_what_the_leader_does_and_what_it_is_asked_is_done_at_once(replicas):
    leader = await replicas.leading()
    follower = replicas.other_than(leader)
    lags, waits = [], []
    for name in ("one", "two", "three"):
        await follower.ask(name)
        arrivals = await asyncio.gather(leader.follow(name, "store.ready"), follower.follow(name, "store.ready"))
        assert arrivals[0].keys() == arrivals[1].keys()
        lags += [arrivals[1][event] - arrivals[0][event] for event in arrivals[0]]
        first, second = (await replicas.history(name))[:2]
        waits.append((second.at - first.at).total_seconds())
    print(f"seen on the follower later than on the leader by {sorted(lags)[len(lags) // 2] * 1000:.0f} ms, ", end="")
    print(
        f"at most {max(lags) * 1000:.0f} ms; wish to dispatch: {', '.join(f'{wait * 1000:.0f}' for wait in waits)} ms"
    )
    assert sorted(lags)[len(lags) // 2] < 1, "not told, but found at the next heartbeat"
    await follower.http.delete(f"{API}/one")

    async def gone() -> bool:
        return await leader.store("one") is None

    await until(gone, 60, "it is not deleted")


async def test_the_page_and_the_stream_go_on_when_the_database_cuts_the_connection(replicas):
    leader = await replicas.leading()
    follower = replicas.other_than(leader)
    async with replicas.database.engine.begin() as connection:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = :name"
        ended = await connection.execute(text(cut), {"name": replicas.database.url.database})
        assert len(ended.all()) >= 2
    await asyncio.sleep(2)
    await follower.ask("shop")
    arrivals = await asyncio.gather(leader.follow("shop", "store.ready"), follower.follow("shop", "store.ready"))
    lags = [arrivals[1][event] - arrivals[0][event] for event in arrivals[0]]
    assert sorted(lags)[len(lags) // 2] < 1
    assert await leader.leads()
