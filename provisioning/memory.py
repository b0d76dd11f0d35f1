"""What is remembered of a store between two looks.

It only paces the work, and is lost at a restart without harm.  Times are by the loop's clock, which nobody sets.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from provisioning.decide import Limits, Observed, Step
from provisioning.failures import Finding, Reason
from provisioning.health import Health
from provisioning.models import now
from provisioning.release import Release


def clock() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Memory:
    """Of one store."""

    since: datetime | None = None  # of the state that the next is about
    error: Finding | None = None  # what its last step failed of
    in_log: Finding | None = None  # what its shop's log says that it waits for
    at_the_door: Finding | None = None  # why its address did not answer last
    failures: int = 0  # steps that failed in a row
    earlier_pods: frozenset[str] | None = None  # uids of the pods that were there at the first look at this attempt
    replaced: set[str] = field(default_factory=set)  # uids of pods that are on their way out, so that others come
    login_made: float | None = None  # when a database that refused the shop was told its login
    not_before: float = 0.0  # the next try
    mended: dict[str, tuple[int, float]] = field(default_factory=dict)  # by drift: how often, and when last
    health: Health | None = None  # as it was seen last
    claims: set[str] = field(default_factory=set)  # uids of the volume claims that were looked at
    ill_since: float | None = None
    ill_told: set[str] = field(default_factory=set)  # codes of its causes that the timeline tells
    ill_of: tuple[str, float] = ("", 0.0)  # the code of its present cause, and since when
    release: tuple[bool, datetime | None, float] | None = None  # see `seen_for`
    held: Reason | None = None  # what holds its deletion
    held_asked: float = 0.0
    age: tuple[datetime, float] | None = None  # see `now`
    untended: timedelta = timedelta()  # see `begin`
    step: Step | None = None  # the last, for the log

    def begin(self, since: datetime, limits: Limits) -> None:
        """It is in the state that it came into at `since`: what stood in the way before need not stand there now.

        `untended`: how much of its time passed while nobody may have been at work, at the first look at it: it is not
        given up before whoever takes it up has had a while.
        """
        if self.since == since:
            return
        self.since, self.error, self.earlier_pods, self.login_made = since, None, None, None
        self.untended = max(timedelta(), now() - since - max(timedelta(), limits.provisioning - limits.takeover))

    def seen_for(self, observed: Observed) -> timedelta:
        """For how long the release's newest record has been seen as it is."""
        it = observed.release is Release.LOCKED, observed.release_at
        if self.release is None or self.release[:2] != it:
            self.release = *it, clock()
        return timedelta(seconds=clock() - self.release[2])

    def now(self, since: datetime) -> datetime:
        """The time now, for telling how long ago `since` was: a clock that somebody sets in between changes nothing."""
        if self.age is None or self.age[0] != since:
            self.age = since, clock() - max(0.0, (now() - since).total_seconds())
        return since + timedelta(seconds=clock() - self.age[1])
