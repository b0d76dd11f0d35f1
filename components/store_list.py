"""The list of stores: search, filters, order, rows.  What is done to them is `bulk_dialog`'s.

A change is sent as the changed rows alone, however long the list is, and as the same message to everybody who may see
the same: whether a row belongs to what is shown, and where, each page decides for itself.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

PAGE = 50  # rows at a time
MOST_ROWS = 1000  # that a page is opened with


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
    health: str = ""  # of a store that is READY: "ok", "degraded", "unknown"
    share: float | None = None  # of the way that is behind, while it is provisioned
    update: bool = False  # there is a newer release for it


@dataclass(frozen=True)
class Known:
    """The words that a query may use; the first order is the one without a word."""

    states: Sequence[str]
    healths: Sequence[str]
    sorts: Sequence[str]


@dataclass(frozen=True)
class Query:
    """What the list is narrowed to, and its order; it stands in the page's address as well."""

    q: str = ""
    state: str = ""
    health: str = ""
    owner: str = ""
    sort: str = ""
    rows: int = PAGE  # to begin with

    @classmethod
    def of(cls, sent: Any, known: Known) -> "Query":
        """From what a browser sent; what makes no sense is left out."""
        sent = sent if isinstance(sent, Mapping) else {}
        words = {key: str(sent.get(key) or "").strip() for key in ("q", "state", "health", "owner", "sort", "rows")}
        rows = int(words["rows"]) if words["rows"].isascii() and words["rows"].isdigit() else PAGE
        return cls(
            q=words["q"][:100],
            state=words["state"].upper() if words["state"].upper() in known.states else "",
            health=words["health"].lower() if words["health"].lower() in known.healths else "",
            owner=words["owner"][:254],
            sort=words["sort"] if words["sort"] in known.sorts else known.sorts[0],
            rows=min(max(rows, PAGE), MOST_ROWS),
        )


@dataclass(frozen=True)
class Part:
    """Some rows, and where the next begin ("" at the end)."""

    rows: Sequence[Row]
    next: str


@dataclass(frozen=True)
class Answered:
    """A part of the list, and how many stores stand in each state."""

    part: Part
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Changed:
    """What is different, ready to be sent to every page that may see it."""

    names: frozenset[str]
    counts: Mapping[str, int]
    code: str

    @classmethod
    def of(cls, rows: Sequence[Row], counts: Mapping[str, int]) -> "Changed":
        told = json.dumps({"rows": [vars(row) for row in rows], "counts": counts}, separators=(",", ":"))
        return cls(frozenset(row.name for row in rows), counts, f"Storefleet.tell('stores', {told})")


class StoreList(Element, component="store_list.js"):
    """`load(query, cursor)` answers a part of the list (None: it failed, and said so).  `admin`: say whose each store
    is, and let many be chosen; `owners` are those to choose from.

    Deleted stores that can be taken back are shown only where the list is narrowed to their state."""

    def __init__(
        self,
        *,
        part: Part,
        query: Query,
        counts: Mapping[str, int],
        owners: Sequence[str],
        admin: bool,
        texts: Mapping[str, Any],
        known: Known,
        load: Callable[[Query, str], Awaitable[Answered | None]],
    ) -> None:
        super().__init__()
        self.query, self._known, self._load, self._next = query, known, load, part.next
        self._shown, self._counts = {row.name for row in part.rows}, dict(counts)
        self._missed: dict[int, list[tuple[Changed, frozenset[str]]]] = {}  # of each part that is being read
        self._props.update(
            more=bool(part.next),
            query=asdict(query),
            counts=dict(counts),
            owners=list(owners),
            admin=admin,
            page=PAGE,
            texts=dict(texts),
        )
        # Beside what NiceGUI sends of its elements, each value of which it would watch, and escape letter by letter.
        rows = json.dumps([vars(row) for row in part.rows], separators=(",", ":")).replace("<", "\\u003c")
        ui.add_body_html(f'<script type="application/json" id="rows-of-stores">{rows}</script>')
        self.on("query", self._on_query)
        self.on("more", self._on_more)

    def send(self, changed: Changed, names: Collection[str]) -> None:
        """Show what is different: of the stores called `names`, those that are not in `changed` are gone."""
        for missed in self._missed.values():
            missed.append((changed, frozenset(names)))
        gone = [name for name in names if name in self._shown and name not in changed.names]
        if gone:  # names that this page does not know are none of its business
            self._shown.difference_update(gone)
            self.run_method("remove", gone)
        if changed.names or changed.counts != self._counts:
            self._shown |= changed.names
            self._counts = dict(changed.counts)
            # The same text for all; `run_javascript` would make a task of each.
            self.client.outbox.enqueue_message("run_javascript", {"code": changed.code}, self.client.id)

    async def _on_query(self, event: GenericEventArguments) -> None:
        self.query = Query.of(event.args, self._known)
        await self._answer("replace", "")

    async def _on_more(self) -> None:
        if not (self._next and await self._answer("append", self._next)):
            self.run_method("rest")

    async def _answer(self, method: str, cursor: str) -> bool:
        """Show a part of the list, unless somebody asked for another meanwhile.  What changed while it was read is told
        once more, since it may be older than that."""
        wanted, missed = self.query, list[tuple[Changed, frozenset[str]]]()
        self._missed[id(missed)] = missed
        try:
            answered = await self._load(wanted, cursor)
        finally:
            del self._missed[id(missed)]
        if answered is None or wanted != self.query or (cursor and cursor != self._next):
            return False
        self._show(method, answered)
        for changed, names in missed:
            self.send(changed, names)
        return True

    def _show(self, method: str, answered: Answered) -> None:
        part = answered.part
        self._next, self._counts = part.next, dict(answered.counts)
        self._shown = (self._shown if method == "append" else set()) | {row.name for row in part.rows}
        self.run_method(method, [vars(row) for row in part.rows], bool(part.next), self._counts, asdict(self.query))
