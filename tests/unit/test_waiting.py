"""When a waiting store will be READY: it begins when a place is free, in the order of the queue."""

from app.waiting import Waits, expected


def test_whoever_has_a_place_is_ready_a_typical_time_after_the_beginning():
    assert expected({"a": 90.0}, [], at_once=2, typical=40, at=100) == {"a": 30}


def test_the_next_begins_at_once_where_a_place_is_free_and_else_when_the_first_is_through():
    etas = expected({"a": 90.0, "b": 70.0}, ["c", "d", "e"], at_once=2, typical=40, at=100)
    assert etas == {"a": 30, "b": 10, "c": 50, "d": 70, "e": 90}
    assert expected({"a": 90.0}, ["c"], at_once=2, typical=40, at=100)["c"] == 40


def test_a_store_that_takes_longer_than_usual_is_expected_any_moment():
    assert expected({"a": 0.0}, ["b"], at_once=1, typical=40, at=100) == {"a": 0, "b": 40}


def test_more_at_work_than_there_are_places_now_wait_for_all_of_them():
    etas = expected({"a": 70.0, "b": 100.0}, ["c"], at_once=1, typical=40, at=100)
    assert etas == {"a": 10, "b": 40, "c": 80}


def test_a_place_frees_when_the_first_is_through():
    assert Waits(etas={"a": 30, "b": 10}).place_frees_in() == 10
    assert Waits().place_frees_in() is None
