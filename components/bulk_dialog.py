"""What is done to one or many stores of the list: asks before a deletion, and tells what became of each store."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

MOST = 1000  # stores at once


@dataclass(frozen=True)
class Outcome:
    """What became of one store; `refused`: why nothing was done, as a sentence."""

    name: str
    refused: str | None = None


Act = Callable[[Sequence[str]], Awaitable[Sequence[Outcome]]]


class BulkDialog(Element, component="bulk_dialog.js"):
    """`act`: by the name of an action ("retry", "upgrade", "delete", "undo"), what does it to the stores so called.

    `undo`: for how long a deletion can be undone ("": not at all).  The list of stores tells it in the browser what to
    do, so that it opens at once.
    """

    def __init__(self, *, undo: str, texts: Mapping[str, Any], act: Mapping[str, Act]) -> None:
        super().__init__()
        self._act = act
        self._props.update(undo=undo, texts=dict(texts))
        self.on("act", self._on_act)

    async def _on_act(self, event: GenericEventArguments) -> None:
        sent = event.args if isinstance(event.args, Mapping) else {}
        action, names = str(sent.get("action")), sent.get("names")
        if action not in self._act or not isinstance(names, list):
            return
        each_once = dict.fromkeys(str(name)[:300] for name in names[:MOST])
        outcomes = await self._act[action](list(each_once))
        self.run_method("acted", action, [asdict(outcome) for outcome in outcomes])
