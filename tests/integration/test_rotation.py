"""New secrets for a shop that runs: on the sandbox, whose database refuses what is not so, and what PostgreSQL itself
makes of the statements."""

import asyncio
import base64
import contextlib
import subprocess
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from sqlalchemy.engine import make_url
from sqlmodel import col, select, update

from provisioning import renewal, rotation, wishes
from provisioning.models import AuditEntry, Store, StoreSecret
from provisioning.rotation import Part
from provisioning.sandbox.faults import ApiFault, CrashFault
from provisioning.secrets import Sealer, generate, new_key
from provisioning.states import State
from tests import postgres
from tests.integration.fleet import Fleet, fleet_on, sandbox_in

SPACE = "store-shop"


async def ask(fleet: Fleet, *parts: Part) -> None:
    async with fleet.database.session() as session:
        store = (await session.exec(select(Store))).one()
        wished = frozenset(parts or Part)
        await wishes.request_rotation(
            fleet.database, session, store, "ann@example.com", parts=wished, sealer=fleet.sealer
        )
        await session.commit()
    fleet.engine.poke("shop")


async def row(fleet: Fleet) -> StoreSecret:
    async with fleet.database.session() as session:
        return (await session.exec(select(StoreSecret))).one()


async def rotated(fleet: Fleet, generation: int, within: float = 30) -> dict[str, str]:
    """The values in force, once all is done."""
    async with asyncio.timeout(within):
        while (found := await row(fleet)).generation != generation or found.next or found.former_login is not None:
            await asyncio.sleep(0.05)
    return fleet.sealer.unseal(found.sealed)


async def secret(fleet: Fleet) -> dict[str, str]:
    there = await fleet.cluster.get("Secret", "store-secrets", SPACE)
    assert there is not None
    return {key: base64.b64decode(value).decode() for key, value in there["data"].items()}


async def pods(fleet: Fleet) -> list[str]:
    found, _ = await fleet.cluster.list_all("Pod", SPACE, "app.kubernetes.io/name=medusa")
    return [pod["metadata"]["name"] for pod in found]


@pytest.fixture
async def shop(fleet: Fleet) -> Fleet:
    await fleet.ask("shop")
    assert (await fleet.settled("shop")).state is State.READY
    return fleet


async def test_the_shop_serves_while_its_secrets_change(shop, sandbox):
    before, old_pods, answers = await secret(shop), await pods(shop), []

    async def customer() -> None:
        async with httpx.AsyncClient(base_url=sandbox.ingress_url, headers={"Host": "shop.localhost"}) as client:
            while True:
                answers.append((await client.get("/ready")).status_code)
                await asyncio.sleep(0.01)

    shopping = asyncio.create_task(customer())
    await ask(shop)
    values = await rotated(shop, 2)
    shopping.cancel()
    assert set(answers) == {200}
    assert await secret(shop) == values
    assert {key for key in values if values[key] == before[key]} == {"admin-email"}
    assert not set(await pods(shop)) & set(old_pods)
    lines = await shop.lines("shop")
    told = ["New secrets requested by ann@example.com", "New secrets in place: the shop restarts"]
    assert [each for each in lines if "ecrets" in each][-3:] == [*told, "Secrets rotated: the old ones are refused"]
    assert not any("put back" in line for line in lines)
    async with shop.database.session() as session:
        entry = (await session.exec(select(AuditEntry).where(col(AuditEntry.action) == "store.secrets_rotated"))).one()
    assert entry.detail == {"generation": 2}
    assert (await shop.store("shop")).state is State.READY


async def test_new_secrets_that_another_key_sealed_wait_and_say_so(shop):
    new = generate("ann@example.com")

    async def ask_for(sealer: Sealer) -> None:
        async with shop.database.session() as session:
            await session.exec(update(StoreSecret).values(next=sealer.seal(new)))
            await session.commit()
        shop.engine.poke("shop")

    await ask_for(Sealer([new_key()]))
    why = "the store's secrets were sealed with another STOREFLEET_KEY: give that key as well"
    await shop.until_line("shop", f"New secrets wait: {why}")
    assert (await shop.store("shop")).state is State.READY
    await ask_for(shop.sealer)
    assert await rotated(shop, 2) == new


