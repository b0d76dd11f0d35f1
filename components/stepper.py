"""Where a store stands on its way, derived from its timeline.  `steps` is pure; `Stepper` shows it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Literal

from nicegui.element import Element

SETTING_UP = (
    ("requested", "store.requested"),
    ("namespace", "namespace.created"),
    ("postgres", "postgres.ready"),
    ("medusa", "medusa.ready"),
    ("ingress", "ingress.created"),
    ("page", "store.ready"),
)
"""The steps to a shop, and the kind of event that ends each."""

DELETING = (
    ("deleting", "store.deleting"),
    ("release", "release.uninstalled"),
    ("namespace_gone", "namespace.deleted"),
    ("volumes", "volumes.deleted"),
)


PATIENCE = 60.0  # seconds with a step of which it is not known how long it usually takes,
LEAST_PATIENCE = 20.0  # and with any

OTHER_RELEASE = ("upgrade.requested", "rollback.requested")
ANEW = ("retry.requested", "undelete.requested", *OTHER_RELEASE)
"""Kinds of event from which the way to a shop begins once more."""


@dataclass(frozen=True)
class Mark:
    """What `steps` needs to know of an event."""

    kind: str
    at: datetime


@dataclass(frozen=True)
class Step:
    """One step; `seconds` when it is done, `since` while it is the one being worked on."""

    key: str
    state: Literal["done", "now", "next", "failed"]
    seconds: float | None = None
    since: datetime | None = None
    usual: float | None = None  # seconds that it took most stores, where that is known


def steps(state: str, events: Sequence[Mark], culprit: str = "") -> list[Step]:
    """The steps of a store in `state` (its word) with these events, oldest first.

    A step's time runs from the end of the one before it, or from the last retry.  Steps run side by side in the
    cluster, so one that ended before its predecessor took no time of its own.  `culprit`: the key of the step that a
    failed store failed at, where it is known; else it is the first that did not end.
    """
    plan = DELETING if state == "DELETING" else SETTING_UP
    if state == "READY":
        events = events[: _last_ready(events)]
    ends = {kind: next((event.at for event in reversed(events) if event.kind == kind), None) for _, kind in plan}
    if state == "READY":  # it is up: what the timeline misses (a restart took it along) happened all the same
        ends = {kind: at or max((each.at for each in events), default=None) for kind, at in ends.items()}
    elif "store.ready" in ends:  # it was ready once, and is on its way again
        ends["store.ready"] = None
        if other_release(events) and not _comes_after(events, "medusa.ready", OTHER_RELEASE):
            ends["medusa.ready"] = None  # the pod of the release before
    undone = [key for key, kind in plan if ends[kind] is None]
    current = culprit if culprit in undone else next(iter(undone), None)
    retries = [event.at for event in events if event.kind in ANEW]
    found: list[Step] = []
    last: datetime | None = None
    for key, kind in plan:
        if end := ends[kind]:
            since = max([at for at in (last, *(retry for retry in retries if retry <= end)) if at], default=end)
            found.append(Step(key, "done", seconds=max(0.0, (end - since).total_seconds())))
            last = max(last or end, end)
        elif key != current or state == "REQUESTED":
            found.append(Step(key, "next"))
        elif state == "FAILED":
            found.append(Step(key, "failed"))
        else:
            found.append(Step(key, "now", since=max([at for at in (last, *retries) if at], default=None)))
    return found


def other_release(events: Sequence[Mark]) -> datetime | None:
    """When the release was asked for that the store has not come up with yet; None: it is not on its way to one."""
    asked = None
    for event in events:
        asked = event.at if event.kind in OTHER_RELEASE else None if event.kind == "store.ready" else asked
    return asked


def _comes_after(events: Sequence[Mark], kind: str, earlier: Sequence[str]) -> bool:
    """Whether an event of `kind` follows the last of `earlier`: by their order, as their times are whole seconds."""
    kinds = [event.kind for event in events]
    return kind in kinds[max((number for number, each in enumerate(kinds) if each in earlier), default=0) :]


def _last_ready(events: Sequence[Mark]) -> int:
    """Where the way to the shop ended: what came later (a pod that was replaced) was no step of it."""
    return max((number for number, event in enumerate(events, 1) if event.kind == "store.ready"), default=len(events))


def with_usual(found: Sequence[Step], usual: Mapping[str, float]) -> list[Step]:
    """The steps, with what each takes most stores (`usual`: seconds by step)."""
    return [replace(step, usual=usual.get(step.key)) for step in found]


def late_at(found: Sequence[Step]) -> datetime | None:
    """When the step that goes on has taken well beyond what it usually takes; None where none goes on.

    Steps run side by side: those before it that have not ended, either, are waited for as well.
    """
    current = next((number for number, step in enumerate(found) if step.state == "now"), None)
    if current is None or (since := found[current].since) is None:
        return None
    usual = [step.usual for step in found[: current + 1] if step.state != "done"]
    known = [seconds for seconds in usual if seconds is not None]
    seconds = 2 * sum(known) + 5 if len(known) == len(usual) else PATIENCE
    return since + timedelta(seconds=max(LEAST_PATIENCE, seconds))


def medians(ways: Iterable[Sequence[Step]], fewest: int) -> dict[str, float]:
    """Seconds that each step usually takes, by the ways of other stores; of steps seen less often, nothing."""
    took: dict[str, list[float]] = {}
    for way in ways:
        for step in way:
            if step.seconds is not None:
                took.setdefault(step.key, []).append(step.seconds)
    return {key: median(seconds) for key, seconds in took.items() if len(seconds) >= fewest}


def share_done(found: Sequence[Step]) -> float:
    """How much of the way is behind, from 0 to 1."""
    return sum(step.state == "done" for step in found) / len(found) if found else 0.0


def total(events: Sequence[Mark]) -> float | None:
    """Seconds from the wish (or the last retry) to the shop's first page; None before that."""
    ends = [event.at for event in events if event.kind == "store.ready"]
    if not ends:
        return None
    begins = [event.at for event in events if event.kind in ("store.requested", *ANEW)]
    begins = [at for at in begins if at <= ends[-1]]
    return (ends[-1] - begins[-1]).total_seconds() if begins else None


class Stepper(Element, component="stepper.js"):
    """The steps as a row (on a phone: a list), with the time each took; the running one counts by itself."""

    def __init__(self, found: Sequence[Step], texts: Mapping[str, Any], label: str) -> None:
        super().__init__()
        self._props.update(steps=[_plain(step) for step in found], texts=dict(texts), label=label)

    def show(self, found: Sequence[Step]) -> None:
        plain = [_plain(step) for step in found]
        if plain != self._props["steps"]:
            self._props["steps"] = plain
            self.update()


def _plain(step: Step) -> dict[str, Any]:
    return {**asdict(step), "since": step.since.isoformat() if step.since else None}
