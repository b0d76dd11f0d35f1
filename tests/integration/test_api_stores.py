"""Stores over the API, in this process and without an engine: shapes, status codes, permission, bad input."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, select, update

from app.actor import Actor
from app.services import Services
from provisioning.models import Attempt, Store, StoreSecret
from provisioning.states import State
from tests.integration.conftest import BOTH_DATABASES, token_of

STORES = "/api/v1/stores"
FIELDS = set(
    "id name owner state reason url template version revision created_at ready_at plan health queue_position "
    "eta_seconds destroy_at upgrade rollback".split()
)


async def move(parts: Services, name: str, *states: State, **columns: Any) -> None:
    """What the engine would do."""
    async with parts.database.session() as session:
        store = (await session.exec(select(Store).where(col(Store.name) == name))).one()
        for state in states:
            await parts.database.transition(session, store, state, "the test says so", **columns)
        await session.commit()


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem that `answer` has to be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["status"] == status
    assert told["title"]
    assert told["type"]
    assert told["detail"].endswith((".", "!")), told["detail"]
    assert "Traceback" not in answer.text
    return told


@BOTH_DATABASES
async def test_a_new_store_is_accepted_and_found_where_location_says(
    client: httpx.AsyncClient, parts: Services
) -> None:
    answer = await client.post(STORES, json={"name": "bikeshop", "options": {"title": "Bikes & Co"}})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{STORES}/bikeshop"
    store = answer.json()
    assert set(store) == FIELDS
    assert store["state"] == "REQUESTED"
    assert store["owner"] == "anna@example.com"
    assert store["url"] == "http://bikeshop.localhost"
    assert (store["template"], store["plan"], store["version"]) == ("medusa", "small", "2.21.2")
    assert (store["reason"], store["ready_at"], store["health"], store["eta_seconds"]) == (None, None, None, None)
    assert store["queue_position"] == 1
    assert (await client.get(answer.headers["location"])).json() == store
    assert (await client.get(STORES)).json() == {"items": [store], "next": None}
    timeline = (await client.get(f"{STORES}/bikeshop/events")).json()
    assert [(each["kind"], each["message"], each["level"]) for each in timeline["items"]] == [
        ("store.requested", "Store requested", "success")
    ]
    async with parts.database.session() as session:
        sealed = (await session.exec(select(StoreSecret))).one().sealed
    secrets = parts.sealer.unseal(sealed)
    assert secrets["admin-email"] == "anna@example.com"
    assert secrets["admin-password"].encode() not in sealed


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "Give the store a name"),
        ("a" * 64, "at most 47"),
        ("a" * 48, "at most 47"),
        ("Shop", "lower-case"),
        ("käse", "letters a to z"),
        ("shop\u0000", "letters a to z"),
        ("\ud800", "letters a to z"),
        ("-shop", "starts and ends"),
        ("shop-", "starts and ends"),
        ("my shop", "letters a to z"),
        ("shop.de", "letters a to z"),
        ("shop\n", "letters a to z"),
        ("admin", "reserved"),
    ],
)
async def test_names_that_no_store_can_have(client: httpx.AsyncClient, name: str, says: str) -> None:
    body = json.dumps({"name": name})
    answer = await client.post(STORES, content=body, headers={"Content-Type": "application/json"})
    told = problem(answer, 422)
    assert says in told["detail"]
    assert told["errors"][0]["field"] == "name"
    assert (await client.get(STORES)).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": 7}, "name"),
        ({"name": ["shop"]}, "name"),
        ({"name": "shop", "colour": "red"}, "colour"),
        ({"name": "shop", "template": "wordpress"}, "template"),
        ({"name": "shop", "plan": "huge"}, "plan"),
        ({"name": "shop", "options": []}, "options"),
        ({"name": "shop", "options": {"price": 1}}, "options.price"),
        ({"name": "shop", "options": {"currency": "€"}}, "options.currency"),
        ([], ""),
        ("shop", ""),
        (7, ""),
        (None, ""),
    ],
)
async def test_bodies_that_say_the_wrong_thing(client: httpx.AsyncClient, body: Any, field: str) -> None:
    answer = await client.post(STORES, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert problem(answer, 422)["errors"][0]["field"] == field
    assert (await client.get(STORES)).json()["items"] == []


@pytest.mark.parametrize(
    ("content", "type"),
    [
        (b"not json", "application/json"),
        (b"{", "application/json"),
        (b"", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 60_000, "application/json"),
        (b"name=shop", "application/x-www-form-urlencoded"),
        (b'{"name": "shop"}', "text/plain"),
    ],
)
async def test_bodies_that_are_not_json(client: httpx.AsyncClient, content: bytes, type: str) -> None:
    assert "JSON" in problem(await client.post(STORES, content=content, headers={"Content-Type": type}), 400)["detail"]


async def test_a_body_that_is_too_large(client: httpx.AsyncClient) -> None:
    assert "64 KiB" in problem(await client.post(STORES, json={"name": "x" * 70_000}), 413)["detail"]

    async def endless() -> Any:
        for _ in range(2000):
            yield b" " * 1024

    answer = await client.post(STORES, content=endless(), headers={"Content-Type": "application/json"})
    problem(answer, 413)


@BOTH_DATABASES
async def test_a_taken_name(client: httpx.AsyncClient) -> None:
    assert (await client.post(STORES, json={"name": "bikeshop"})).status_code == 202
    answer = await client.post(STORES, json={"name": "bikeshop"})
    assert "taken" in problem(answer, 409)["detail"]
    assert "retry-after" not in answer.headers


@BOTH_DATABASES
async def test_a_name_whose_store_is_being_deleted(client: httpx.AsyncClient) -> None:
    await client.post(STORES, json={"name": "bikeshop"})
    deleted = await client.delete(f"{STORES}/bikeshop")
    assert deleted.status_code == 202
    assert deleted.json()["state"] == "DELETING"
    answer = await client.post(STORES, json={"name": "bikeshop"})
    assert "still being deleted" in problem(answer, 409)["detail"]
    assert int(answer.headers["retry-after"]) > 0
    assert (await client.delete(f"{STORES}/bikeshop")).status_code == 202  # asking again is fine


@BOTH_DATABASES
async def test_the_same_name_at_the_same_time(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post(STORES, json={"name": "bikeshop"}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]


@BOTH_DATABASES
async def test_too_many_in_flight(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post(STORES, json={"name": f"shop-{n}"}) for n in range(7)))
    assert sorted(answer.status_code for answer in answers) == [202] * 4 + [429] * 3
    refused = next(answer for answer in answers if answer.status_code == 429)
    problem(refused, 429)
    assert int(refused.headers["retry-after"]) > 0
    assert len((await client.get(STORES)).json()["items"]) == 4


@pytest.mark.parametrize("header", ["Bearer sf_wrong", "Bearer ", "Bearer", "Basic YTpi", "sf_wrong", "Bearer sf_ü"])
async def test_a_wrong_token(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.get(STORES, headers={"Authorization": header.encode()})
    problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_no_token(client: httpx.AsyncClient) -> None:
    del client.headers["Authorization"]
    for method, path in (("GET", STORES), ("POST", STORES), ("DELETE", f"{STORES}/x"), ("GET", "/api/v1/me")):
        answer = await client.request(method, path)
        problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v2/stores", f"{STORES}/"])
async def test_unknown_paths(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(path), 404)


async def test_a_method_that_is_not_there(client: httpx.AsyncClient) -> None:
    answer = await client.put(STORES)
    problem(answer, 405)
    assert answer.headers["allow"]


@pytest.mark.parametrize("name", ["nothing", "UPPER", "a%00b", "%F0%9F%9A%B2", "-", "a" * 300])
async def test_a_store_that_is_not_there(client: httpx.AsyncClient, name: str) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/retry"),
        ("GET", "/events"),
        ("GET", "/events/stream"),
    ):
        problem(await client.request(method, f"{STORES}/{name}{path}"), 404)


@BOTH_DATABASES
async def test_somebody_elses_store_is_one_that_is_not_there(
    client: httpx.AsyncClient, parts: Services, boris: Actor, admin: Actor
) -> None:
    await parts.stores.create(boris, "boris-shop")
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/retry"),
        ("GET", "/events"),
        ("GET", "/events/stream"),
    ):
        theirs = await client.request(method, f"{STORES}/boris-shop{path}")
        nobodys = await client.request(method, f"{STORES}/nothing{path}")
        assert (theirs.status_code, theirs.json()) == (404, nobodys.json())
    assert (await client.get(STORES)).json()["items"] == []
    assert (await client.get(STORES, params={"owner": "boris@example.com"})).json()["items"] == []
    client.headers["Authorization"] = f"Bearer {await token_of(parts, admin)}"
    assert (await client.get(f"{STORES}/boris-shop")).json()["owner"] == "boris@example.com"
    assert len((await client.get(STORES, params={"owner": "Boris@example.com"})).json()["items"]) == 1


@BOTH_DATABASES
async def test_a_failed_store_tells_why_and_can_be_retried(client: httpx.AsyncClient, parts: Services) -> None:
    await client.post(STORES, json={"name": "bikeshop"})
    refused = await client.post(f"{STORES}/bikeshop/retry")
    assert "a store that is FAILED" in problem(refused, 409)["detail"]
    await move(parts, "bikeshop", State.PROVISIONING, State.READY)
    problem(await client.post(f"{STORES}/bikeshop/retry"), 409)
    await move(parts, "bikeshop", State.REQUESTED)
    reason = {"code": "image", "message": "no image", "evidence": ["a", "b"], "who": "you", "hint": "try"}
    await move(parts, "bikeshop", State.PROVISIONING)
    await move(parts, "bikeshop", State.FAILED, reason=reason)
    assert (await client.get(f"{STORES}/bikeshop")).json()["reason"] == reason
    retried = await client.post(f"{STORES}/bikeshop/retry")
    assert retried.status_code == 202
    assert (retried.json()["state"], retried.json()["reason"]) == ("REQUESTED", None)


@BOTH_DATABASES
async def test_a_wish_that_the_engine_overtakes_is_recorded_all_the_same(
    client: httpx.AsyncClient, parts: Services, anna: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.post(STORES, json={"name": "bikeshop"})
    found = type(parts.stores)._find

    async def overtaken(self: Any, session: Any, actor: Actor, name: str) -> Store:
        store: Store = await found(self, session, actor, name)
        monkeypatch.undo()
        await session.commit()
        await move(parts, name, State.PROVISIONING)
        return store

    monkeypatch.setattr(type(parts.stores), "_find", overtaken)
    assert (await parts.stores.delete(anna, "bikeshop")).state is State.DELETING


@BOTH_DATABASES
async def test_pages_stay_where_they_are_while_stores_come_and_go(
    client: httpx.AsyncClient, parts: Services, anna: Actor
) -> None:
    at = (await parts.stores.create(anna, "shop-0")).created_at
    for number in range(1, 4):
        await parts.stores.create(anna, f"shop-{number}")
    async with parts.database.session() as session:  # the same moment for all: the id has to decide
        await session.exec(update(Store).values(created_at=at))
        await session.commit()
    every = [each["name"] for each in (await client.get(STORES)).json()["items"]]
    first = (await client.get(STORES, params={"limit": 2})).json()
    async with parts.database.session() as session:
        for store in await session.exec(select(Store).where(col(Store.name) == every[0])):
            await session.delete(store)
        await session.commit()
    await parts.stores.create(anna, "newcomer")
    second = (await client.get(STORES, params={"limit": 2, "cursor": first["next"]})).json()
    assert [each["name"] for each in first["items"] + second["items"]] == every
    assert second["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "state=LOST",
        "cursor=x",
        "cursor=%F0%9F",
        "cursor=" + "a" * 300,
        "q=" + "a" * 101,
    ],
)
async def test_questions_that_cannot_be_asked(client: httpx.AsyncClient, query: str) -> None:
    assert problem(await client.get(f"{STORES}?{query}"), 422)["errors"][0]["field"] == query.split("=")[0]


@BOTH_DATABASES
async def test_filters(client: httpx.AsyncClient, parts: Services, anna: Actor) -> None:
    for name in ("bikeshop", "bookshop", "cafe"):
        await parts.stores.create(anna, name)
    await move(parts, "cafe", State.PROVISIONING)

    async def names(**query: str) -> list[str]:
        return sorted(each["name"] for each in (await client.get(STORES, params=query)).json()["items"])

    assert await names(q="SHOP") == ["bikeshop", "bookshop"]
    assert await names(q="%") == []
    assert await names(q="\x00") == []
    assert await names(state="PROVISIONING") == ["cafe"]
    assert await names(state="REQUESTED", q="bike") == ["bikeshop"]
    assert await names(owner="nobody@example.com") == []


async def took_forty_seconds(parts: Services, owner: Actor) -> None:
    """A store called "done" that was READY 40 s after it was begun."""
    await parts.stores.create(owner, "done")
    await move(parts, "done", State.PROVISIONING, State.READY)
    async with parts.database.session() as session:
        attempt = (await session.exec(select(Attempt))).one()
        attempt.seconds = 40
        session.add(attempt)
        await session.commit()


@BOTH_DATABASES
async def test_who_finds_no_place_is_told_when_the_first_will_be_free(
    client: httpx.AsyncClient, parts: Services, anna: Actor
) -> None:
    await took_forty_seconds(parts, anna)
    for number in range(parts.settings.in_flight):
        assert (await client.post(STORES, json={"name": f"shop-{number}"})).status_code == 202
    refused = await client.post(STORES, json={"name": "one-more"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "40")
    await move(parts, "shop-0", State.PROVISIONING)
    async with parts.database.session() as session:
        store = (await session.exec(select(Store).where(col(Store.name) == "shop-0"))).one()
        store.state_at -= timedelta(seconds=35)
        session.add(store)
        await session.commit()
    refused = await client.post(STORES, json={"name": "one-more"})
    assert 2 <= int(refused.headers["Retry-After"]) <= 5


@BOTH_DATABASES
async def test_the_place_in_the_queue_is_fair_and_the_wait_is_what_it_took_before(
    client: httpx.AsyncClient, parts: Services, anna: Actor, boris: Actor, admin: Actor
) -> None:
    await took_forty_seconds(parts, anna)
    for owner, name in ((anna, "anna-1"), (anna, "anna-2"), (boris, "boris-1")):
        await parts.stores.create(owner, name)
    views = {name: await parts.stores.get(admin, name) for name in ("anna-1", "boris-1", "anna-2", "done")}
    assert [view.queue_position for view in views.values()] == [1, 2, 3, None]
    assert [view.eta_seconds for view in views.values()] == [40, 40, 40, None]
    assert views["done"].health == "unknown"  # nobody looks yet


async def test_me(client: httpx.AsyncClient, anna: Actor) -> None:
    me = (await client.get("/api/v1/me")).json()
    assert me.pop("limits") == {
        "stores": {"of": 1000, "left": 1000},
        "creations_an_hour": {"of": 1000, "left": 1000},
        "platform_full": False,
    }
    assert me == {"id": anna.user_id, "email": "anna@example.com", "admin": False, "scope": "write"}


async def test_the_document_describes_every_route_and_its_refusals(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    assert set(document["paths"]) >= {STORES, STORES + "/{name}", STORES + "/{name}/events/stream", "/api/v1/me"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/api/v1"):
                assert "401" in operation["responses"], path
                assert operation["security"]


@BOTH_DATABASES
async def test_health_and_readiness(client: httpx.AsyncClient) -> None:
    del client.headers["Authorization"]
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    told = problem(await client.get("/readyz"), 503)
    assert told["checks"] == {"database": "ok", "engine": "starting", "cluster": "connecting", "leader": "nobody"}


async def test_a_surprise_is_a_number_and_nothing_else(
    client: httpx.AsyncClient, parts: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret is hunter2")

    monkeypatch.setattr(parts.stores, "list", broken)
    told = problem(await client.get(STORES), 500)
    number = told["detail"].split()[-1].rstrip(".")
    assert "hunter2" not in json.dumps(told)
    assert number in caplog.text


@BOTH_DATABASES
async def test_credentials_are_shown_and_the_timeline_says_so(parts: Services, anna: Actor) -> None:
    await parts.stores.create(anna, "bikeshop")
    shown = await parts.stores.credentials(anna, "bikeshop")
    assert (shown.email, shown.admin_url) == ("anna@example.com", "http://bikeshop.localhost/app")
    assert len(shown.password) >= 12
    timeline = await parts.stores.events(anna, "bikeshop")
    assert timeline[-1].message == "Admin sign-in details shown to anna@example.com"
    assert shown.password not in str(timeline)


async def test_names_are_checked_while_typing(parts: Services, anna: Actor, boris: Actor) -> None:
    await parts.stores.create(boris, "bikeshop")
    assert await parts.stores.name_problem(anna, "bookshop") is None
    assert "taken" in str(await parts.stores.name_problem(anna, "bikeshop"))
    await parts.stores.delete(boris, "bikeshop")
    assert "still being deleted" in str(await parts.stores.name_problem(anna, "bikeshop"))
    assert "reserved" in str(await parts.stores.name_problem(anna, "admin"))


@BOTH_DATABASES
async def test_counts_are_of_what_one_may_see(parts: Services, anna: Actor, boris: Actor, admin: Actor) -> None:
    await parts.stores.create(anna, "one")
    await parts.stores.create(boris, "two")
    assert (await parts.stores.counts(anna))["REQUESTED"] == 1
    assert await parts.stores.counts(admin) == {
        "REQUESTED": 2,
        "PROVISIONING": 0,
        "READY": 0,
        "FAILED": 0,
        "DELETING": 0,
        "ALL": 2,
    }
