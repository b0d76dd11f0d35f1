"""How to sign in to a shop's own admin: fetched when somebody asks, and gone from the page when they hide it."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element


class SignInDetails(Element, component="sign_in_details.js"):
    """`on_reveal` is called at the click and answers by `reveal` or `refuse`; before, the page holds no password."""

    def __init__(self, texts: Mapping[str, Any], on_reveal: Callable[[], Any]) -> None:
        super().__init__()
        self._props.update(texts=dict(texts))
        self.on("reveal", lambda: on_reveal())

    def reveal(self, email: str, password: str) -> None:
        self.run_method("show", email, password)

    def refuse(self, sentence: str) -> None:
        self.run_method("refuse", sentence)
