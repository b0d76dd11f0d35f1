"""What the platform does now: places, queue, which process runs the engine, and what the cluster has left."""

from collections.abc import Mapping
from typing import Any

from nicegui.element import Element


class AtWork(Element, component="at_work.js"):
    """`facts`: a dict with at_once, in_flight (limits), working, on_the_way, deletions (counts), trusted (may the view
    of the cluster be acted on), detail, view_age (seconds or None), leader (None or holder, since, here), rows (name,
    state, owner, place, due), capacity (None or cpu, memory, storage_free_bytes, more_stores), plans (titles)."""

    def __init__(self, facts: Mapping[str, Any], texts: Mapping[str, Any]) -> None:
        super().__init__()
        self._props.update(facts=dict(facts), texts=dict(texts))

    def show(self, facts: Mapping[str, Any]) -> None:
        if dict(facts) != self._props["facts"]:
            self._props["facts"] = dict(facts)
            self.update()
