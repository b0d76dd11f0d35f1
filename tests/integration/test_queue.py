"""The queue under load: a few at work, fair over owners, and everybody who watches is told when their place moves."""

from pathlib import Path

from sqlmodel import col, select

from provisioning.models import Store, Transition
from provisioning.states import State
from tests.integration.fleet import Fleet, fleet_on, sandbox_in


async def begun(fleet: Fleet) -> list[str]:
    """The names of the stores in the order in which they were taken up."""
    async with fleet.database.session() as session:
        query = (
            select(Store.name)
            .join(Transition, col(Transition.store_id) == col(Store.id))
            .where(col(Transition.after) == State.PROVISIONING)
            .order_by(col(Transition.id))
        )
        return list(await session.exec(query))


async def test_ten_of_one_owner_do_not_hold_up_another_and_never_more_are_at_work_than_allowed(tmp_path: Path):
    async with sandbox_in(speed=20) as sandbox, fleet_on(sandbox, tmp_path, slots=3) as fleet:
        at_work: list[int] = []
        fleet.changes.subscribe(lambda change: at_work.append(fleet.engine.status().working))
        for number in range(10):
            await fleet.ask(f"ann-{number}", owner="ann")
        await fleet.ask("ben-0", owner="ben")
        begun_before = len(
            await begun(fleet)
        )  # three, or more where the first were READY before the last was asked for
        for name in ("ben-0", *(f"ann-{number}" for number in range(10))):
            assert (await fleet.settled(name, within=120)).state is State.READY
        order = await begun(fleet)
        ben = order.index("ben-0")
        assert ben <= begun_before + 1, order  # one of Ann's may come first, where none of hers is at work any more
        assert [name for name in order if name != "ben-0"] == [f"ann-{number}" for number in range(10)]
        assert max(at_work) == 3
        async with fleet.database.session() as session:
            last = (await session.exec(select(Store.id).where(col(Store.name) == "ann-9"))).one()
        told = [change for change in fleet.seen if change.store_id == last and change.event_id is None]
        assert len(told) > 4, "its place moved before it was taken up"
