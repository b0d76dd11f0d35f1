"""Why a store failed, or is not well: what happened, who can fix it, what to try, what the cluster said, and, where it
was given up, another try."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element


class Failure(Element, component="failure.js"):
    """`reason`: None (nothing is shown) or a dict with message, plain (the same in everyday words), who, hint, command
    (to try, for a terminal), evidence (lines), technical (evidence is unfolded), report (to send to somebody), passing
    (nothing is given up: it goes on by itself), rollback (an earlier release can be had again), calm_until (a time, or
    None: until then it is not shown, since a store may well wait for that so long).  `on_retry` answers by `refuse`
    where it was not possible."""

    def __init__(
        self,
        reason: Mapping[str, Any] | None,
        texts: Mapping[str, Any],
        on_retry: Callable[[], Any],
        on_rollback: Callable[[], Any],
    ) -> None:
        super().__init__()
        self._props.update(reason=reason, texts=dict(texts))
        self.on("retry", lambda: on_retry())
        self.on("rollback", lambda: on_rollback())

    def show(self, reason: Mapping[str, Any] | None) -> None:
        if reason != self._props["reason"]:
            self._props["reason"] = reason
            self.update()

    def refuse(self, sentence: str) -> None:
        """The retry was not possible."""
        self.run_method("refuse", sentence)
