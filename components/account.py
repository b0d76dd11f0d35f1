"""What somebody can do about their own account: password, signed-in browsers, API tokens, notifications, provider."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

LONGEST = 300  # characters of whatever is typed


class AccountSettings(Element, component="account.js"):
    """Its callbacks are called when somebody asks for it; they answer by the methods below.

    on_password(old, new), on_end(session's id), on_end_others(), on_make(name, scope, days or None), on_revoke(token's
    id), on_disconnect().
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        texts: Mapping[str, Any],
        **callbacks: Callable[..., Any],
    ) -> None:
        """`facts`: sessions, tokens (as their services show them), scopes (that may be chosen), password (is there
        one?), identity (is one connected?), provider (its name, or ""), trouble (a sentence, or "")."""
        super().__init__()
        self._props.update(facts=dict(facts), texts=dict(texts))

        def listen(name: str, *kinds: Callable[[Any], Any]) -> None:
            def call(event: GenericEventArguments) -> Any:
                given = event.args if isinstance(event.args, list) else [event.args]
                chosen = [kind(each) for kind, each in zip(kinds, given, strict=False)]
                return callbacks[f"on_{name}"](*chosen)

            self.on(name.replace("_", "-"), call)

        listen("password", _text, _text)
        listen("end", _text)
        listen("end_others")
        listen("make", _text, _text, _days)
        listen("revoke", _text)
        listen("disconnect")

    def show(self, **facts: Any) -> None:
        """Some of the facts are others."""
        self._props["facts"] = {**self._props["facts"], **facts}
        self.update()

    def password_changed(self) -> None:
        self.run_method("password_changed")

    def made(self, name: str, token: str) -> None:
        """A token, to be shown once."""
        self.run_method("made", name, token)

    def refuse(self, what: str, sentence: str) -> None:
        """`what`: "password" or "token" was not possible."""
        self.run_method("refuse", what, sentence)


def _text(value: Any) -> str:
    return str(value)[:LONGEST]


def _days(value: Any) -> int | None:
    return value if isinstance(value, int) and 1 <= value <= 3650 else None
