"""Watches: what a cache is fed by."""

import asyncio
from typing import Any

import pytest

from tests.conformance.client import MERGE, Target, config_map


def seen(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events if event["type"] != "BOOKMARK"]


async def test_a_watch_goes_on_from_a_list(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    await cluster.ok("POST", path, {"metadata": {"name": "before"}})
    version = (await cluster.ok("GET", path))["metadata"]["resourceVersion"]
    await cluster.ok("POST", path, {"metadata": {"name": "a"}})
    await cluster.ok("PATCH", f"{path}/a", {"metadata": {"labels": {"x": "1"}}}, MERGE)
    await cluster.ok("DELETE", f"{path}/a")
    events = await cluster.watch(path, resourceVersion=version, timeoutSeconds=2)
    assert seen(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(versions)
    assert versions[0] > int(version)
    # Resuming in the middle gives the rest.
    rest = await cluster.watch(path, resourceVersion=versions[0], timeoutSeconds=1)
    assert seen(rest) == [("MODIFIED", "a"), ("DELETED", "a")]


async def test_a_watch_tells_of_changes_as_they_happen(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    version = (await cluster.ok("GET", path))["metadata"]["resourceVersion"]
    response = await cluster.send("GET", path, watch="true", resourceVersion=version, timeoutSeconds=30)
    await cluster.ok("POST", path, {"metadata": {"name": "a"}})
    line = await asyncio.wait_for(response.content.readline(), 5)
    assert b'"ADDED"' in line
    response.close()


async def test_without_a_version_it_begins_with_what_is_there(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    await cluster.ok("POST", path, {"metadata": {"name": "a"}})
    assert seen(await cluster.watch(path, timeoutSeconds=1)) == [("ADDED", "a")]


async def test_a_selector_turns_changes_into_coming_and_going(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    version = (await cluster.ok("GET", path))["metadata"]["resourceVersion"]
    await cluster.ok("POST", path, config_map("a"))
    for labels in ({"app": "x"}, {"more": "1"}, {"app": "y"}):
        await cluster.ok("PATCH", f"{path}/a", {"metadata": {"labels": labels}}, MERGE)
    await cluster.ok("DELETE", f"{path}/a")
    events = await cluster.watch(path, resourceVersion=version, labelSelector="app=x", timeoutSeconds=2)
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]


async def test_a_field_selector_picks_one_object(cluster: Target, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    version = (await cluster.ok("GET", path))["metadata"]["resourceVersion"]
    for name in ("a", "b"):
        await cluster.ok("POST", path, config_map(name))
    events = await cluster.watch(path, resourceVersion=version, fieldSelector="metadata.name=b", timeoutSeconds=1)
    assert seen(events) == [("ADDED", "b")]


@pytest.mark.parametrize("cluster", ["sandbox"], indirect=True)
async def test_a_version_that_is_too_old(cluster: Target, namespace: str) -> None:
    """A real cluster answers so in the same words, but forgets its history only minutes later."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    await cluster.ok("POST", path, {"metadata": {"name": "a"}})
    events = await cluster.watch(path, resourceVersion="1", timeoutSeconds=5)
    assert [event["type"] for event in events] == ["ERROR"]
    status = events[0]["object"]
    assert (status["code"], status["reason"]) == (410, "Expired")
    assert status["message"].startswith("too old resource version: 1")


async def test_the_initial_state_can_be_streamed(cluster: Target, namespace: str) -> None:
    """What newer clients do in place of a list."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    await cluster.ok("POST", path, {"metadata": {"name": "a"}})
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    events = await cluster.watch(path, timeoutSeconds=2, **query)
    assert seen(events) == [("ADDED", "a")]
    annotations = next(e for e in events if e["type"] == "BOOKMARK")["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}
