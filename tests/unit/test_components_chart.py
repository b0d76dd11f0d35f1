"""What a chart is drawn by: the design's tokens, a clock's numbers, our own server's scripts."""

import json
import re

import pytest

from components.chart import INTERVALS, Plot, Series, options

TIMES = ["2026-11-25T12:00:00+00:00", "2026-11-25T13:00:00+00:00", "2026-11-25T14:00:00+00:00"]


def plot(*values: float | None, unit: str = "seconds", drawn: str = "line") -> Plot:
    return Plot(TIMES, 3600, [Series("Median", values, "brand", drawn)], unit)


def test_every_colour_is_a_token_and_nothing_comes_from_elsewhere():
    for drawn in ("line", "dashes", "bars"):
        told = json.dumps(options(plot(1, None, 3, drawn=drawn)))
        assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|http", told)
        assert {"var(--brand)", "var(--line)", "var(--ink-3)"} <= set(re.findall(r"var\(--[\w-]+\)", told))


@pytest.mark.parametrize(
    ("most", "interval", "top"), [(3, 1, 3), (9, 2, 10), (47, 10, 50), (61, 15, 75), (100, 30, 120), (601, 300, 900)]
)
def test_the_grid_of_times_has_a_clocks_numbers(most: float, interval: int, top: int):
    axis = options(plot(1, most, None))["yAxis"]
    assert (axis["interval"], axis["max"]) == (interval, top)
    assert interval in INTERVALS


def test_times_that_no_clock_has_are_left_to_the_library():
    assert "interval" not in options(plot(10**6))["yAxis"]


@pytest.mark.parametrize(("values", "empty"), [((), True), ((None, 0, None), True), ((None, 1, None), False)])
def test_nothing_measured_is_empty(values: tuple, empty: bool):
    assert plot(*values).is_empty is empty
    assert options(plot(*values))["series"][0]["data"] == list(values)


def test_counts_have_whole_numbers():
    assert options(plot(1, 2, unit="count", drawn="bars"))["yAxis"]["minInterval"] == 1
