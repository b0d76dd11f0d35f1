"""What has lost its store: with age and size, and a button that removes it, after a question."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments


class OrphanList(Element, component="orphan_list.js"):
    """`on_look` and `on_clean` (with an orphan's id) are called when somebody asks for it; they answer by `show` or
    `refuse`.  Until the first `show` it says that it looks."""

    def __init__(self, texts: Mapping[str, Any], on_look: Callable[[], Any], on_clean: Callable[[str], Any]) -> None:
        super().__init__()
        self._props.update(found=None, trouble="", texts=dict(texts))
        self.on("look", lambda: on_look())

        def clean(event: GenericEventArguments) -> Any:
            return on_clean(str(event.args)[:64])

        self.on("clean", clean)

    def show(self, found: Mapping[str, Any] | None, trouble: str = "") -> None:
        """`found`: at, policy and items (id, kind, name, namespace, created_at, size_bytes, contains, deleting,
        cleanable); None where `trouble` says why not."""
        self._props.update(found=dict(found) if found else None, trouble=trouble)
        self.update()

    def refuse(self, sentence: str) -> None:
        """The removal was not possible."""
        self.run_method("refuse", sentence)
