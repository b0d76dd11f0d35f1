"""What is in the cluster, kept up to date by list and watch: one stream a kind for all stores.

A quiet store so costs no API call.  Why it is safe to decide by a cache: objects enter only by a list, a watch that
goes on from that list, or the answer to a write of our own, and never in place of a newer version; any error of a
stream throws the kind back to a new list; a stream is also ended, and listed anew, on a timer, since watches can die
silently; and while any stream is broken or long silent, `trouble` says so and the engine waits rather than act on what
it last saw.  The answer to a write may come later than the news that the object is gone: what went is remembered for a
while, and comes back only in a newer version (when it carries our labels again).

Objects are kept as JSON text, a fifth of what they take as dicts: most stores are quiet most of the time, and a look at
one reads some twenty of them in half a millisecond.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from provisioning import release, tasks
from provisioning.cluster import Cluster, ClusterError, Obj

log = logging.getLogger(__name__)

DIGEST = "storefleet.dev/cached-digest"
"""An annotation that a cached Secret carries in place of its data; exists in this process only."""

RELIST_AFTER = 600.0  # seconds
SILENT_TOO_LONG = 180.0  # seconds; the cluster sends a bookmark about once a minute
LONGEST_BACKOFF = 15.0
REMEMBERED = 500  # uids of a kind's objects that are gone
LISTS_AT_ONCE = 2  # what is read at the same time is in memory at the same time


@dataclass(frozen=True)
class Watched:
    """A kind to watch: those of its objects that carry our labels, or, where they can carry none, all of them."""

    kind: str
    labelled: bool = True


LABELLED = (
    "Namespace",
    "Pod",
    "PersistentVolumeClaim",
    "Service",
    "Secret",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "StatefulSet",
    "Deployment",
    "Ingress",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
)
WATCHED = (
    *(Watched(kind) for kind in LABELLED),
    Watched("PersistentVolume", labelled=False),
    Watched("Event", labelled=False),
)


def namespace_of(obj: Obj) -> str:
    """Where an object belongs: a volume to its claim's namespace, an event to its subject's, a namespace to itself."""
    if obj["kind"] == "Namespace":
        return str(obj["metadata"]["name"])
    if obj["kind"] == "PersistentVolume":
        return str((obj["spec"].get("claimRef") or {}).get("namespace", ""))
    if obj["kind"] == "Event":
        return str(obj["involvedObject"].get("namespace") or obj["metadata"].get("namespace", ""))
    return str(obj["metadata"].get("namespace", ""))


def digest(data: object) -> str:
    """A short fingerprint of JSON data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Kept:
    kind: str
    key: tuple[str, str]  # its own namespace, name
    uid: str
    version: int
    belongs_to: str  # the store's namespace
    json: bytes

    @property
    def object(self) -> Obj:
        obj: Obj = json.loads(self.json)
        return obj


@dataclass
class _Stream:
    watched: Watched
    objects: dict[tuple[str, str], _Kept] = field(default_factory=dict)  # by (its own namespace, name)
    gone: dict[str, int] = field(default_factory=dict)  # by uid: in which version it went; the last few, oldest first
    trouble: str = "the first look at the cluster"  # "" while list and watch go well
    listed: bool = False  # ever
    heard: float = 0.0  # when it last said something, by the loop's clock