async def test_sessions_can_be_kept(shop):
    before = await secret(shop)
    await ask(shop, Part.DATABASE, Part.ADMIN)
    values = await rotated(shop, 2)
    assert {key for key in values if values[key] == before[key]} == {"admin-email", "jwt-secret", "cookie-secret"}


async def test_one_after_the_other(shop):
    await ask(shop)
    assert (await rotated(shop, 2))["database-user"] == "medusa_2"
    await ask(shop)
    with pytest.raises(wishes.RotationUnderWay):  # the second click
        await ask(shop)
    assert (await rotated(shop, 3))["database-user"] == "medusa_3"
    claim = await shop.cluster.get("PersistentVolumeClaim", "data-postgres-0", SPACE)
    logins = claim["metadata"]["annotations"]["sandbox.storefleet.dev/logins"]
    assert "medusa_2" not in logins
    assert '"medusa": null' in logins


async def test_what_is_in_the_way_is_told_and_then_it_goes_on(shop, sandbox):
    fault = sandbox.faults.add(ApiFault(403, verbs=("get",), kinds=("Pod",)))
    await ask(shop)
    async with asyncio.timeout(30):
        while "New secrets wait: no command can be run in pod postgres-0: HTTP 403" not in await shop.lines("shop"):
            await asyncio.sleep(0.05)
    before = await row(shop)
    assert (before.generation, shop.sealer.unseal(before.sealed)) == (1, await secret(shop))
    sandbox.faults.remove(fault)
    shop.engine.poke("shop")
    await rotated(shop, 2)


@pytest.mark.parametrize(("step", "turn"), [("_tell_database", 0), ("_write", 0), ("_tell_database", 1)])
async def test_cut_off_at_any_point_it_goes_on(tmp_path, monkeypatch, step, turn):
    """The process dies right behind an effect, before it knows of it; another goes on."""
    async with sandbox_in() as sandbox:
        reached, calls, died = asyncio.Event(), [], asyncio.Event()
        original = getattr(renewal.Renewal, step)

        async def dies(self: renewal.Renewal, *arguments: object, **more: object) -> None:
            calls.append(step)
            await original(self, *arguments, **more)
            if len(calls) == turn + 1:
                reached.set()
                await died.wait()

        async with fleet_on(sandbox, tmp_path) as first:
            await first.ask("shop")
            assert (await first.settled("shop")).state is State.READY
            monkeypatch.setattr(renewal.Renewal, step, dies)
            await ask(first)
            async with asyncio.timeout(30):
                await reached.wait()
        monkeypatch.setattr(renewal.Renewal, step, original)
        headers = {"Host": "shop.localhost"}
        async with httpx.AsyncClient(base_url=sandbox.ingress_url, headers=headers) as client:
            assert (await client.get("/ready")).status_code == 200
        async with fleet_on(sandbox, tmp_path) as second:
            values = await rotated(second, 2)
            assert await secret(second) == values
            assert (await second.lines("shop")).count("Secrets rotated: the old ones are refused") == 1


async def test_a_database_that_came_up_anew_learns_the_login(shop):
    """The namespace is deleted by hand behind a rotation: the new volume knows the first login alone."""
    await ask(shop)
    await rotated(shop, 2)
    await shop.cluster.delete("Namespace", SPACE)

    async with asyncio.timeout(30):
        while not any("deleted from outside" in line for line in await shop.lines("shop")):
            await asyncio.sleep(0.05)
        while True:
            found, _ = await shop.cluster.list_all("Deployment", SPACE)
            if found and (found[0].get("status") or {}).get("readyReplicas"):
                break
            await asyncio.sleep(0.05)
    assert (await secret(shop))["database-user"] == "medusa_2"


async def change_password(fleet: Fleet) -> None:
    """In the database alone, by hand; then the shop starts anew, and is refused."""
    statement = rotation.script(rotation.make_login({"database-password": "another"}))
    await fleet.cluster.run(SPACE, rotation.DATABASE_POD, rotation.CONTAINER, rotation.PSQL, statement)
    for pod in await pods(fleet):
        await fleet.cluster.delete("Pod", pod, SPACE)


SET_AGAIN = "PostgreSQL did not know the shop's password: it was set again"


