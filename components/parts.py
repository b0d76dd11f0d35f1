"""The parts of a store and how each is: PostgreSQL, Medusa, ingress, certificate, volume; pods unfold."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui.element import Element


class Parts(Element, component="parts.js"):
    """`parts`: dicts with key, health, note, detail, since, image, restarts, pods (name, ready, leaving, since,
    containers: name, image, ready, state, since, restarts, had_run).  All text is shown as text.

    `on_log` is called with a dict of part, pod, container and previous when somebody asks for a log.
    """

    def __init__(
        self, parts: Sequence[Mapping[str, Any]], texts: Mapping[str, Any], on_log: Callable[[dict[str, Any]], Any]
    ) -> None:
        super().__init__()
        self._props.update(parts=list(parts), texts=dict(texts))
        self.on("log", lambda event: on_log(event.args))

    def show(self, parts: Sequence[Mapping[str, Any]]) -> None:
        if list(parts) != self._props["parts"]:
            self._props["parts"] = list(parts)
            self.update()