class Cache:
    """The watched objects, by the namespace that they belong to."""

    def __init__(self, cluster: Cluster, installation: str, prefix: str, on_change: Callable[[str], None]) -> None:
        """`on_change(namespace)` is called for every difference; of unlabelled kinds, `prefix` names the namespaces."""
        self._cluster, self._prefix, self._on_change = cluster, prefix, on_change
        self._selector = f"storefleet.dev/installation={installation}"
        self._streams = {watched.kind: _Stream(watched) for watched in WATCHED}
        self._by_namespace: dict[str, dict[tuple[str, str, str], _Kept]] = defaultdict(dict)
        self._list_places = asyncio.Semaphore(LISTS_AT_ONCE)
        self._versions: dict[str, int] = defaultdict(int)  # by namespace: how often it changed
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._follow(stream), name=f"watch {stream.watched.kind}")
            for stream in self._streams.values()
        ]

    async def stop(self) -> None:
        await tasks.end(self._tasks)
        self._tasks = []

    @property
    def trouble(self) -> str:
        """Why the cache must not be acted on, as a sentence; "" when it may."""
        if broken := next((stream.trouble for stream in self._streams.values() if stream.trouble), ""):
            return broken
        silent = self.age
        return f"the cluster's watches have been silent for {silent:.0f} seconds" if silent > SILENT_TOO_LONG else ""

    @property
    def age(self) -> float:
        """Seconds since the watch that has been silent longest was heard."""
        now = asyncio.get_running_loop().time()
        return now - min(stream.heard for stream in self._streams.values())

    @property
    def listed(self) -> bool:
        """Was everything seen once, whatever is the matter now?"""
        return all(stream.listed for stream in self._streams.values())

    def objects(self, namespace: str) -> list[Obj]:
        """Everything known of one store's namespace."""
        return [kept.object for kept in self._by_namespace.get(namespace, {}).values()]

    def version(self, namespace: str) -> int:
        """A number that is another one whenever anything about the namespace changed."""
        return self._versions[namespace]

    def put(self, obj: Obj) -> None:
        """Take in the answer to a write of our own, so that the next look sees it before the watch tells."""
        stream = self._streams.get(obj["kind"])
        if stream is not None:
            self._set(stream, obj)

    def put_all(self, kind: str, namespace: str, objects: Iterable[Obj], kept: Callable[[Obj], bool]) -> None:
        """Take in a fresh list of one kind in one namespace; what is not in it is gone, but for those to be `kept`."""
        stream, listed = self._streams[kind], set()
        for obj in objects:
            listed.add(_key(obj))
            self._set(stream, obj)
        for key, known in list(stream.objects.items()):
            if key[0] == namespace and key not in listed and not kept(known.object):
                self._drop(stream, key, known.uid, known.version)

    async def _follow(self, stream: _Stream) -> None:
        """List and watch one kind for ever."""
        kind, backoff = stream.watched.kind, 0.2
        selector = self._selector if stream.watched.labelled else ""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with self._list_places:
                    version = await self._list(stream, selector)
                stream.trouble, stream.listed = "", True
                listed, backoff = loop.time(), 0.2
                stream.heard = listed
                while loop.time() - listed < RELIST_AFTER:
                    seconds = random.randint(240, 300)  # noqa: S311 - spreads the streams over time
                    async with contextlib.aclosing(self._cluster.watch(kind, version, selector, seconds)) as changes:
                        async for change, obj in changes:
                            version, stream.heard = obj["metadata"]["resourceVersion"], loop.time()
                            if change == "DELETED":
                                self._drop(stream, _key(obj), obj["metadata"]["uid"], int(version))
                            elif change != "BOOKMARK":
                                self._set(stream, {**obj, "kind": kind})
            except ClusterError as error:
                if error.status != 410:  # 410: our place in history was compacted; list again, nothing is wrong
                    # One cluster that is away breaks every stream: that is told once.
                    log.log(logging.DEBUG if self.trouble else logging.WARNING, "watch of %s: %s", kind, error)
                    stream.trouble = str(error)
                await asyncio.sleep(backoff * random.uniform(0.5, 1.5))  # noqa: S311
                backoff = min(backoff * 2, LONGEST_BACKOFF)
            except Exception as error:
                stream.trouble = f"the watch of {kind} failed: {error}"
                log.exception("watch of %s failed", kind)
                await asyncio.sleep(LONGEST_BACKOFF)

    async def _list(self, stream: _Stream, selector: str) -> str:
        """Take in what there is, drop what is not; the version to go on from."""
        listed, version = set(), ""
        async with contextlib.aclosing(self._cluster.pages(stream.watched.kind, selector)) as pages:
            async for objects, version in pages:  # noqa: B007 - the last one counts
                for obj in objects:
                    listed.add(_key(obj))
                    self._set(stream, obj)
        for key, known in list(stream.objects.items()):
            # What we wrote while it was read may be newer than the list.
            if key not in listed and known.version <= int(version):
                self._drop(stream, key, known.uid, int(version))
        return version

    def _set(self, stream: _Stream, obj: Obj) -> None:
        namespace = namespace_of(obj)
        if not stream.watched.labelled and not namespace.startswith(self._prefix):
            return
        key, uid, version = _key(obj), obj["metadata"]["uid"], _version(obj)
        known = stream.objects.get(key)
        if version <= stream.gone.get(uid, 0) or (known is not None and known.version >= version and known.uid == uid):
            return
        text = json.dumps(_slim(obj), separators=(",", ":")).encode()
        kept = _Kept(stream.watched.kind, key, uid, version, namespace, text)
        stream.objects[key] = kept
        self._by_namespace[namespace][(kept.kind, *key)] = kept
        self._changed(namespace)

    def _drop(self, stream: _Stream, key: tuple[str, str], uid: str, version: int) -> None:
        """It is not among what is ours any more, as of `version`."""
        stream.gone[uid] = version
        if len(stream.gone) > REMEMBERED:
            del stream.gone[next(iter(stream.gone))]
        known = stream.objects.get(key)
        if known is None or known.uid != uid:
            return
        del stream.objects[key]
        objects = self._by_namespace[known.belongs_to]
        objects.pop((known.kind, *key), None)
        if not objects:
            del self._by_namespace[known.belongs_to]
        self._changed(known.belongs_to)

    def _changed(self, namespace: str) -> None:
        self._versions[namespace] += 1
        self._on_change(namespace)


def _key(obj: Obj) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _version(obj: Obj) -> int:
    """Resource versions of one kind compare as numbers (documented since Kubernetes 1.35, true long before)."""
    return int(obj["metadata"]["resourceVersion"])


def _slim(obj: Obj) -> Obj:
    """The object without what nobody here reads; of a Secret's data only a fingerprint stays in memory,
    and of Helm's record the manifest, in which there are no secrets, and what it was made from."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    slim = {**obj, "metadata": metadata}
    if obj["kind"] == "Secret":
        slim.pop("stringData", None)
        annotations = dict(metadata.get("annotations") or {})
        if obj.get("type") == release.TYPE:
            annotations |= release.kept(obj)
        annotations[DIGEST] = digest(slim.pop("data", None) or {})
        slim["metadata"] = {**metadata, "annotations": annotations}
    return slim