async def test_a_database_that_refuses_the_shop_is_told_its_password_again(shop):
    await change_password(shop)
    async with asyncio.timeout(30):
        while SET_AGAIN not in await shop.lines("shop") or shop.engine.condition(await shop.store("shop")).reason:
            await asyncio.sleep(0.05)
    await change_password(shop)  # somebody's doing, then: it is said, and tried again only after a while
    async with asyncio.timeout(30):
        while not (reason := shop.engine.condition(await shop.store("shop")).reason) or "refuses" not in reason.message:
            await asyncio.sleep(0.05)
    assert (await shop.lines("shop")).count(SET_AGAIN) == 1


async def test_a_store_on_its_way_is_not_shut_out_of_its_database(fleet, sandbox):
    held_up = sandbox.faults.add(CrashFault("medusa", log=("not yet",)))
    await fleet.ask("shop")
    async with asyncio.timeout(30):
        while "PostgreSQL pod ready" not in await fleet.lines("shop") or not await pods(fleet):
            await asyncio.sleep(0.01)
    await change_password(fleet)
    sandbox.faults.remove(held_up)
    assert (await fleet.settled("shop", 30)).state is State.READY
    assert (await fleet.lines("shop")).count(SET_AGAIN) == 1


# What the real PostgreSQL makes of it


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if (commands := postgres.binaries()) is None:
        pytest.skip("needs PostgreSQL's server")
    with postgres.running(commands) as url:
        yield url


def psql(url: str, script: str) -> None:
    done = subprocess.run(
        ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_postgresql_takes_both_logins_until_one_is_closed(server):
    admin = make_url(server).set(drivername="postgresql")
    as_admin = admin.render_as_string(hide_password=False)
    with psycopg.connect(as_admin, autocommit=True) as connection:
        connection.execute("CREATE ROLE medusa SUPERUSER LOGIN PASSWORD 'first'")
        connection.execute("CREATE DATABASE medusa OWNER medusa")
        (hba,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        rules = "('host all storefleet 127.0.0.1/32 trust'), ('host all all 127.0.0.1/32 scram-sha-256')"
        connection.execute(f"COPY (VALUES {rules}) TO '{hba}'")  # as strict as a shop's own
        connection.execute("SELECT pg_reload_conf()")
    shop = admin.set(database="medusa")
    first = shop.set(username="medusa", password="first").render_as_string(hide_password=False)
    with psycopg.connect(first, autocommit=True) as old:
        old.execute("CREATE TABLE provider_identity (provider text, entity_id text, provider_metadata jsonb)")
        old.execute("ALTER TABLE provider_identity ADD updated_at timestamptz")
        old.execute(
            "INSERT INTO provider_identity VALUES ('emailpass', 'o''hara@example.com', '{\"password\": \"x\"}')"
        )
        values = rotation.renewed(generate("o'hara@example.com"), list(Part), 2)
        told = rotation.script(rotation.make_login(values) + rotation.set_admin_password(values))
        for _ in range(2):  # cut off and done again
            psql(shop.render_as_string(hide_password=False), told)
        second = shop.set(username="medusa_2", password=values["database-password"])
        with psycopg.connect(second.render_as_string(hide_password=False), autocommit=True) as new:
            new.execute("CREATE TABLE made_by_the_new (id int)")
            owner = new.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'made_by_the_new'").fetchone()
            assert owner == ("medusa",)
            old.execute("INSERT INTO made_by_the_new VALUES (1)")
            (kept,) = new.execute("SELECT provider_metadata->>'password' FROM provider_identity").fetchone() or ("",)
            assert base64.b64decode(kept).startswith(b"scrypt")
        closing = rotation.script(rotation.close_login("medusa"), rotation.cut_off("medusa"))
        for _ in range(2):
            psql(shop.render_as_string(hide_password=False), closing)
        with pytest.raises(psycopg.OperationalError):
            old.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(first)
    third = rotation.renewed(values, [Part.DATABASE], 3)
    psql(shop.render_as_string(hide_password=False), rotation.script(rotation.make_login(third)))
    closing = rotation.script(rotation.close_login("medusa_2"), rotation.cut_off("medusa_2"))
    for _ in range(2):
        psql(shop.render_as_string(hide_password=False), closing)
    newest = shop.set(username="medusa_3", password=third["database-password"])
    with contextlib.closing(psycopg.connect(newest.render_as_string(hide_password=False))) as connection:
        roles = connection.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^medusa'").fetchall()
    assert sorted(roles) == [("medusa",), ("medusa_3",)]
