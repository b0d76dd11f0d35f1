"""What is inside a store, as people and programs see it: parts, use, and what to ask of a log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from provisioning.parts import PartHealth


class ContainerView(BaseModel):
    """A container of a pod."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    image: str
    ready: bool
    state: str  # "running", or why it does not
    since: datetime | None
    restarts: int
    had_run: bool  # `previous` gets the log of the run before


class PodView(BaseModel):
    """A pod; of several, the newest is first."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    ready: bool
    leaving: bool
    since: datetime
    containers: list[ContainerView]


class PartView(BaseModel):
    """A part of a store.  `note` (why it is not well) and `detail` hold untrusted text."""

    model_config = ConfigDict(from_attributes=True)

    key: str  # postgres, medusa, ingress, certificate, volume
    health: PartHealth
    note: str
    detail: str
    since: datetime | None
    image: str
    restarts: int
    pods: list[PodView]


class WarningView(BaseModel):
    """How often the cluster said what a line of the timeline tells; it forgets after about an hour."""

    model_config = ConfigDict(from_attributes=True)

    reason: str
    about: str  # "pod/postgres-0"
    count: int
    last: datetime


class PartsView(BaseModel):
    """A store's parts, and what the cluster warns of."""

    cluster: str  # "connected", "connecting" or "away": then the parts are as they were last seen
    items: list[PartView]
    warnings: list[WarningView]


class PartLimits(BaseModel):
    """What the pods of a part may use at most; null: as much as there is."""

    cpu: float | None  # cores
    memory: float | None  # bytes


class SampleView(BaseModel):
    """What was used at a moment, by part: cores and bytes."""

    at: datetime
    cpu: dict[str, float]
    memory: dict[str, float]


Measured = Literal["yes", "not_yet", "idle", "absent", "away"]
"""Whether there are figures, and why there are none: nothing of the store runs, or this cluster measures nothing."""


class UsageView(BaseModel):
    """What a store uses, against what it may use."""

    measured: Measured
    simulated: bool  # by the sandbox
    limits: dict[str, PartLimits]
    samples: list[SampleView]  # the oldest first
    disk_bytes: float | None  # size of the database's volume; how full it is the cluster does not tell


@dataclass(frozen=True)
class LogQuery:
    """Which log: of the newest pod of a part, unless `pod` names one; `since`: only what came after that time."""

    part: str = "medusa"
    pod: str = ""
    container: str = ""
    lines: int = 200
    previous: bool = False
    since: str = ""


@dataclass(frozen=True)
class LogOf:
    """Whose lines follow."""

    pod: str
    container: str
