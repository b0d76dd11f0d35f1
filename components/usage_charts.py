"""What a store uses of CPU and memory over time, against its limits.  `options` is pure; `UsageCharts` shows it.

The lines are SVG in the colours of our design tokens, so that they follow the theme without being drawn anew; numbers
and times are written by the browser, in the person's own language.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from nicegui import ui
from nicegui.element import Element

COLOURS = {"medusa": "var(--brand)", "postgres": "var(--busy)"}
UNITS = {"cpu": "Storefleet.cores", "memory": "Storefleet.size"}  # how the browser writes them
RESOURCES = tuple(UNITS)
GAP = 120.0  # seconds (of an hour) without a figure: the line is interrupted
SHORTEST = 300_000  # ms that a chart spans at least
_FONT = {"fontFamily": "inherit", "fontSize": 11.5, "color": "var(--ink-3)"}


def options(resource: str, usage: Mapping[str, Any], texts: Mapping[str, Any], *, to_limit: bool) -> dict[str, Any]:
    """The chart of `resource` ("cpu" in cores, "memory" in bytes) as ECharts takes it.

    `usage`: as `UsageCharts` has it.  `to_limit`: the axis reaches up to the limits, which are lines; else up to what
    was used, and limits that are higher are not drawn.
    """
    samples, limits = usage["samples"], usage["limits"]
    peak = max((sample[resource].get(part, 0.0) for sample in samples for part in COLOURS), default=0.0)
    most = max([peak, *((limits.get(part) or {}).get(resource) or 0.0 for part in COLOURS)] if to_limit else [peak])
    series = []
    for part, colour in COLOURS.items():
        limit = (limits.get(part) or {}).get(resource)
        points = _points(samples, resource, part)
        if not points:
            continue
        line = _limit_line(part, limit or 0.0, resource, texts, colour)
        series.append(
            {
                "type": "line",
                "name": texts["names"][part],
                "data": points,
                "showSymbol": len([each for each in points if each[1] is not None]) == 1,
                "symbolSize": 5,
                "lineStyle": {"width": 1.8, "color": colour, "type": "solid" if part == "medusa" else [6, 2]},
                "itemStyle": {"color": colour},
                "emphasis": {"disabled": True},
                "markLine": line if limit and (to_limit or limit <= most) else {"data": []},
            }
        )
    return {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 16, "bottom": 4, "containLabel": True},
        "xAxis": {
            "type": "time",
            "minInterval": 60_000,
            **({"min": min(samples[0]["ms"], samples[-1]["ms"] - SHORTEST)} if samples else {}),
            "axisLine": {"lineStyle": {"color": "var(--line-strong)"}},
            "axisTick": {"show": False},
            "splitLine": {"show": False},
            "axisLabel": {**_FONT, "hideOverlap": True, ":formatter": "(at) => Storefleet.clock(at).slice(0, 5)"},
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "max": most * 1.08 or 1,
            "interval": _interval(resource, most),
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
            "axisLabel": {**_FONT, "showMaxLabel": False, ":formatter": f"(value) => {UNITS[resource]}(value)"},
        },
        "tooltip": {
            "trigger": "axis",
            "className": "chart-tip",
            "confine": True,
            "axisPointer": {"lineStyle": {"color": "var(--line-strong)"}, "label": {"show": False}},
            ":formatter": f"(points) => Storefleet.chartTip(points, {UNITS[resource]})",
        },
        "series": series,
    }


def _interval(resource: str, most: float) -> float:
    """Round steps for an axis up to `most`, three or four of them: of bytes, in powers of two."""
    if most <= 0:
        return 1.0
    if resource == "memory":
        return 2.0 ** math.ceil(math.log2(most / 4))
    ten = 10.0 ** math.floor(math.log10(most / 3))
    return next(step * ten for step in (1, 2, 5, 10) if most / (step * ten) <= 4)


def _points(samples: Sequence[Mapping[str, Any]], resource: str, part: str) -> list[list[Any]]:
    """(time in ms, value) pairs; None where nothing was measured for a while."""
    points: list[list[Any]] = []
    found = [(sample["ms"], sample[resource][part]) for sample in samples if part in sample[resource]]
    usual = min((later - at for (at, _), (later, _) in pairwise(found)), default=0)
    for at, value in found:
        if points and at - points[-1][0] > max(GAP * 1000, 3 * usual):
            points.append([points[-1][0] + 1, None])
        points.append([at, value])
    return points


def _limit_line(part: str, limit: float, resource: str, texts: Mapping[str, Any], colour: str) -> dict[str, Any]:
    said = texts["limit_of"].replace("{part}", texts["names"][part])
    return {
        "silent": True,
        "symbol": "none",
        "animation": False,
        "data": [{"yAxis": limit}],
        "lineStyle": {"color": colour, "type": "dashed", "width": 1, "opacity": 0.8},
        "label": {
            **_FONT,
            "position": "insideStartTop" if part == "medusa" else "insideEndTop",
            ":formatter": f"(line) => {json.dumps(said)} + ' ' + {UNITS[resource]}(line.value)",
        },
    }


class UsageChart(Element, component="usage_chart.js"):
    """One chart with its heading and its newest figures, which also tell what the lines do to who cannot see them."""

    def __init__(self, resource: str, usage: Mapping[str, Any], texts: Mapping[str, Any], *, to_limit: bool) -> None:
        super().__init__()
        self._resource, self._texts = resource, texts
        self._props.update(resource=resource, texts=dict(texts), newest=_newest(resource, usage))
        with self:
            self._chart = ui.echart(options(resource, usage, texts, to_limit=to_limit), renderer="svg")
            self._chart.props("aria-hidden=true")

    def show(self, usage: Mapping[str, Any], *, to_limit: bool) -> None:
        self._props["newest"] = _newest(self._resource, usage)
        self.update()
        self._chart.options.clear()
        self._chart.options.update(options(self._resource, usage, self._texts, to_limit=to_limit))
        self._chart.update()


def _newest(resource: str, usage: Mapping[str, Any]) -> list[dict[str, Any]]:
    last = usage["samples"][-1][resource] if usage["samples"] else {}
    limits = usage["limits"]
    return [
        {"part": part, "value": last[part], "limit": (limits.get(part) or {}).get(resource)}
        for part in COLOURS
        if part in last
    ]


class UsageCharts(Element, component="usage_charts.js"):
    """The charts and what is around them: range, scale, disk, and why there are no figures.

    `usage`: a dict with measured ("yes", "not_yet", "idle", "absent", "away"), simulated, limits (by part: cpu,
    memory), samples (dicts with ms, cpu, memory), disk_bytes.  `on_range` is called with "hour" or "day".
    """

    def __init__(self, usage: Mapping[str, Any], texts: Mapping[str, Any], on_range: Callable[[str], Any]) -> None:
        super().__init__()
        self._usage, self._texts, self._to_limit = dict(usage), texts, True
        self._props.update(texts=dict(texts), **self._around())
        self._charts: list[UsageChart] = []
        self.on("range", lambda event: on_range(str(event.args)))
        self.on("scale", lambda event: self._rescale(bool(event.args)))
        self._draw()

    def show(self, usage: Mapping[str, Any]) -> None:
        if dict(usage) != self._usage:
            self._usage = dict(usage)
            self._props.update(self._around())
            self.update()
            self._draw()

    def _around(self) -> dict[str, Any]:
        return {key: self._usage[key] for key in ("measured", "simulated", "disk_bytes")}

    def _rescale(self, to_limit: bool) -> None:
        self._to_limit = to_limit
        self._draw()

    def _draw(self) -> None:
        if not self._charts and self._usage["samples"]:  # not before there is something: the charts' library is large
            with self:
                self._charts = [
                    UsageChart(each, self._usage, self._texts, to_limit=self._to_limit) for each in RESOURCES
                ]
        else:
            for chart in self._charts:
                chart.show(self._usage, to_limit=self._to_limit)
