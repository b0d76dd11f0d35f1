"""Who did what: the audit trail with its filters, entries to unfold, and the state of its chain."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

LONGEST = 254  # characters of what is searched for


@dataclass(frozen=True)
class ActivityQuery:
    """What the list is narrowed to; "" is no filter.  It stands in the page's address as well."""

    q: str = ""
    action: str = ""
    outcome: str = ""
    range: str = ""

    @classmethod
    def of(cls, sent: Any) -> "ActivityQuery":
        """From what a browser sent, whatever that is."""
        sent = sent if isinstance(sent, Mapping) else {}
        return cls(**{each.name: str(sent.get(each.name) or "").strip()[:LONGEST] for each in fields(cls)})


@dataclass(frozen=True)
class Entries:
    """Some entries (dicts: id, at, actor, token_id, address, action, store_name, outcome, error, detail, hash; every
    text is shown as text), where the older ones begin ("" at the end), and the query of their export."""

    items: Sequence[Mapping[str, Any]]
    next: str
    export: str


class ActivityList(Element, component="activity_list.js"):
    """`load(query, cursor)` answers entries (None: it failed, and said so).  `on_verify` walks along the chain and
    answers by `show_chain`.  `choices`: of action, outcome and range.  `trouble`: about what the page's address asked
    for and what there is not."""

    def __init__(
        self,
        *,
        entries: Entries,
        query: ActivityQuery,
        choices: Mapping[str, Sequence[str]],
        chain: Mapping[str, Any],
        texts: Mapping[str, Any],
        load: Callable[[ActivityQuery, str], Awaitable[Entries | None]],
        on_verify: Callable[[], Any],
        trouble: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.query, self._load, self._next = query, load, entries.next
        self._props.update(
            entries=list(entries.items),
            more=bool(entries.next),
            exported=entries.export,
            query=asdict(query),
            choices={name: list(values) for name, values in choices.items()},
            chain=dict(chain),
            trouble=list(trouble),
            texts=dict(texts),
        )
        self.on("query", self._on_query)
        self.on("more", self._on_more)
        self.on("verify", lambda: on_verify())

    def add(self, new: Sequence[Mapping[str, Any]], chain: Mapping[str, Any]) -> None:
        """Entries that are newer than those that are shown, newest first, and the chain's end now."""
        self.run_method("add", list(new), dict(chain))

    def show_chain(self, chain: Mapping[str, Any]) -> None:
        self.run_method("showChain", dict(chain))

    async def _on_query(self, event: GenericEventArguments) -> None:
        wanted = self.query = ActivityQuery.of(event.args)
        entries = await self._load(wanted, "")
        if entries and wanted == self.query:  # else somebody typed on meanwhile
            self._next = entries.next
            self.run_method("replace", list(entries.items), bool(entries.next), entries.export)
        elif wanted == self.query:
            self.run_method("rest")

    async def _on_more(self) -> None:
        wanted, cursor = self.query, self._next
        entries = await self._load(wanted, cursor) if cursor else None
        if entries and wanted == self.query and cursor == self._next:
            self._next = entries.next
            self.run_method("append", list(entries.items), bool(entries.next))
        else:
            self.run_method("rest")
