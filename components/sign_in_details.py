"""How to sign in to a shop's own admin: fetched when somebody asks, and gone from the page when they hide it."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element


class SignInDetails(Element, component="sign_in_details.js"):
    """`on_reveal` is called at the click and answers by `reveal` or `refuse`; before, the page holds no password.

    `on_rotate`: somebody wants new ones; `rotatable`: whether that can be asked for now.
    """

    def __init__(
        self, texts: Mapping[str, Any], on_reveal: Callable[[], Any], on_rotate: Callable[[], Any], *, rotatable: bool
    ) -> None:
        super().__init__()
        self._props.update(texts=dict(texts), rotatable=rotatable)
        self.on("reveal", lambda: on_reveal())
        self.on("rotate", lambda: on_rotate())

    def show(self, *, rotatable: bool) -> None:
        if rotatable != self._props["rotatable"]:
            self._props["rotatable"] = rotatable
            self.update()

    def forget(self) -> None:
        """What may be shown holds no more."""
        self.run_method("forget")

    def reveal(self, email: str, password: str) -> None:
        self.run_method("show", email, password)

    def refuse(self, sentence: str) -> None:
        self.run_method("refuse", sentence)
