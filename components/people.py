"""Who has an account and who is invited: a table, a dialog to invite, one for what can be done about somebody."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

LONGEST = 254  # characters of whatever is typed


class People(Element, component="people.js"):
    """Its callbacks are called when somebody asks for it; they answer by the methods below.

    on_search(q), on_more(q, cursor), on_invite(email, admin), on_take_back(invitation's id), on_open(email),
    on_role(email, admin), on_limit(email, number or None), on_disable(email, disabled), on_end(email, session's id, or
    "" for all), on_password_link(email).
    """

    def __init__(
        self,
        found: Mapping[str, Any],
        invitations: Sequence[Mapping[str, Any]],
        texts: Mapping[str, Any],
        *,
        me: str,
        usual_limit: int,
        q: str = "",
        **callbacks: Callable[..., Any],
    ) -> None:
        """`found`: items (as `app.users.UserView`) and next, of whom `q` was searched for.  `me`: who looks."""
        super().__init__()
        self._props.update(found=dict(found), invitations=list(invitations), texts=dict(texts), me=me, asked=q)
        self._props["usual"] = usual_limit

        def listen(name: str, *kinds: Callable[[Any], Any]) -> None:
            def call(event: GenericEventArguments) -> Any:
                given = event.args if isinstance(event.args, list) else [event.args]
                return callbacks[f"on_{name}"](*(kind(each) for kind, each in zip(kinds, given, strict=True)))

            self.on(name.replace("_", "-"), call)

        listen("search", _text)
        listen("more", _text, _text)
        listen("invite", _text, bool)
        listen("take_back", _text)
        listen("open", _text)
        listen("role", _text, bool)
        listen("limit", _text, _number)
        listen("disable", _text, bool)
        listen("end", _text, _text)
        listen("password_link", _text)

    def show(self, found: Mapping[str, Any], invitations: Sequence[Mapping[str, Any]]) -> None:
        """Other people, or the same anew."""
        self._props.update(found=dict(found), invitations=list(invitations))
        self.update()

    def append(self, found: Mapping[str, Any]) -> None:
        """More of them."""
        before = self._props["found"]
        self._props["found"] = {"items": [*before["items"], *found["items"]], "next": found["next"]}
        self.update()

    def invited(self, email: str, link: str) -> None:
        self.run_method("invited", email, link)

    def linked(self, email: str, link: str) -> None:
        """The link for another password of whom the dialog is about."""
        self.run_method("linked", email, link)

    def opened(self, sessions: Sequence[Mapping[str, Any]]) -> None:
        """The sessions of whom the dialog is about."""
        self.run_method("opened", list(sessions))

    def changed(self, person: Mapping[str, Any]) -> None:
        """What was asked for is done; the person as they are now."""
        items = [person if each["email"] == person["email"] else each for each in self._props["found"]["items"]]
        self._props["found"] = {**self._props["found"], "items": items}
        self.update()
        self.run_method("changed", dict(person))

    def refuse(self, sentence: str) -> None:
        """What was asked for last was not possible."""
        self.run_method("refuse", sentence)


def _text(value: Any) -> str:
    return str(value)[:LONGEST]


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= 10_000 else None
