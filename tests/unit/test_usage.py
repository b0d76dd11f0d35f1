"""What stores used: rows of figures, kept for an hour as they came and for a day on average."""

import math
from typing import Any

import pytest

from components.usage_charts import options
from provisioning.usage import _WIDTH, AVERAGED, DAY, EVERY, HOUR, History, Ring, _rows

NAMES = {"medusa": "Medusa", "postgres": "PostgreSQL"}
TEXTS = {"names": NAMES, "limit_of": "{part} limit"}


def row(at: float, value: float = 1.0) -> list[float]:
    return [at, *[value] * (_WIDTH - 1)]


def test_a_ring_keeps_what_is_young_enough():
    ring = Ring(10)
    for at in range(100):
        ring.add(row(at))
    assert [each[0] for each in ring] == list(range(89, 100))


def test_a_day_is_averages_and_the_hour_is_as_it_came():
    history, begin = History(), 1_000_000 * AVERAGED
    for number in range(int(2 * DAY / EVERY)):
        at = begin + number * EVERY
        history.add(row(at, value=number % 10))
        history.add(row(at, value=99.0))  # the same moment again
    hour, day = history.hour(), history.day()
    assert len(hour) == HOUR / EVERY + 1
    assert hour[-1].cpu.keys() == {"medusa", "postgres"}
    assert len(day) == pytest.approx(DAY / AVERAGED + 1, abs=1)
    assert {sample.cpu["medusa"] for sample in day[1:-1]} == {4.5}


def test_what_was_not_measured_is_no_zero():
    history = History()
    history.add([1.0, 0.5, 100.0, math.nan, math.nan])
    (sample,) = history.hour()
    assert len(sample.cpu) == len(sample.memory) == 1
    assert history.day() == [sample]


def measured(name: str, part: str, cpu: Any = "100m", namespace: str = "store-shop") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/name": part}}
    usage = [{"name": "c", "usage": {"cpu": cpu, "memory": "1Mi"}}] * 2
    return {"metadata": metadata, "timestamp": "2026-01-02T12:00:00Z", "containers": usage}


def test_the_pods_of_a_part_and_their_containers_count_together():
    pods = [measured("a", "medusa"), measured("b", "medusa"), measured("c", "medusa-test"), measured("d", "postgres")]
    history = History()
    history.add(_rows(pods)["store-shop"])
    (sample,) = history.hour()
    assert sample.cpu == pytest.approx({"medusa": 0.4, "postgres": 0.2})
    assert sample.memory == {"medusa": 4 * 1024**2, "postgres": 2 * 1024**2}


def test_what_is_no_figure_counts_for_nothing():
    assert _rows([measured("a", "medusa", cpu="much"), measured("b", "medusa", cpu=None)]) == {}


def usage(*values: float, limit: float | None = 2.0) -> dict[str, Any]:
    samples = [{"ms": number * 30_000, "cpu": {"medusa": value}, "memory": {}} for number, value in enumerate(values)]
    return {"samples": samples, "limits": {"medusa": {"cpu": limit, "memory": None}}}


def test_a_chart_reaches_up_to_the_limit_which_is_a_line_or_to_what_was_used():
    to_limit = options("cpu", usage(0.1, 0.5), TEXTS, to_limit=True)
    assert to_limit["yAxis"]["max"] > 2
    assert to_limit["series"][0]["markLine"]["data"] == [{"yAxis": 2.0}]
    to_peak = options("cpu", usage(0.1, 0.5), TEXTS, to_limit=False)
    assert 0.5 < to_peak["yAxis"]["max"] < 0.6
    assert to_peak["series"][0]["markLine"]["data"] == []
    assert options("cpu", usage(0.1, limit=None), TEXTS, to_limit=True)["yAxis"]["max"] < 0.2


def test_a_chart_has_gaps_where_nothing_was_measured():
    seen = usage(0.1, 0.2, 0.3)
    seen["samples"][2]["ms"] += 600_000
    (line,) = options("cpu", seen, TEXTS, to_limit=True)["series"]
    assert [value for _, value in line["data"]] == [0.1, 0.2, None, 0.3]


@pytest.mark.parametrize("values", [(), (0.0,), (1e-9,), (5e9, 1.0)])
@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_a_chart_of_any_figures_has_few_round_steps(values: tuple[float, ...], resource: str):
    seen = usage(*values, limit=None)
    seen["samples"] = [{**each, "memory": each["cpu"]} for each in seen["samples"]]
    axis = options(resource, seen, TEXTS, to_limit=True)["yAxis"]
    assert axis["max"] > 0
    assert axis["interval"] > 0
    assert axis["max"] / axis["interval"] <= 6
