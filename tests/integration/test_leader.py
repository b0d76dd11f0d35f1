"""The election of a leader, on the sandbox's Leases: never two at once, whatever the cluster does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from provisioning.cluster import Cluster, ClusterError
from provisioning.leader import Election, Timings
from provisioning.sandbox import ApiFault, Sandbox
from tests.integration.fleet import sandbox_in

QUICK = Timings(lease=2.0, renew=1.2, retry=0.3, answer=0.5)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandbox_in() as sandbox:
        yield sandbox


class Line:
    """A connection that can be cut."""

    def __init__(self, cluster: Cluster) -> None:
        self.whole, self.cut = cluster, False

    def __getattr__(self, verb: str) -> Any:
        if self.cut:
            raise ClusterError("the line is cut")
        return getattr(self.whole, verb)


class Candidate:
    """An election with a connection of its own, as in a process of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self.line, self.cluster, self.began = Line(cluster), cluster, 0
        self.election = Election(self.line, "default", "i1", QUICK)  # type: ignore[arg-type]
        self.fit = True
        self.election.start(self._begin, lambda: self.fit)

    async def _begin(self) -> None:
        self.began += 1

    @property
    def leading(self) -> bool:
        return self.election.leading


@pytest.fixture
async def candidates(sandbox: Sandbox) -> AsyncIterator[list[Candidate]]:
    candidates = [Candidate(await Cluster.connect(sandbox.kubeconfig)) for _ in range(3)]
    watching = asyncio.create_task(never_two(candidates))
    yield candidates
    watching.cancel()
    result = (await asyncio.gather(watching, return_exceptions=True))[0]
    assert isinstance(result, asyncio.CancelledError), result
    for candidate in candidates:
        await candidate.election.stop()
        await candidate.cluster.close()


async def never_two(candidates: list[Candidate]) -> None:
    while True:
        assert sum(candidate.leading for candidate in candidates) < 2
        await asyncio.sleep(0.002)


async def until(holds: Callable[[], bool], within: float = 10) -> None:
    async with asyncio.timeout(within):
        while not holds():
            await asyncio.sleep(0.01)


def leaders(candidates: list[Candidate]) -> list[Candidate]:
    return [candidate for candidate in candidates if candidate.leading]


async def test_one_leads_and_stays(candidates):
    await until(lambda: bool(leaders(candidates)))
    (first,) = leaders(candidates)
    await asyncio.sleep(3 * QUICK.lease)
    assert leaders(candidates) == [first]
    assert [candidate.began for candidate in candidates].count(0) == 2
    assert first.began == 1
    assert {candidate.election.known().holder for candidate in candidates} == {first.election.identity}
    assert [candidate.election.known().here for candidate in candidates].count(True) == 1
    lease = await first.cluster.get("Lease", "storefleet-i1", "default")
    assert lease["spec"]["leaseTransitions"] == 0
    assert lease["metadata"]["labels"]["storefleet.dev/installation"] == "i1"


async def test_one_that_ends_gives_the_lease_up_and_is_followed_at_once(candidates):
    await until(lambda: bool(leaders(candidates)))
    (first,) = leaders(candidates)
    others = [candidate for candidate in candidates if candidate is not first]
    await first.election.stop()
    assert not first.leading
    begun = asyncio.get_running_loop().time()
    await until(lambda: bool(leaders(others)))
    assert asyncio.get_running_loop().time() - begun < QUICK.lease - 0.2, "it was waited for the end of the lease"
    await until(lambda: [candidate.began for candidate in others].count(1) == 1)


async def test_one_that_stands_down_keeps_the_lease_until_it_ends(candidates):
    await until(lambda: bool(leaders(candidates)))
    (first,) = leaders(candidates)
    first.election.stand_down()
    assert not first.leading
    await asyncio.sleep(1.5 * QUICK.lease)
    assert not leaders(candidates), "another leads while something may still be under way"
    await first.election.stop()
    await until(lambda: bool(leaders(candidates)), QUICK.lease)


async def test_one_that_cannot_renew_leads_no_more_and_is_followed(candidates, sandbox):
    await until(lambda: bool(leaders(candidates)))
    (first,) = leaders(candidates)
    first.line.cut = True
    await until(lambda: not first.leading)
    assert not leaders(candidates), "it acted on until somebody else took the lease"
    await until(lambda: bool(leaders(candidates)))
    assert not first.leading
    (second,) = leaders(candidates)
    first.line.cut = False
    await until(lambda: first.election.known().holder == second.election.identity)
    assert leaders(candidates) == [second]


async def test_one_that_cannot_work_lets_another_lead(candidates):
    await until(lambda: bool(leaders(candidates)))
    (first,) = leaders(candidates)
    first.fit = False
    await until(lambda: bool(leaders(candidates)) and not first.leading)
    (second,) = leaders(candidates)
    await until(lambda: first.election.known().holder == second.election.identity)
    await second.election.stop()
    third = next(each for each in candidates if each not in (first, second))
    await until(lambda: third.leading)
    await third.election.stop()
    await asyncio.sleep(QUICK.lease)
    assert not first.leading
    first.fit = True
    await until(lambda: first.leading)


async def test_while_the_cluster_is_away_nobody_leads_and_then_one_does_again(candidates, sandbox):
    await until(lambda: bool(leaders(candidates)))
    await sandbox.faults.api_away(3)
    await until(lambda: not leaders(candidates))
    await until(lambda: all(candidate.election.known().holder == "" for candidate in candidates))
    await until(lambda: bool(leaders(candidates)))
    assert leaders(candidates)[0].began >= 1


async def test_a_lease_that_somebody_deletes_is_made_again(candidates):
    await until(lambda: all(candidate.election.known().holder for candidate in candidates))
    await candidates[0].cluster.delete("Lease", "storefleet-i1", "default")
    await asyncio.sleep(QUICK.lease)
    await until(lambda: bool(leaders(candidates)))
    assert await candidates[0].cluster.get("Lease", "storefleet-i1", "default")


@pytest.mark.parametrize(
    "fault",
    [
        ApiFault(kinds=("Lease",), status=500, probability=0.5),
        ApiFault(kinds=("Lease",), status=409, verbs=("update",), probability=0.5),
        ApiFault(kinds=("Lease",), delay=0.7, probability=0.4),  # longer than is waited: done, but not heard of
    ],
    ids=["errors", "conflicts", "late answers"],
)
async def test_never_two_whatever_the_cluster_answers(candidates, sandbox, fault):
    sandbox.faults.add(fault)
    for _ in range(4):
        await until(lambda: bool(leaders(candidates)), within=30)
        await asyncio.sleep(1.5)
    sandbox.faults.clear()
    await until(lambda: bool(leaders(candidates)))
