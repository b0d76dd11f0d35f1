"""The audit trail: what is written into it, and that nothing can be changed or taken out unseen."""

import asyncio
import json
import logging
import re
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import col, select

from app.actor import COMMAND_LINE, Actor
from app.services import Services
from provisioning import audit
from provisioning.audit import Who, verify
from provisioning.database import Database
from provisioning.models import AuditEntry, now
from tests.integration.conftest import BOTH_DATABASES, token_of
from tests.served import ROOT, Served, command, environment

AUDIT = "/api/v1/audit"


async def trail(parts: Services) -> list[AuditEntry]:
    async with parts.database.session() as session:
        return [entry async for entry in audit.entries(session)]


async def told(parts: Services) -> list[tuple[str, str, str, str]]:
    return [(each.actor, each.action, each.store_name, each.outcome) for each in await trail(parts)]


async def fill(database: Database, count: int, name: str = "somebody") -> None:
    for number in range(count):
        async with database.session() as session:
            await audit.append(session, Who(name), "test", detail={"number": number, "share": 0.1})
            await session.commit()


async def verdict(parts: Services, head: str = "") -> audit.Verdict:
    async with parts.database.session() as session:
        return await verify(session, head)


async def run(parts: Services, statement: str, **values: Any) -> None:
    """What somebody does who can write into the database."""
    async with parts.database.engine.begin() as connection:
        await connection.execute(text(statement), values)


# What is written


@BOTH_DATABASES
async def test_what_people_do_with_stores_is_written_with_who_and_from_where(
    parts: Services, client: httpx.AsyncClient, anna: Actor, boris: Actor
) -> None:
    before = len(await trail(parts))
    await client.post("/api/v1/stores", json={"name": "shop", "options": {"title": "Mine"}})
    await parts.stores.credentials(anna, "shop")
    await client.delete("/api/v1/stores/shop")
    await client.delete("/api/v1/stores/shop")  # again: nothing is done
    entries = (await trail(parts))[before:]
    assert [each.action for each in entries] == ["store.create", "store.reveal", "store.delete"]
    created = entries[0]
    store = await parts.stores.get(anna, "shop")
    assert (created.actor, created.actor_id, created.address) == (anna.email, anna.user_id, "127.0.0.1")
    assert (created.store_name, created.store_id, created.outcome) == ("shop", store.id, "ok")
    assert created.detail == {"template": "medusa", "plan": "small", "options": {"title": "Mine"}}
    made = next(each for each in await trail(parts) if each.action == "token.create")
    assert created.token_id == made.detail["token_id"] != ""
    assert entries[1].token_id == ""
    assert (await verdict(parts)).broken == ""


@BOTH_DATABASES
async def test_refusals_are_written_and_do_not_tell_what_is_there(
    parts: Services, client: httpx.AsyncClient, anna: Actor, boris: Actor
) -> None:
    await parts.stores.create(boris, "theirs")
    before = len(await trail(parts))
    for name in ("theirs", "nobodys"):
        assert (await client.delete(f"/api/v1/stores/{name}")).status_code == 404
    assert (await client.post("/api/v1/stores/theirs/retry")).status_code == 404
    assert (await client.post("/api/v1/stores", json={"name": "theirs"})).status_code == 409
    assert (await client.post("/api/v1/stores", json={"name": "No Name"})).status_code == 422
    with pytest.raises(Exception, match="no store"):
        await parts.stores.credentials(anna, "theirs")
    entries = (await trail(parts))[before:]
    assert [(each.action, each.store_name) for each in entries] == [
        ("store.delete", "theirs"),
        ("store.delete", "nobodys"),
        ("store.retry", "theirs"),
        ("store.create", "theirs"),
        ("store.reveal", "theirs"),
    ]
    assert {each.outcome for each in entries} == {"refused"}
    assert {each.store_id for each in entries} == {""}
    assert entries[0].error == entries[1].error == "There is no store of that name among yours."


