"""The order of the queue: first come first served, fair over owners."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from provisioning.admission import Waiting, order

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def waiting(store_id: str, owner: str, second: int) -> Waiting:
    return Waiting(store_id, owner, NOON + timedelta(seconds=second))


def test_one_owner_is_served_in_the_order_of_asking():
    assert order([waiting("b", "ann", 2), waiting("a", "ann", 1)], []) == ["a", "b"]


def test_ten_of_one_owner_do_not_hold_up_another():
    queue = [waiting(f"ann-{n}", "ann", n) for n in range(10)] + [waiting("ben-0", "ben", 60)]
    assert order(queue, []).index("ben-0") == 1


def test_whose_stores_are_being_worked_on_comes_after_whose_are_not():
    assert order([waiting("a", "ann", 1), waiting("b", "ben", 2)], ["ann", "ann"]) == ["b", "a"]


@given(
    st.lists(st.tuples(st.sampled_from(["ann", "ben", "cara"]), st.integers(0, 100)), max_size=20),
    st.lists(st.sampled_from(["ann", "ben", "cara"]), max_size=5),
)
def test_everybody_is_in_the_order_once(stores, working):
    queue = [waiting(str(number), owner, second) for number, (owner, second) in enumerate(stores)]
    assert sorted(order(queue, working)) == sorted(store.id for store in queue)
