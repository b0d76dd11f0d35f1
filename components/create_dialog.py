"""The dialog that asks for a new store: name, plan, and what the shop begins with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments


@dataclass(frozen=True)
class Choice:
    """A plan or a template to choose from."""

    name: str
    title: str
    description: str
    cpu: str = ""
    memory: str = ""
    storage: str = ""


@dataclass(frozen=True)
class Wish:
    """What was filled in; untrusted, as everything that a browser sends."""

    name: str
    template: str
    plan: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Situation:
    """A store's address is its name between `before` and `after`; `left` says how many stores there may still be,
    `blocked` why there can be none now: then nothing can be sent."""

    before: str
    after: str
    left: str = ""
    blocked: str = ""


class CreateDialog(Element, component="create_dialog.js"):
    """`check(name)` answers what is wrong with a name (None: nothing) while somebody types; `create(wish)` answers a
    sentence when it was refused, and None when it was done.

    It opens in the browser, at once and also where the server is slow, and asks by `tell` how things stand.  What is
    filled in outlives a page that has to be loaded anew; `resume(name)` says whether a store that was asked for just
    before that is there, and if so opens its page.
    """

    def __init__(
        self,
        *,
        templates: Sequence[Choice],
        plans: Sequence[Choice],
        currencies: Sequence[str],
        texts: Mapping[str, Any],
        opened: bool,
        tell: Callable[[], Awaitable[Situation]],
        check: Callable[[str], Awaitable[str | None]],
        create: Callable[[Wish], Awaitable[str | None]],
        resume: Callable[[str], Awaitable[bool]],
    ) -> None:
        super().__init__()
        self._props.update(
            templates=[asdict(each) for each in templates],
            plans=[asdict(each) for each in plans],
            currencies=list(currencies),
            texts=dict(texts),
            opened=opened,
        )
        self._tell, self._check, self._create, self._resume, self._busy = tell, check, create, resume, False
        self.on("tell", self._on_tell)
        self.on("check", self._on_check)
        self.on("create", self._on_create)
        self.on("resume", self._on_resume)

    async def _on_tell(self) -> None:
        self.run_method("told", asdict(await self._tell()))

    async def _on_resume(self, event: GenericEventArguments) -> None:
        if await self._resume(str(event.args)[:300]):
            self.run_method("made")
        else:
            self.run_method("refuse", "")

    async def _on_check(self, event: GenericEventArguments) -> None:
        name = str(event.args)[:300]
        self.run_method("answer", name, await self._check(name))

    async def _on_create(self, event: GenericEventArguments) -> None:
        if self._busy:  # a second click that was on its way already
            return
        self._busy = True
        try:
            refused = await self._create(_wish(event.args))
        finally:
            self._busy = False
        if refused is not None:
            self.run_method("refuse", refused)
        else:
            self.run_method("made")


def _wish(sent: Any) -> Wish:
    sent = sent if isinstance(sent, dict) else {}
    options = sent.get("options")
    return Wish(
        name=str(sent.get("name", "")),
        template=str(sent.get("template", "")),
        plan=str(sent.get("plan", "")),
        options=options if isinstance(options, dict) else {},
    )
