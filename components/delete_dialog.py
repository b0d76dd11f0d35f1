"""Asks for a store's name before it is deleted."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element


class DeleteDialog(Element, component="delete_dialog.js"):
    """`on_confirm` is called once the name was typed; it answers by `close` or `refuse`."""

    def __init__(self, name: str, texts: Mapping[str, Any], on_confirm: Callable[[], Any]) -> None:
        super().__init__()
        self._props.update(name=name, texts=dict(texts))
        self.on("confirm", lambda: on_confirm())

    def open(self, texts: Mapping[str, Any]) -> None:
        """Ask in the words of `texts`."""
        self.run_method("open", dict(texts))

    def close(self) -> None:
        self.run_method("close")

    def refuse(self, sentence: str) -> None:
        self.run_method("refuse", sentence)
