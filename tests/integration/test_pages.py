"""Pages as a browser without scripts gets them, from a really served process."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest

from app.pages.live import Happening
from app.pages.stores import row_of
from app.store_views import ReasonView, StoreView
from provisioning.health import Health
from provisioning.states import State
from tests.served import EMAIL, PASSWORD, Served


@pytest.fixture
def visitor(served: Served) -> Iterator[httpx.Client]:
    """Somebody who is not signed in."""
    with served.client() as client:
        yield client


@pytest.fixture(scope="module")
def signed_in(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        answer = client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD, "next": "/"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        yield client


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", "/sign-in"),
        ("/?state=failed", "/sign-in?next=%2F%3Fstate%3Dfailed"),
        ("/stores/bikeshop", "/sign-in?next=%2Fstores%2Fbikeshop"),
    ],
)
def test_a_page_leads_who_is_not_signed_in_to_the_form(visitor: httpx.Client, path: str, target: str):
    answer = visitor.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, target)


def test_what_was_typed_comes_back_as_text(visitor: httpx.Client):
    typed = '"><script>alert(1)</script>'
    answer = visitor.post("/sign-in", data={"email": typed, "password": "x", "next": typed})
    assert answer.status_code == 401
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert 'role="alert"' in answer.text


def test_a_page_has_its_shell_before_any_script_has_run(signed_in: httpx.Client):
    answer = signed_in.get("/")
    assert answer.status_code == 200
    assert 'lang="en-US"' in answer.text
    assert f"Account: {EMAIL}" in answer.text
    assert "Sandbox: this cluster is a simulation. Nothing runs for real." in answer.text
    assert 'href="/" aria-current="page"' in answer.text
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/nowhere", "/stores/nothing", "/stores/<script>", "/assets/0/nothing.js"])
def test_what_is_not_there_is_said_in_our_own_words(signed_in: httpx.Client, path: str):
    answer = signed_in.get(path)
    assert answer.status_code == 404
    assert re.search(r"<h1>There is no such (page|store)</h1>", answer.text)
    assert re.search(r"If you ask for help, quote <code>[0-9a-f]{8}</code>", answer.text)
    assert "NiceGUI" not in answer.text
    assert "<script>" not in answer.text


def test_what_cannot_be_done_at_an_address_is_a_page_of_ours_too(signed_in: httpx.Client):
    answer = signed_in.delete("/stores/nothing")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert "<h1>This cannot be done here</h1>" in answer.text


def test_what_breaks_has_an_id_that_leads_to_the_log(signed_in: httpx.Client, served: Served):
    with closing(sqlite3.connect(served.folder / "data" / "storefleet.db")) as database:
        database.execute("ALTER TABLE store RENAME TO mislaid")
        try:
            answer = signed_in.get("/")
        finally:
            database.execute("ALTER TABLE mislaid RENAME TO store")
    assert answer.status_code == 500
    assert "<h1>Something went wrong here</h1>" in answer.text
    assert "sqlalchemy" not in answer.text
    quote = re.search(r"quote <code>([0-9a-f]{8})</code>", answer.text)
    assert quote
    assert f"failure {quote[1]}" in served.log.read_text()
    assert signed_in.get("/").status_code == 200


def test_the_list_opens_as_its_address_says(signed_in: httpx.Client):
    senseless = "q=%00&state=nothing&health=x&owner=nobody%40example.com&sort=x&rows=99999999999999999999"
    for query in ("?sort=name&health=degraded&owner=nobody%40example.com&rows=200", f"?{senseless}"):
        assert signed_in.get(f"/{query}").status_code == 200


def test_assets_are_kept_for_ever_under_an_address_that_changes_with_them(visitor: httpx.Client):
    page = visitor.get("/sign-in")
    assets = re.findall(r'"(/assets/[^"]+)"', page.text)
    assert len(assets) == 3
    for asset in assets:
        answer = visitor.get(asset)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)


def test_a_ready_store_that_is_not_well_is_shown_so():
    at = datetime(2026, 1, 2, tzinfo=UTC)
    facts = dict.fromkeys(("id", "owner", "url", "template", "version", "plan"), "")
    nothing = dict.fromkeys(("queue_position", "destroy_at", "eta_seconds", "upgrade", "rollback"))
    reason = ReasonView(code="crash_loop", message="Medusa pod failed to start: CrashLoopBackOff")
    known = {"name": "shop", "state": State.READY, "revision": 1, "created_at": at, "ready_at": at}
    ill = StoreView(**facts, **nothing, **known, health=Health.DEGRADED, reason=reason)
    row = row_of(ill, Happening())
    assert (row.state, row.health, row.note) == ("READY", "degraded", reason.message)
    well = ill.model_copy(update={"health": Health.OK, "reason": None})
    assert (row_of(well, Happening()).health, row_of(well, Happening()).note) == ("ok", "")
