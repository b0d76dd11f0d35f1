"""The platform's figures: known attempts make known numbers, on both databases, and outlive the stores."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlmodel import col, delete, select

import app.migrations
from app.actor import Actor
from app.migrations import migrate
from app.problems import Problem
from app.services import Services
from app.statistics import STEPS, Span, count
from provisioning.audit import Who, append
from provisioning.models import Attempt, Outcome, Store, now
from provisioning.states import State
from tests.integration.conftest import BOTH_DATABASES, token_of

NOON = datetime(2026, 11, 25, 12, 20, tzinfo=UTC)


def attempt(*, ago: timedelta, seconds: float = 10, code: str = "", again: bool = False) -> Attempt:
    """One that ended so long before noon."""
    ended = NOON - ago
    began = ended - timedelta(seconds=seconds)
    return Attempt(store_id="x", began_at=began, ended_at=ended, seconds=seconds, again=again, code=code)


async def add(parts: Services, *attempts: Attempt) -> None:
    async with parts.database.session() as session:
        session.add_all(attempts)
        await session.commit()


async def figures(parts: Services, span: Span):
    async with parts.database.session() as session:
        return await count(session, span, NOON)


@BOTH_DATABASES
async def test_percentiles_are_the_nearest_rank_overall_and_step_by_step(parts: Services):
    # 1 s to 100 s, one of each, spread over three hours
    await add(parts, *(attempt(ago=timedelta(hours=second % 3), seconds=second) for second in range(1, 101)))
    await add(
        parts,
        attempt(ago=timedelta(hours=30), seconds=9999),  # too long ago for a day
        attempt(ago=timedelta(0), seconds=9999, again=True),  # no first time
        attempt(ago=timedelta(0), seconds=9999, code="image_missing"),  # it did not become READY
    )
    found = await figures(parts, Span.DAY)
    assert found.provisioning.model_dump() == {"count": 100, "p50": 50, "p95": 95, "p99": 99}
    assert (found.ready, found.failed, found.failure_rate) == (101, 1, pytest.approx(1 / 102))
    last, before = found.steps[-1], found.steps[-2]
    assert (last.ready, last.failed) == (34, 1)  # 3, 6, … 99, and the one again
    assert (last.p50, last.p95) == (51, 96)  # of 33: the 17th and the 32nd
    assert (before.ready, before.p50) == (34, 49)  # of 1, 4, … 100: the 17th
    assert found.steps[0].p50 is None


@BOTH_DATABASES
async def test_few_have_percentiles_too(parts: Services):
    await add(parts, attempt(ago=timedelta(0), seconds=7))
    assert (await figures(parts, Span.HOUR)).provisioning.model_dump() == {"count": 1, "p50": 7, "p95": 7, "p99": 7}


@BOTH_DATABASES
async def test_failures_are_told_by_cause_the_most_frequent_first(parts: Services):
    for code, number in (("unschedulable", 2), ("image_missing", 5), ("", 3)):
        await add(parts, *(attempt(ago=timedelta(minutes=number), code=code) for _ in range(number)))
    found = await figures(parts, Span.HOUR)
    assert [(each.code, each.count) for each in found.failures] == [("image_missing", 5), ("unschedulable", 2)]
    assert found.failure_rate == 0.7


@BOTH_DATABASES
async def test_requests_and_deletions_are_the_audit_trails(parts: Services):
    async with parts.database.session() as session:
        who = Who("ann@example.com")
        for action, outcome in (
            ("store.create", Outcome.OK),
            ("store.create", Outcome.OK),
            ("store.create", Outcome.REFUSED),
            ("store.deleted", Outcome.OK),
            ("sign_in", Outcome.OK),
        ):
            await append(session, who, action, outcome=outcome)
        await session.commit()
        found = await count(session, Span.HOUR, now())
    assert (found.requested, found.deleted) == (2, 1)
    assert sum(step.requested for step in found.steps) == 2


@BOTH_DATABASES
@pytest.mark.parametrize("span", list(Span))
async def test_steps_lie_side_by_side_and_nothing_is_counted_twice_or_lost(parts: Services, span: Span):
    steps = STEPS[span]
    empty = await figures(parts, span)
    assert empty.failure_rate is None
    assert empty.ready_an_hour == 0
    assert [step.at for step in empty.steps] == [empty.since + number * steps.width for number in range(steps.count)]
    assert empty.steps[-1].at <= NOON < empty.steps[-1].at + steps.width
    # One at the very begin of each, one just before the next, and one that is too old.
    ends = [min(step.at + steps.width - timedelta(milliseconds=1), NOON) for step in empty.steps]
    times = [empty.since - timedelta(milliseconds=1), *(step.at for step in empty.steps), *ends]
    await add(parts, *(attempt(ago=NOON - time) for time in times))
    found = await figures(parts, span)
    assert [step.ready for step in found.steps] == [2] * steps.count
    assert found.ready == 2 * steps.count
    assert found.ready_an_hour == pytest.approx(found.ready / ((NOON - found.since).total_seconds() / 3600))


@BOTH_DATABASES
async def test_what_the_engine_writes_is_counted_also_when_the_store_is_gone(parts: Services, anna: Actor):
    for name in ("good", "bad", "slow"):
        await parts.stores.create(anna, name)
    async with parts.database.session() as session:
        stores = {store.name: store for store in (await session.exec(select(Store))).all()}
        for store in stores.values():
            await parts.database.transition(session, store, State.PROVISIONING, "a place is free")
        reason = {"code": "image_missing", "message": "no image"}
        await parts.database.transition(session, stores["good"], State.READY, "it answered", ready_at=now())
        await parts.database.transition(session, stores["bad"], State.FAILED, "no image", reason=reason)
        await parts.database.transition(session, stores["slow"], State.DELETING, "enough")
        await parts.database.transition(session, stores["good"], State.REQUESTED, "an upgrade")
        await parts.database.transition(session, stores["good"], State.PROVISIONING, "a place is free")
        await parts.database.transition(session, stores["good"], State.READY, "it answered")
        await session.commit()
        await session.exec(delete(Store).where(col(Store.name) != "good"))
        await session.commit()
        found = await count(session, Span.HOUR, now())
        rows = (await session.exec(select(Attempt).order_by(col(Attempt.id)))).all()
    assert [(each.code, each.again) for each in rows] == [("", False), ("image_missing", False), ("", True)]
    assert all(0 <= each.seconds == (each.ended_at - each.began_at).total_seconds() < 60 for each in rows)
    assert (found.ready, found.failed, found.requested, found.active, found.stores) == (2, 1, 3, 1, 1)
    assert found.provisioning.count == 1


async def test_only_administrators_see_them(parts: Services, client: httpx.AsyncClient, anna: Actor, admin: Actor):
    with pytest.raises(Problem, match="administrators"):
        await parts.statistics.over(anna, Span.DAY)
    assert (await client.get("/api/v1/platform/statistics")).status_code == 403
    assert (await client.get("/api/v1/platform/settings")).status_code == 403
    client.headers["Authorization"] = f"Bearer {await token_of(parts, admin)}"
    answer = (await client.get("/api/v1/platform/statistics", params={"range": "7d"})).json()
    assert (answer["span"], len(answer["steps"]), answer["failures"]) == ("7d", 28, [])
    assert (await client.get("/api/v1/platform/statistics", params={"range": "9y"})).status_code == 422


async def test_an_answer_is_given_again_for_a_while_only(parts: Services, admin: Actor, monkeypatch):
    monkeypatch.setattr("app.statistics.KEPT", 3600)
    monkeypatch.setattr("app.statistics.KEPT_AT_MOST", 3600)
    assert (await parts.statistics.over(admin, Span.MONTH)).ready == 0
    async with parts.database.session() as session:
        session.add(Attempt(store_id="x", began_at=now(), ended_at=now(), seconds=1, again=False, code=""))
        await session.commit()
    assert (await parts.statistics.over(admin, Span.MONTH)).ready == 0
    monkeypatch.setattr("app.statistics.KEPT_AT_MOST", 0)
    assert (await parts.statistics.over(admin, Span.WEEK)).ready == 1  # one span's answer is not another's
    assert (await parts.statistics.over(admin, Span.WEEK)).until < (await parts.statistics.over(admin, Span.WEEK)).until


def back_to(connection: Connection, revision: str) -> None:
    """The database as it was before the migrations behind that one."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(app.migrations.__file__).parent))
    command.downgrade(config, revision)


@BOTH_DATABASES
async def test_attempts_of_before_are_taken_over_from_the_changes_of_state(parts: Services, anna: Actor):
    await parts.stores.create(anna, "shop")
    async with parts.database.session() as session:
        store = (await session.exec(select(Store))).one()
        for after in (State.PROVISIONING, State.FAILED, State.REQUESTED, State.PROVISIONING, State.READY):
            await parts.database.transition(session, store, after, "so")
        await session.commit()
        written = (await session.exec(select(Attempt).order_by(col(Attempt.id)))).all()
    async with parts.database.engine.begin() as connection:
        await connection.run_sync(back_to, "0007")
    await migrate(parts.database)
    async with parts.database.session() as session:
        found = (await session.exec(select(Attempt).order_by(col(Attempt.id)))).all()
    assert [(each.ended_at, each.seconds, each.again) for each in found] == [
        (each.ended_at, pytest.approx(each.seconds), each.again) for each in written
    ]
    assert [each.code for each in found] == ["unknown", ""]