@BOTH_DATABASES
async def test_people_and_tokens(parts: Services, anna: Actor) -> None:
    dora = await parts.users.create(COMMAND_LINE, "dora@example.com", "correct horse battery")
    for email, password in ((dora.email, "wrong wrong"), ("my own password", "x"), ("nobody@example.com", "x")):
        assert await parts.users.authenticate(email, password, address="10.0.0.9") is None
    proof = await parts.sessions.open(dora, address="10.0.0.9", agent="")
    await parts.sessions.close(proof, address="10.0.0.9")
    await parts.sessions.close(proof, address="10.0.0.9")  # has ended already
    token = (await parts.tokens.create(COMMAND_LINE, dora, "ci")).token
    for refused in (parts.users.create(anna, "eve@example.com", "long enough"), parts.tokens.create(anna, dora, "x")):
        with pytest.raises(Exception, match="Only an administrator"):
            await refused
    with pytest.raises(Exception, match="not valid any more"):
        await parts.users.set_up("guess", "eve@example.com", "long enough", address="10.0.0.9")
    assert await told(parts) == [
        ("the command line", "user.create", "", "ok"),
        (dora.email, "sign_in.failed", "", "refused"),
        ("", "sign_in.failed", "", "refused"),
        ("nobody@example.com", "sign_in.failed", "", "refused"),
        (dora.email, "sign_in", "", "ok"),
        (dora.email, "sign_out", "", "ok"),
        ("the command line", "token.create", "", "ok"),
        (anna.email, "user.create", "", "refused"),
        (anna.email, "token.create", "", "refused"),
        ("a setup link", "user.create", "", "refused"),
    ]
    entries = await trail(parts)
    assert entries[1].actor_id == dora.id
    assert {each.address for each in entries} == {"", "10.0.0.9"}
    whole = "".join(audit.json_line(each) for each in entries)
    for secret in ("correct horse battery", "my own password", "wrong wrong", token, proof, "guess"):
        assert secret not in whole


async def test_what_is_undone_leaves_no_entry(parts: Services) -> None:
    async with parts.database.session() as session:
        await audit.append(session, Who("somebody"), "test")
        await session.rollback()
    assert await trail(parts) == []


@BOTH_DATABASES
async def test_texts_of_strangers_are_bounded_and_storable(parts: Services) -> None:
    async with parts.database.session() as session:
        who = Who("a\0b\ud800\n" * 1000, address="x" * 1000)
        detail = {"text": "\0\ud800", "long": "x" * 200_000}
        await audit.append(session, who, "test", store_name="s\0", error="e\0", detail=detail)
        await audit.append(session, who, "test", detail={"text": "\0\ud800\u2028"})
        await session.commit()
    first, second = await trail(parts)
    assert len(first.actor) == len(first.address) == audit.LONGEST_TEXT
    assert first.actor.startswith("a b  a")
    assert list(first.detail) == ["left_out"]
    assert second.detail == {"text": "\0\ud800\u2028"}
    assert (await verdict(parts)).broken == ""


# The chain


@BOTH_DATABASES
async def test_an_untouched_chain_is_in_order_and_its_heads_are_found(parts: Services) -> None:
    assert (await verdict(parts)) == audit.Verdict(0, audit.BEFORE_THE_FIRST)
    await fill(parts.database, audit.AT_ONCE + 3)
    entries = await trail(parts)
    found = await verdict(parts)
    assert found == audit.Verdict(len(entries), entries[-1].hash)
    for entry in (entries[0], entries[-1]):
        assert (await verdict(parts, entry.hash)).found
    assert not (await verdict(parts, "0" * 63 + "1")).found


CHANGES = {
    "at": "2020-01-01 00:00:00.000000",
    "actor_id": "x",
    "actor": "x",
    "token_id": "x",
    "address": "x",
    "action": "x",
    "store_id": "x",
    "store_name": "x",
    "outcome": "x",
    "error": "x",
    "detail": '{"number": 2}',
    "hash": "0" * 64,
}


def test_every_column_is_tampered_with() -> None:
    assert {*CHANGES, "id"} == set(AuditEntry.__table__.columns.keys())


