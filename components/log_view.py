"""A container's log as it comes: the end of it, then line by line; searched, downloaded, followed over restarts.

The browser reads the API's own stream (Server-Sent Events), so that a slow one holds up the log and not this process's
memory; it keeps the last few thousand lines, begins when the log comes into view, and stops while its tab is hidden.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui.element import Element


class LogView(Element, component="log_view.js"):
    """`address`: of the stream.  `sources`: dicts with part, pod ("" for the newest), container, label, had_run."""

    def __init__(self, address: str, sources: Sequence[Mapping[str, Any]], texts: Mapping[str, Any]) -> None:
        super().__init__()
        self._props.update(address=address, sources=list(sources), texts=dict(texts))

    def show(self, sources: Sequence[Mapping[str, Any]]) -> None:
        """The containers that there are now; what is being read goes on."""
        if list(sources) != self._props["sources"]:
            self._props["sources"] = list(sources)
            self.update()

    def open(self, chosen: Mapping[str, Any]) -> None:
        """Come into view and read this one: part, pod, container, previous."""
        self.run_method("open", dict(chosen))
