"""The cache, fed by the sandbox: what it must not believe."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from provisioning import names
from provisioning.cache import Cache
from provisioning.cluster import Cluster, Obj
from tests.integration.fleet import sandbox_in

SPACE = "store-shop"
LABELS = {"storefleet.dev/installation": "i1", "storefleet.dev/store": "a" * 32}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with sandbox_in() as sandbox:
        cluster = await Cluster.connect(sandbox.kubeconfig)
        await cluster.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": {"app": "any"}}}
        )
        yield cluster
        await cluster.close()


@pytest.fixture
async def cache(cluster: Cluster) -> AsyncIterator[Cache]:
    cache = Cache(cluster, "i1", names.PREFIX, lambda namespace: None)
    cache.start()
    yield cache
    await cache.stop()


def secret(labels: dict[str, str]) -> Obj:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": SPACE, "labels": labels}}


async def until_it_has(cache: Cache, count: int) -> None:
    async with asyncio.timeout(60):
        while cache.trouble or len(cache.objects(SPACE)) != count:
            await asyncio.sleep(0.01)


async def test_an_answer_that_comes_after_the_news_of_the_end_brings_nothing_back(cluster: Cluster, cache: Cache):
    answer = await cluster.apply(secret(LABELS))
    await until_it_has(cache, 1)
    await cluster.delete("Secret", "key", SPACE)
    await until_it_has(cache, 0)
    cache.put(answer)
    assert cache.objects(SPACE) == []


async def test_what_lost_our_labels_and_gets_them_back_is_seen_again(cluster: Cluster, cache: Cache):
    answer = await cluster.apply(secret(LABELS))
    await until_it_has(cache, 1)
    bare = {**answer, "metadata": {**answer["metadata"], "labels": {}}}
    await cluster.update({**bare, "kind": "Secret", "apiVersion": "v1"}, "kubectl-edit")
    await until_it_has(cache, 0)
    cache.put(await cluster.apply(secret(LABELS)))
    assert len(cache.objects(SPACE)) == 1
