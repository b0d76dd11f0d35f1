"""What stores use of CPU and memory, as metrics.k8s.io tells it: one list for all stores, kept in memory for a day.

Nothing of it is stored: it is for looking at, and a restart begins anew.  A store's history is two rings of numbers, an
hour as it was sampled and a day in averages of five minutes, 21 KB at most.
"""

import asyncio
import contextlib
import logging
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from provisioning import names
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.failures import PARTS, time_of
from provisioning.quantities import quantity

log = logging.getLogger(__name__)

EVERY = 30.0  # seconds between two samples
WATCHED_EVERY = 15.0  # while somebody looks; a metrics server has nothing newer either
ABSENT_EVERY = 300.0  # while the cluster measures nothing
WATCHED_ABSENT_EVERY = 60.0
HOUR, DAY, AVERAGED = 3600.0, 86_400.0, 300.0  # seconds
_SLACK = 1.0  # seconds that the clock may come early

PART_NAMES = tuple(PARTS)  # as a row has them
_WIDTH = 1 + 2 * len(PART_NAMES)


@dataclass(frozen=True)
class Sample:
    """What a store used at a moment: by part, cores and bytes; of a part that was not measured, nothing."""

    at: datetime
    cpu: dict[str, float]
    memory: dict[str, float]


class Ring:
    """Rows of (time, cores and bytes of each part; NaN for none), the oldest first, none older than `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._numbers = array("d")

    def add(self, row: Sequence[float]) -> None:
        self._numbers.extend(row)
        oldest = row[0] - self._seconds
        while self._numbers and self._numbers[0] < oldest:
            del self._numbers[:_WIDTH]

    def __len__(self) -> int:
        return len(self._numbers) // _WIDTH

    def __iter__(self) -> Iterator[Sequence[float]]:
        for first in range(0, len(self._numbers), _WIDTH):
            yield self._numbers[first : first + _WIDTH]

    @property
    def last(self) -> float:
        """The time of the newest row; 0 where there is none."""
        return self._numbers[-_WIDTH] if self._numbers else 0.0


class History:
    """One store's."""

    def __init__(self) -> None:
        self._hour, self._day = Ring(HOUR), Ring(DAY)
        self._gathered: list[Sequence[float]] = []  # of the five minutes that are not over

    def add(self, row: Sequence[float]) -> None:
        """A row later than all before; another is ignored."""
        if row[0] <= self._hour.last:
            return
        self._hour.add(row)
        if self._gathered and int(row[0] // AVERAGED) != int(self._gathered[0][0] // AVERAGED):
            self._day.add(_average(self._gathered))
            self._gathered = []
        self._gathered.append(row)

    @property
    def last(self) -> float:
        return self._hour.last

    def hour(self) -> list[Sample]:
        return [_sample(row) for row in self._hour]

    def day(self) -> list[Sample]:
        rows = [*self._day, *([_average(self._gathered)] if self._gathered else [])]
        return [_sample(row) for row in rows]


class Usage:
    """One for the process; `look` at it by a clock, every fifteen seconds or so."""

    def __init__(self, cluster: Cluster, installation: str, on_sample: Callable[[], None] = lambda: None) -> None:
        """`on_sample` is called when there is something new to see, and when it is another why there is nothing."""
        self._cluster, self._on_sample = cluster, on_sample
        self._selector = f"storefleet.dev/installation={installation}"
        self._histories: dict[str, History] = {}  # by namespace
        self._looked = -math.inf  # by the loop's clock
        self._looking = asyncio.Lock()
        self.trouble = ""  # why there are no new figures: "absent" (the cluster measures nothing), "away", or none

    async def look(self, *, watched: bool) -> None:
        """Sample all stores, if it is time; `watched`: somebody waits for it."""
        absent = self.trouble == "absent"
        if watched:
            pause = WATCHED_ABSENT_EVERY if absent else WATCHED_EVERY
        else:
            pause = ABSENT_EVERY if absent else EVERY
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() - self._looked < pause - _SLACK:
                return
            self._looked = loop.time()
            await self._sample()

    def of(self, name: str) -> History | None:
        """A store's history; None while nothing of it was measured."""
        return self._histories.get(names.namespace(name))

    async def _sample(self) -> None:
        before = self.trouble
        try:
            measured, _ = await self._cluster.list_all("PodMetrics", selector=self._selector)
        except ClusterError as error:
            # 404: there is no such API; 503: it is registered, and nothing serves it; 403: not for us.
            self.trouble = "absent" if error.status in (403, 404, 503) else "away"
            if self.trouble != before:
                log.info("what stores use is not known: %s", error)
                self._on_sample()
            return
        self.trouble = ""
        for namespace, row in _rows(measured).items():
            self._histories.setdefault(namespace, History()).add(row)
        oldest = datetime.now(UTC).timestamp() - HOUR
        for namespace in [each for each, history in self._histories.items() if history.last < oldest]:
            del self._histories[namespace]
        if measured or before:
            self._on_sample()


def _rows(measured: Sequence[Obj]) -> dict[str, list[float]]:
    """One row for each namespace: the pods of a part together, at the newest of their times."""
    rows: dict[str, list[float]] = {}
    for pod in measured:
        part = (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/name", "")
        if part not in PART_NAMES:
            continue
        row = rows.setdefault(pod["metadata"]["namespace"], [0.0, *[math.nan] * (_WIDTH - 1)])
        with contextlib.suppress(ValueError, KeyError, TypeError):  # what is no figure counts for nothing
            at = time_of(str(pod["timestamp"])).timestamp()
            used = [each["usage"] for each in pod["containers"]]
            cores, size = (sum(quantity(each[what]) for each in used) for what in ("cpu", "memory"))
            row[0] = max(row[0], at)
            for column, number in zip(_columns(part), (cores, size), strict=True):
                row[column] = number if math.isnan(row[column]) else row[column] + number
    return {namespace: row for namespace, row in rows.items() if row[0]}


def _columns(part: str) -> tuple[int, int]:
    first = 1 + 2 * PART_NAMES.index(part)
    return first, first + 1


def _average(rows: Sequence[Sequence[float]]) -> list[float]:
    """Of what was measured; at the time of the last."""
    found = [rows[-1][0]]
    for column in range(1, _WIDTH):
        numbers = [row[column] for row in rows if not math.isnan(row[column])]
        found.append(sum(numbers) / len(numbers) if numbers else math.nan)
    return found


def _sample(row: Sequence[float]) -> Sample:
    cpu, memory = {}, {}
    for part in PART_NAMES:
        cores, size = (row[column] for column in _columns(part))
        if not math.isnan(cores):
            cpu[part], memory[part] = cores, size
    return Sample(datetime.fromtimestamp(row[0], UTC), cpu, memory)
