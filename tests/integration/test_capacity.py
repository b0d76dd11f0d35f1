"""The look ahead when a store is asked for: a note or a refusal that says what is short, and no needless calls."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import api, services
from app.guard import Guard
from app.services import Services
from app.settings import Settings
from provisioning.capacity import Reader
from provisioning.cluster import Cluster
from provisioning.sandbox import ApiFault, Sandbox, SandboxOptions
from tests.integration.conftest import add_user, token_of

HUGE = {"medusa": {"resources": {"requests": {"memory": "3Ti"}, "limits": {"memory": "3Ti"}}}}
SHORT = "memory for the Medusa pod: 3072.0 GiB are needed, at most 2047.9 GiB are free on a node"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxOptions(speed=50, seed=1)) as sandbox:
        yield sandbox


@pytest.fixture
async def cluster(sandbox: Sandbox) -> AsyncIterator[Cluster]:
    connected = await Cluster.connect(sandbox.kubeconfig)
    yield connected
    await connected.close()


async def client_of(parts: Services) -> httpx.AsyncClient:
    user = await add_user(parts, "anna@example.com")
    headers = {"Authorization": f"Bearer {await token_of(parts, user)}"}
    transport = httpx.ASGITransport(Guard(api.build(parts)))
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


@pytest.fixture
async def refusing(tmp_path: Path, migrated_sqlite: Path) -> AsyncIterator[Services]:
    shutil.copy(migrated_sqlite, tmp_path)
    settings = Settings(data_dir=tmp_path, store_url="http://{name}.localhost", capacity="refuse")
    composed = services.compose(settings)
    yield composed
    await composed.database.close()


async def test_a_store_without_room_is_accepted_and_told_what_it_will_wait_for(parts: Services, cluster: Cluster):
    parts.stores.capacity = Reader(cluster, HUGE)
    async with await client_of(parts) as client:
        answer = await client.post("/api/v1/stores", json={"name": "shop"})
        assert answer.status_code == 202
        assert answer.json()["note"] == f"Accepted, will wait for capacity: {SHORT}"
        timeline = (await client.get("/api/v1/stores/shop/events")).json()["items"]
        assert [(each["kind"], each["level"]) for each in timeline] == [
            ("store.requested", "success"),
            ("capacity.short", "warning"),
        ]


async def test_where_it_is_to_be_so_it_is_refused_and_nothing_is_kept(refusing: Services, cluster: Cluster):
    refusing.stores.capacity = Reader(cluster, HUGE)
    async with await client_of(refusing) as client:
        answer = await client.post("/api/v1/stores", json={"name": "shop"})
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["Retry-After"] == "60"
        assert answer.json()["missing"] == [SHORT]
        assert SHORT in answer.json()["detail"]
        assert (await client.get("/api/v1/stores")).json()["items"] == []
        refusing.stores.capacity = Reader(cluster, {})
        answer = await client.post("/api/v1/stores", json={"name": "shop"})
        assert answer.status_code == 202
        assert "note" not in answer.json()


@pytest.mark.parametrize("kind", ["Node", "Pod"])
async def test_what_may_not_be_seen_counts_as_room(
    refusing: Services, sandbox: Sandbox, cluster: Cluster, kind: str
) -> None:
    sandbox.faults.add(ApiFault(status=403, verbs=("list",), kinds=(kind,)))
    refusing.stores.capacity = Reader(cluster, HUGE)
    async with await client_of(refusing) as client:
        assert (await client.post("/api/v1/stores", json={"name": "shop"})).status_code == 202


async def test_the_cluster_is_read_only_when_somebody_asks_and_not_for_each(cluster: Cluster, monkeypatch):
    calls = []
    listed = cluster.list_all

    async def counted(kind: str, *more: Any, **others: Any) -> Any:
        calls.append(kind)
        return await listed(kind, *more, **others)

    monkeypatch.setattr(cluster, "list_all", counted)
    reader = Reader(cluster, {})
    assert calls == []
    rooms = [await reader.room() for _ in range(5)]
    assert calls == ["Node", "Pod"]
    assert rooms[0] is not None
    assert rooms[0].default_class == "standard"
