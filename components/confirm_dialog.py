"""Asks once more before something is done to a store."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element


class ConfirmDialog(Element, component="confirm_dialog.js"):
    """`key` tells it from the page's others.  `texts`: title, points (a list: what happens, what does not), cancel,
    submit, asking (while it is asked for), asked (it is under way).  `on_confirm` answers by `accept` or `refuse`."""

    def __init__(self, key: str, texts: Mapping[str, Any], on_confirm: Callable[[], Any]) -> None:
        super().__init__()
        self._props.update(dialog=key, texts=dict(texts))
        self.on("confirm", lambda: on_confirm())

    def open(self, texts: Mapping[str, Any]) -> None:
        """Ask in the words of `texts`."""
        self.run_method("open", dict(texts))

    def accept(self) -> None:
        """It is under way."""
        self.run_method("accept")

    def refuse(self, sentence: str) -> None:
        self.run_method("refuse", sentence)
