"""The platform's figures over a time: the time chosen, the numbers that matter most, and why stores failed."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments


class Figures(Element, component="figures.js"):
    """`figures`: span, since, active, stores, requested, ready, failed, deleted, ready_an_hour, failure_rate (or None),
    provisioning (count, p50, p95, p99), failures (code, count).  `spans`: those that can be chosen, in order.

    `on_choose(span)` is called with one of them.  Charts are its children.  `trouble`: a sentence about what the page's
    address asked for and what there is not."""

    def __init__(
        self,
        figures: Mapping[str, Any],
        spans: list[str],
        texts: Mapping[str, Any],
        on_choose: Callable[[str], Any],
        trouble: str = "",
    ) -> None:
        super().__init__()
        self._props.update(figures=dict(figures), spans=spans, texts=dict(texts), trouble=trouble)

        def choose(event: GenericEventArguments) -> Any:
            if event.args not in spans:
                return None
            self._props["trouble"] = ""
            return on_choose(event.args)

        self.on("choose", choose)

    def show(self, figures: Mapping[str, Any]) -> None:
        if dict(figures) != self._props["figures"]:
            self._props["figures"] = dict(figures)
            self.update()
