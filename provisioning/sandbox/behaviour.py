"""How the containers of known images behave: how long they take, what they print, what they wait for.

Data, not code: the first entry whose pattern matches the image counts.  All times are seconds at speed 1; they add up
to a store that is ready about ten seconds after it was asked for.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Step:
    """A moment in a container's start: so long after the step before, it prints a line."""

    after: float
    line: str = ""
    first_time_only: bool = False  # only on a database that nothing was in


@dataclass(frozen=True)
class Behaviour:
    image: str  # a pattern
    pull: float = 0.5
    at_once: tuple[str, ...] = ()  # lines printed as soon as it runs
    waits_for: str = ""  # the environment variable that names the Service it needs before it goes on
    steps: tuple[Step, ...] = (Step(0.3),)  # ready after the last
    run: float = 0.5  # how long it takes where it is meant to end (restartPolicy Never or OnFailure)
    stop: float = 0.3  # how long it takes to end when asked to
    idle: tuple[str, ...] = ()  # lines printed in turn while it runs and has nothing to do
    idle_every: float = 10.0
    cores: float = 0.002  # of CPU while it has nothing to do
    memory: float = 24 * 1024**2  # bytes


BEHAVIOURS = (
    Behaviour(
        image="*postgres:*",
        pull=1.4,
        at_once=('The files belonging to this database system will be owned by user "postgres".',),
        steps=(
            Step(1.1, "PostgreSQL init process complete; ready for start up.", first_time_only=True),
            Step(0.2, 'LOG:  listening on IPv4 address "0.0.0.0", port 5432'),
            Step(0.2, "LOG:  database system is ready to accept connections"),
            Step(0.3),
        ),
        idle=(
            "LOG:  checkpoint starting: time",
            "LOG:  checkpoint complete: wrote 44 buffers (0.3%); 0 WAL file(s) added, 0 removed, 0 recycled",
        ),
        idle_every=30.0,
        cores=0.004,
        memory=62 * 1024**2,
    ),
    Behaviour(
        image="*medusa-store:*",
        pull=1.5,
        waits_for="DATABASE_HOST",
        steps=(
            Step(0.9, "storefleet: database restored from the 2.21.2 snapshot", first_time_only=True),
            Step(1.6, "Server is ready on port: 9000"),
            Step(1.2, "storefleet: shop prepared"),
            Step(0.4),
        ),
        stop=0.6,
        idle=(
            "http: GET /health ← - (200) - 0.8 ms",
            "http: GET /ready ← - (200) - 2.3 ms",
            "http: GET /store/products?limit=12 ← - (200) - 18.4 ms",
            "http: GET /ready ← - (200) - 1.9 ms",
        ),
        idle_every=5.0,
        cores=0.012,
        memory=340 * 1024**2,
    ),
    Behaviour(image="*"),
)

_UNKNOWN_TAGS = ("missing", "does-not-exist")
_UNKNOWN_REGISTRIES = ("registry.invalid",)


def behaviour_of(image: str) -> Behaviour:
    return next(behaviour for behaviour in BEHAVIOURS if fnmatchcase(image, behaviour.image))


def is_malformed(image: str) -> bool:
    """Whether no registry could have an image of that name: only tags may have capital letters."""
    path = image.partition("/")[2] or image
    return path.rpartition(":")[0] != path.rpartition(":")[0].lower()


def is_known(image: str) -> bool:
    """Whether there is such an image: the sandbox believes in all but a few that are plainly meant not to be."""
    registry, _, rest = image.partition("/")
    tag = rest.rpartition("/")[2].partition(":")[2] if rest else image.partition(":")[2]
    return registry not in _UNKNOWN_REGISTRIES and not any(word in tag for word in _UNKNOWN_TAGS)
