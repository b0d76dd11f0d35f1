"""What administrators read beside the figures: the audit trail, filtered, walked and exported; settings; `/metrics`."""

import csv
import io
import json
import re
from datetime import timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from app import api, services, setting_views
from app.actor import Actor
from app.audit import AuditFilter
from app.guard import Guard
from app.problems import Problem
from app.services import Services
from app.settings import Settings
from provisioning.audit import Who, append, entries
from provisioning.models import Outcome, now
from tests.integration.conftest import BOTH_DATABASES, add_user, token_of

AUDIT = "/api/v1/audit"
METRICS_TOKEN = "a long word that nobody guesses"


@pytest.fixture
async def as_admin(parts: Services, client: httpx.AsyncClient, admin: Actor) -> httpx.AsyncClient:
    client.headers["Authorization"] = f"Bearer {await token_of(parts, admin)}"
    return client


async def note(parts: Services, *entries: tuple[str, str, str, Outcome]) -> None:
    async with parts.database.session() as session:
        for actor, action, store, outcome in entries:
            await append(session, Who(actor), action, store_name=store, outcome=outcome, detail={"x": 1})
            await session.commit()


# Activity


@BOTH_DATABASES
async def test_the_trail_is_narrowed_by_outcome_time_and_how_names_begin(parts: Services, as_admin: httpx.AsyncClient):
    await note(
        parts,
        ("zoe@example.com", "store.create", "bike-shop", Outcome.OK),
        ("zoe@example.com", "store.delete", "bike_shop", Outcome.REFUSED),
        ("yan@example.com", "store.create", "bakery", Outcome.FAILED),
    )

    async def found(**query: str) -> list[tuple[str, str]]:
        answer = await as_admin.get(AUDIT, params=query)
        return [(each["actor"][:3], each["store_name"]) for each in answer.json()["items"]]

    assert await found(outcome="refused") == [("zoe", "bike_shop")]
    assert await found(q="Bike") == [("zoe", "bike_shop"), ("zoe", "bike-shop")]
    assert await found(q="bike_") == [("zoe", "bike_shop")]  # no wildcard
    assert await found(q="%") == []
    assert await found(q="yan") == [("yan", "bakery")]
    assert await found(q="b", outcome="ok", action="store.create") == [("zoe", "bike-shop")]
    assert await found(q="b", until=(now() - timedelta(minutes=5)).isoformat()) == []
    assert len(await found(q="b", until=(now() + timedelta(minutes=5)).isoformat())) == 3
    for query in ({"outcome": "fine"}, {"until": "soon"}, {"q": "x" * 300}):
        assert (await as_admin.get(AUDIT, params=query)).status_code == 422, query


@BOTH_DATABASES
async def test_an_export_holds_what_was_asked_for_oldest_first_and_is_itself_an_entry(
    parts: Services, as_admin: httpx.AsyncClient
):
    shops = [("zoe@example.com", "store.create", f"shop-{number}", Outcome.OK) for number in range(250)]
    await note(parts, *shops, ("zoe@example.com", "store.create", "=cmd()", Outcome.REFUSED))
    answer = await as_admin.get(f"{AUDIT}/export", params={"user": "zoe@example.com"})
    assert re.fullmatch(r'attachment; filename="storefleet-audit-[\d-]+\.jsonl"', answer.headers["content-disposition"])
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["store_name"] for each in lines] == [f"shop-{number}" for number in range(250)] + ["=cmd()"]
    answer = await as_admin.get(f"{AUDIT}/export", params={"format": "csv", "outcome": "refused"})
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["store_name"] == "'=cmd()"  # a spreadsheet works nothing out
    taken = (await as_admin.get(AUDIT, params={"action": "audit.export"})).json()["items"]
    assert [each["detail"] for each in taken] == [
        {"form": "csv", "outcome": "refused"},
        {"form": "jsonl", "user": "zoe@example.com"},
    ]
    assert (await as_admin.get(f"{AUDIT}/export", params={"format": "xml"})).status_code == 422


async def test_who_is_no_administrator_exports_and_verifies_nothing(parts: Services, client: httpx.AsyncClient):
    assert (await client.get(f"{AUDIT}/export")).status_code == 403
    assert (await client.get(f"{AUDIT}/chain")).status_code == 403
    assert (await client.post(f"{AUDIT}/verify")).status_code == 403
    async with parts.database.session() as session:
        told = [(each.action, each.outcome) async for each in entries(session)]
    assert ("audit.export", "refused") in told


@BOTH_DATABASES
async def test_the_chain_is_walked_along_and_a_change_is_told(parts: Services, as_admin: httpx.AsyncClient):
    await note(parts, *[("zoe@example.com", "store.create", "shop", Outcome.OK)] * 5)
    before = (await as_admin.get(f"{AUDIT}/chain")).json()
    assert (before["verified_at"], before["count"] > 5, len(before["head"])) == (None, True, 64)
    walked = (await as_admin.post(f"{AUDIT}/verify")).json()
    assert (walked["verified"], walked["head"], walked["broken"]) == (before["count"], before["head"], "")
    async with parts.database.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE id = 3")
    walked = (await as_admin.post(f"{AUDIT}/verify")).json()
    assert "Entry 3 was changed" in walked["broken"]
    assert walked["verified"] == 2
    assert (await as_admin.get(f"{AUDIT}/chain")).json() == walked


