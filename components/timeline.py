"""What happened to a store, line by line, each with the object it speaks of and the cluster's own words to unfold.

New lines come in without drawing the others again; of a long timeline the latest lines are drawn, and more on request.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui.element import Element


class Timeline(Element, component="timeline.js"):
    """`events`: dicts with id, at (ISO 8601), kind, message, level, object, evidence.  All text is shown as text.

    `warnings`: dicts with reason, about, count, last: how often the cluster repeated what a line tells.
    """

    def __init__(self, events: Sequence[Mapping[str, Any]], texts: Mapping[str, Any], *, running: bool) -> None:
        super().__init__()
        self._props.update(events=list(events), texts=dict(texts), running=running, warnings=[])

    def warn(self, warnings: Sequence[Mapping[str, Any]]) -> None:
        if list(warnings) != self._props["warnings"]:
            self._props["warnings"] = list(warnings)
            self.run_method("warn", list(warnings))

    def add(self, events: Sequence[Mapping[str, Any]], *, running: bool) -> None:
        """More events; `running` while the store is on its way (the last line is then the one being worked on)."""
        # The properties are kept whole without being sent again: the browser gets the new lines alone.
        self._props["events"] = [*self._props["events"], *events]
        self._props["running"] = running
        self.run_method("add", list(events), running)
