"""The list of stores: search, filters, rows.  A change is sent as the changed rows alone, however long the list is."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments


@dataclass(frozen=True)
class Row:
    """A store as the list shows it; every text is shown as text."""

    name: str
    state: str
    url: str
    owner: str
    version: str
    created_at: str  # ISO 8601
    note: str = ""  # what is happening, or why it failed
    due: str | None = None  # ISO 8601: when it is expected to be ready
    destroy_at: str | None = None  # deleted: when it is destroyed; until then it can be taken back
    degraded: bool = False  # it is READY, and not well
    share: float | None = None  # of the way that is behind, while it is provisioned


@dataclass(frozen=True)
class Query:
    """What the list is narrowed to; it stands in the page's address as well."""

    q: str = ""
    state: str = ""

    @classmethod
    def of(cls, sent: Any, states: Sequence[str]) -> "Query":
        """From what a browser sent; what makes no sense is left out."""
        sent = sent if isinstance(sent, Mapping) else {}
        state = str(sent.get("state", "")).upper()
        return cls(q=str(sent.get("q", "")).strip()[:63], state=state if state in states else "")


@dataclass(frozen=True)
class Part:
    """Some rows, and where the next begin ("" at the end)."""

    rows: Sequence[Row]
    next: str


class StoreList(Element, component="store_list.js"):
    """`load(query, cursor)` answers a part of the list (None: it failed, and said so); `on_create` opens the dialog for
    a new store, `on_undo(name)` takes a deleted one back.  `owners`: say whose each store is.

    Deleted stores that can be taken back are shown only where the list is narrowed to their state."""

    def __init__(
        self,
        *,
        part: Part,
        query: Query,
        counts: Mapping[str, int],
        owners: bool,
        texts: Mapping[str, Any],
        load: Callable[[Query, str], Awaitable[Part | None]],
        on_create: Callable[[], Any],
        on_undo: Callable[[str], Any],
    ) -> None:
        super().__init__()
        self.query, self._load, self._next = query, load, part.next
        self._states = list(texts["states"])
        self._shown, self._counts = {row.name for row in part.rows}, dict(counts)
        self._props.update(
            rows=[asdict(row) for row in part.rows],
            more=bool(part.next),
            query=asdict(query),
            counts=dict(counts),
            owners=owners,
            texts=dict(texts),
        )
        self.on("query", self._on_query)
        self.on("more", self._on_more)
        self.on("create", lambda: on_create())
        self.on("undo", lambda event: on_undo(str(event.args)))

    def apply(self, changed: Sequence[Row], gone: Sequence[str], counts: Mapping[str, int]) -> None:
        """Show what is different: rows that changed or are new, names of rows that are gone, the states' numbers."""
        changed = [row for row in changed if row.name in self._shown or self._matches(row)]
        hidden = {row.name for row in changed if row.destroy_at and self.query.state != row.state}
        changed, gone = [row for row in changed if row.name not in hidden], [*gone, *hidden]
        gone = [name for name in gone if name in self._shown]  # the others are none of this page's business
        if not (changed or gone or dict(counts) != self._counts):
            return
        self._counts = dict(counts)
        self._shown = (self._shown | {row.name for row in changed}) - set(gone)
        self.run_method("apply", [asdict(row) for row in changed], gone, self._counts)

    def _matches(self, row: Row) -> bool:
        """Does a new row belong to what is shown?  One that is there stays, also when it fits no more."""
        return self.query.q.lower() in row.name and self.query.state in ("", row.state)

    async def _on_query(self, event: GenericEventArguments) -> None:
        wanted = Query.of(event.args, self._states)
        self.query = wanted
        part = await self._load(wanted, "")
        if part and wanted == self.query:  # else somebody typed on meanwhile
            self._show("replace", part)

    async def _on_more(self) -> None:
        wanted = self.query
        if self._next:
            part = await self._load(wanted, self._next)
            if part and wanted == self.query:
                self._show("append", part)
            else:
                self.run_method("rest")

    def _show(self, method: str, part: Part) -> None:
        self._next = part.next
        self._shown = (self._shown if method == "append" else set()) | {row.name for row in part.rows}
        self.run_method(method, [asdict(row) for row in part.rows], bool(part.next), asdict(self.query))
