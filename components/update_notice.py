"""Says that there is a newer release for a store, and offers it."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element


class UpdateNotice(Element, component="update_notice.js"):
    """`sentence`: what there is; "": nothing newer, and nothing is shown."""

    def __init__(self, sentence: str, texts: Mapping[str, Any], on_upgrade: Callable[[], Any]) -> None:
        super().__init__()
        self._props.update(sentence=sentence, texts=dict(texts))
        self.on("upgrade", lambda: on_upgrade())

    def show(self, sentence: str) -> None:
        if sentence != self._props["sentence"]:
            self._props["sentence"] = sentence
            self.update()