# Settings


def test_settings_say_where_they_come_from_and_nothing_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("STOREFLEET_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STOREFLEET_DATABASE_URL", "postgresql+psycopg://me:hunter2@db/shops?sslpassword=hunter3")
    monkeypatch.setenv("STOREFLEET_ADMIN_PASSWORD", "hunter4 hunter4")
    monkeypatch.setenv("STOREFLEET_AT_ONCE", "7")
    found = {each.name.removeprefix("STOREFLEET_"): each for each in setting_views.views(Settings())}
    assert set(found) == {name.upper() for name in Settings.model_fields}
    assert "hunter" not in str(found)
    assert (found["AT_ONCE"].value, found["AT_ONCE"].source, found["AT_ONCE"].default) == ("7", "environment", "5")
    assert (found["IN_FLIGHT"].value, found["IN_FLIGHT"].source) == ("20", "default")
    assert found["DATABASE_URL"].value == "postgresql+psycopg://me:***@db/shops"
    assert (found["ADMIN_PASSWORD"].value, found["ADMIN_PASSWORD"].secret) == ("set", True)
    assert (found["KEY"].value, found["KEY"].source) == (str(tmp_path / "key"), "file")


def test_every_setting_with_a_secret_in_it_is_of_the_secret_kind():
    secret = {name for name, field in Settings.model_fields.items() if isinstance(field.default, SecretStr)}
    assert {name for name in Settings.model_fields if re.search("password|secret|token|key$", name)} <= secret


# /metrics


@pytest.fixture
async def measured(parts: Services):
    """The whole API with a token for `/metrics`, and nobody's own."""
    given = Settings.model_construct(**{**dict(parts.settings), "metrics_token": SecretStr(METRICS_TOKEN)})
    composed = services.compose(given)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(Guard(api.build(composed))), base_url="http://test"
    ) as it:
        yield it
    await composed.database.close()


async def test_metrics_are_for_administrators_and_for_who_has_their_token(
    parts: Services, measured: httpx.AsyncClient, anna: Actor, admin: Actor
):
    async def status(authorization: str | None) -> int:
        headers = {"Authorization": authorization} if authorization else {}
        return (await measured.get("/metrics", headers=headers)).status_code

    assert await status(None) == 401
    assert await status("Bearer nonsense") == 401
    assert await status(f"Bearer {await token_of(parts, anna)}") == 403
    assert await status(f"Bearer {await token_of(parts, admin)}") == 200
    assert await status(f"Bearer {METRICS_TOKEN}") == 200
    assert (await measured.get("/api/v1/me", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})).status_code == 401


async def test_without_a_token_no_empty_one_opens_them(as_admin: httpx.AsyncClient):
    assert (await as_admin.get("/metrics")).status_code == 200
    for wrong in ("Bearer ", "Bearer", ""):
        assert (await as_admin.get("/metrics", headers={"Authorization": wrong})).status_code == 401


async def test_metrics_follow_the_rule_and_name_nobody(parts: Services, as_admin: httpx.AsyncClient):
    carla = await add_user(parts, "carla@example.com")
    await parts.stores.create(carla, "bikeshop")
    await as_admin.get("/api/v1/stores/bikeshop")
    answer = await as_admin.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert not re.search("bikeshop|carla|example.com|admin", answer.text)
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    for name, family in families.items():
        if name.endswith("_created") or name.startswith("process_"):
            continue
        assert re.fullmatch("storefleet_[a-z_]+", name), name
        assert family.documentation, name
        assert not name.endswith(("_total", "_count")), name  # the format adds these by itself
        assert family.type != "histogram" or name.endswith("_seconds"), name
    states = {each.labels["state"]: each.value for each in families["storefleet_stores"].samples}
    assert states == {"REQUESTED": 1, "PROVISIONING": 0, "READY": 0, "FAILED": 0, "DELETING": 0}
    routes = {
        (each.labels["route"], each.labels["method"], each.labels["status"])
        for each in families["storefleet_api_requests"].samples
        if each.name.endswith("_total")
    }
    assert ("/stores/{name}", "GET", "200") in routes


async def test_a_word_that_is_no_method_makes_no_counter_of_its_own(as_admin: httpx.AsyncClient):
    await as_admin.request("STEAL", "/api/v1/nothing/at/all")
    answer = (await as_admin.get("/metrics")).text
    assert "STEAL" not in answer
    assert "at/all" not in answer
    assert 'method="other"' in answer


async def test_the_service_itself_refuses(parts: Services, anna: Actor):
    for act in (parts.audit.list, parts.audit.actions, parts.audit.chain, parts.audit.verify, parts.platform.settings):
        with pytest.raises(Problem, match="dministrator"):
            await act(anna)
    with pytest.raises(Problem, match="dministrator"):
        await parts.audit.export(anna, AuditFilter(), "csv")
