"""A chart over time that reads well in both themes, and the same numbers as a table for who cannot see it.

Its colours are the design's own tokens, by name: it is drawn as SVG, where the style sheet is heard, so that a change
of the theme needs no word from the server.  ECharts comes from our own server, as NiceGUI has it in its package.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from nicegui import ui
from nicegui.element import Element

GRID = {"left": 8, "right": 12, "top": 14, "bottom": 4, "containLabel": True}
INTERVALS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Seconds from one line of the grid to the next: numbers that a clock has."""
QUIET_TEXT = {"color": "var(--ink-3)", "fontFamily": "inherit", "fontSize": 12}


@dataclass(frozen=True)
class Series:
    """One line of a chart, or its bars.  `tone`: a token of the design, such as "brand"; None: nothing was measured."""

    name: str
    values: Sequence[float | None]
    tone: str
    drawn: Literal["line", "dashes", "bars"] = "line"


@dataclass(frozen=True)
class Plot:
    """What a chart shows: series over the same times (ISO 8601, each the begin of `step` seconds)."""

    times: Sequence[str]
    step: int
    series: Sequence[Series]
    unit: Literal["count", "seconds"]

    @property
    def is_empty(self) -> bool:
        return not any(value for each in self.series for value in each.values)


class Chart(Element, component="chart.js"):
    """`texts`: table, time and nothing (what to say while there is nothing to draw)."""

    def __init__(self, title: str, plot: Plot, texts: Mapping[str, Any]) -> None:
        super().__init__()
        self._plot = plot
        self._props.update(title=title, texts=dict(texts), **_shown(plot))
        with self:
            self._drawing = ui.echart(options(plot), renderer="svg").classes("drawing")

    def show(self, plot: Plot) -> None:
        """Draw what is different now."""
        if plot == self._plot:
            return
        self._plot = plot
        self._props.update(_shown(plot))
        self.update()
        self._drawing.options.clear()
        self._drawing.options.update(options(plot))
        self._drawing.update()


def _shown(plot: Plot) -> dict[str, Any]:
    return {
        "times": list(plot.times),
        "step": plot.step,
        "unit": plot.unit,
        "series": [asdict(each) for each in plot.series],
        "empty": plot.is_empty,
    }


def options(plot: Plot) -> dict[str, Any]:
    """For ECharts.  What begins with a colon is our own script, which knows the person's language and time zone."""
    bars = any(each.drawn == "bars" for each in plot.series)
    say = f"(value) => Storefleet.measure(value, {plot.unit!r})"
    at = f"(pointer) => Storefleet.step(pointer.value, {plot.step})"
    when = f"(value) => Storefleet.step(value, {plot.step})"
    return {
        "animation": False,
        "grid": GRID,
        "xAxis": {
            "type": "category",
            "data": list(plot.times),
            "boundaryGap": bars,
            "axisLine": {"lineStyle": {"color": "var(--line-strong)"}},
            "axisTick": {"show": False},
            "axisLabel": {
                **QUIET_TEXT,
                "hideOverlap": True,
                "alignMinLabel": "left",
                "alignMaxLabel": "right",
                ":formatter": when,
            },
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "minInterval": 1 if plot.unit == "count" else 0,
            "splitNumber": 4,
            **(_clock_like(plot) if plot.unit == "seconds" else {}),
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
            "axisLabel": {**QUIET_TEXT, ":formatter": say},
        },
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": "var(--card)",
            "borderColor": "var(--line-strong)",
            "textStyle": {"color": "var(--ink)", "fontFamily": "inherit", "fontSize": 12.5},
            "axisPointer": {"type": "line", "lineStyle": {"color": "var(--line-strong)"}, "label": {":formatter": at}},
            ":valueFormatter": say,
        },
        "series": [_series(each) for each in plot.series],
    }


def _clock_like(plot: Plot) -> dict[str, Any]:
    most = max((value for each in plot.series for value in each.values if value is not None), default=0)
    interval = next((each for each in INTERVALS if each * 5 >= most), None)
    return {"interval": interval, "max": interval * max(1, math.ceil(most / interval))} if interval else {}


def _series(each: Series) -> dict[str, Any]:
    color = f"var(--{each.tone})"
    common: dict[str, Any] = {
        "name": each.name,
        "data": list(each.values),
        "itemStyle": {"color": color},
        "emphasis": {"disabled": True},
    }
    if each.drawn == "bars":
        return {**common, "type": "bar", "stack": "all", "barMaxWidth": 26, "barCategoryGap": "28%"}
    line = {"color": color, "width": 2, "type": "dashed" if each.drawn == "dashes" else "solid"}
    points = sum(value is not None for value in each.values)
    return {
        **common,
        "type": "line",
        "lineStyle": line,
        "symbol": "circle",
        "symbolSize": 5,
        "showSymbol": points <= len(each.values) / 2,  # a lone one has no line that would show it
        "connectNulls": True,
    }