@BOTH_DATABASES
@pytest.mark.parametrize("column", CHANGES)
async def test_a_changed_value_is_found(parts: Services, column: str) -> None:
    await fill(parts.database, 4)
    cast = {"at": "timestamptz", "detail": "json"}.get(column) if not parts.database.is_sqlite else None
    value = f"CAST(:value AS {cast})" if cast else ":value"
    await run(parts, f"UPDATE audit SET {column} = {value} WHERE id = 2", value=CHANGES[column])  # noqa: S608
    found = await verdict(parts)
    assert found.count == 1
    assert found.broken.startswith("Entry 2 was changed")


@BOTH_DATABASES
@pytest.mark.parametrize("gone", [1, 2, 3])
async def test_a_row_that_was_taken_out_is_found(parts: Services, gone: int) -> None:
    await fill(parts.database, 4)
    await run(parts, "DELETE FROM audit WHERE id = :id", id=gone)
    assert (await verdict(parts)).broken == f"Entry {gone} is missing."
    await run(parts, "UPDATE audit SET id = id - 1 WHERE id = :id", id=gone + 1)  # closing the gap helps nobody
    assert (await verdict(parts)).broken.startswith(f"Entry {gone} was changed")


@BOTH_DATABASES
async def test_a_row_that_was_made_anew_with_its_hash_is_found_at_the_next(parts: Services) -> None:
    await fill(parts.database, 4)
    entries = await trail(parts)
    entries[1].actor = "nobody"
    forged = audit.digest(entries[1], entries[0].hash)
    await run(parts, "UPDATE audit SET actor = 'nobody', hash = :hash WHERE id = 2", hash=forged)
    assert (await verdict(parts)).broken.startswith("Entry 3 was changed, or the one before")


@BOTH_DATABASES
async def test_a_tail_that_was_cut_off_shows_against_a_head_that_was_noted(parts: Services) -> None:
    await fill(parts.database, 5)
    noted = (await verdict(parts)).head
    await run(parts, "DELETE FROM audit WHERE id > 3")
    assert (await verdict(parts, noted)) == audit.Verdict(3, (await verdict(parts)).head, found=False)
    await fill(parts.database, 2, "somebody else")  # nor is it hidden by new entries
    assert not (await verdict(parts, noted)).found
    assert (await verdict(parts)).broken == ""


async def test_a_value_that_cannot_even_be_read_is_named(parts: Services) -> None:
    await fill(parts.database, 4)
    await run(parts, "UPDATE audit SET detail = '{' WHERE id = 3")
    found = await verdict(parts)
    assert (found.count, found.broken) == (2, "Entry 3 cannot be read: it was changed.")


