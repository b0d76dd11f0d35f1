"""Asks which secrets of a store are to be made anew."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element


class RotateDialog(Element, component="rotate_dialog.js"):
    """`texts["kinds"]` names what can be chosen: (title, what it means).  `on_confirm` gets a list of its keys; it
    answers by `accept` or `refuse`."""

    def __init__(self, name: str, texts: Mapping[str, Any], on_confirm: Callable[[list[str]], Any]) -> None:
        super().__init__()
        self._props.update(name=name, texts=dict(texts))
        self.on("confirm", lambda event: on_confirm([str(each) for each in event.args]))

    def open(self) -> None:
        self.run_method("open")

    def accept(self) -> None:
        """It is under way."""
        self.run_method("accept")

    def refuse(self, sentence: str) -> None:
        self.run_method("refuse", sentence)