WRITER = """
import asyncio, sys
from provisioning.audit import Who, append
from provisioning.database import Database

async def main(url, name):
    database = Database(url)
    for number in range(40):
        async with database.session() as session:
            await append(session, Who(name), "test", detail={"number": number})
            await session.commit()
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


def _writing(url: str, name: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", WRITER, url, name], env=environment(), cwd=ROOT)


@BOTH_DATABASES
async def test_many_writers_in_several_processes_make_one_chain(parts: Services) -> None:
    url = parts.database.url.render_as_string(hide_password=False)
    processes = [_writing(url, name) for name in ("one", "two")]
    await asyncio.gather(*(fill(parts.database, 10, f"task {number}") for number in range(4)))
    assert [await asyncio.to_thread(process.wait, 60) for process in processes] == [0, 0]
    found = await verdict(parts)
    assert (found.count, found.broken) == (120, "")
    by = [each.actor for each in await trail(parts)]
    assert [by.count(name) for name in ("one", "two", "task 0", "task 3")] == [40, 40, 10, 10]


async def test_the_head_goes_into_the_log(parts: Services, caplog: pytest.LogCaptureFixture) -> None:
    await fill(parts.database, 2)
    with caplog.at_level(logging.INFO):
        await parts.audit.log_head()
    assert f"audit trail: 2 entries, head {(await verdict(parts)).head}" in caplog.text


# Reading it


@BOTH_DATABASES
async def test_administrators_read_it_page_by_page_and_filtered(
    parts: Services, client: httpx.AsyncClient, anna: Actor, admin: Actor
) -> None:
    assert (await client.get(AUDIT)).status_code == 403
    await parts.stores.create(anna, "one")
    await parts.stores.create(anna, "two")
    await parts.stores.delete(admin, "two")
    client.headers["Authorization"] = f"Bearer {await token_of(parts, admin)}"
    first = (await client.get(AUDIT, params={"limit": 2})).json()
    assert [each["action"] for each in first["items"]] == ["token.create", "store.delete"]
    second = (await client.get(AUDIT, params={"limit": 200, "cursor": first["next"]})).json()
    assert second["next"] is None
    ids = [each["id"] for each in first["items"] + second["items"]]
    assert ids == list(range(len(ids), 0, -1))

    async def actions(**query: str) -> list[str]:
        return [each["action"] for each in (await client.get(AUDIT, params=query)).json()["items"]]

    assert await actions(store="two") == ["store.delete", "store.create"]
    assert await actions(store="two", user="Anna@Example.com") == ["store.create"]
    assert await actions(action="store.create", store="one") == ["store.create"]
    assert await actions(since=(now() + timedelta(hours=1)).isoformat()) == []
    assert len(await actions(since=(now() - timedelta(hours=1)).isoformat())) == len(ids)
    assert await actions(store="\0x") == []
    for query in ({"cursor": "x"}, {"since": "yesterday"}, {"since": "2026-01-01T00:00:00"}, {"limit": "0"}):
        assert (await client.get(AUDIT, params=query)).status_code == 422, query


def test_the_command_line_verifies_and_exports(served: Served) -> None:
    token = served.token()
    verified = command("audit", "verify", **served.settings)
    assert verified.returncode == 0, verified.stderr
    assert "all in order. Head: " in verified.stdout
    head = verified.stdout.split()[-1]
    assert "The given head is in the chain." in command("audit", "verify", "--head", head, **served.settings).stdout
    cut = command("audit", "verify", "--head", "f" * 64, **served.settings)
    assert cut.returncode == 1
    assert "not in the chain" in cut.stderr

    exported = command("audit", "export", **served.settings)
    entries = [json.loads(line) for line in exported.stdout.splitlines()]
    assert [each["action"] for each in entries][:2] == ["user.create", "token.create"]
    assert entries[1]["detail"]["user"] == "admin@example.com"
    assert token not in exported.stdout
    table = command("audit", "export", "--format", "csv", "--since", "2026-01-01", **served.settings).stdout
    assert len(table.splitlines()) == len(entries) + 1
    assert command("audit", "export", "--store", "nothing", **served.settings).stdout == ""


def test_a_served_process_notes_the_head_in_its_log(served: Served) -> None:
    end = time.monotonic() + 60
    while not (noted := re.findall(r"audit trail: \d+ entries, head ([0-9a-f]{64})", served.log.read_text())):
        assert time.monotonic() < end, served.log.read_text()[-2000:]
        time.sleep(0.1)
    checked = command("audit", "verify", "--head", noted[0], **served.settings)
    assert "The given head is in the chain." in checked.stdout


def test_an_address_is_the_peers_whatever_a_header_says(served: Served) -> None:
    with served.client() as client:
        forged = {"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6"}
        client.post("/sign-in", data={"email": "admin@example.com", "password": "wrong"}, headers=forged)
    last = json.loads(command("audit", "export", **served.settings).stdout.splitlines()[-1])
    assert (last["action"], last["address"]) == ("sign_in.failed", "127.0.0.1")


async def test_rows_outlive_the_store(parts: Services, anna: Actor) -> None:
    store = await parts.stores.create(anna, "shop")
    await run(parts, "DELETE FROM store")
    async with parts.database.session() as session:
        rows = (await session.exec(select(AuditEntry).where(col(AuditEntry.store_id) == store.id))).all()
    assert [each.action for each in rows] == ["store.create"]
