"""What is inside a store: its parts, its logs, what it uses.  The one service behind the API and the pages.

Every method takes the actor and finds the store as `app.stores` does: one of somebody else's is not there.  What a log
holds leaves here masked: what looks like a secret, and every secret of this very store.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

from app.actor import Actor
from app.inside_views import (
    LogOf,
    LogQuery,
    Measured,
    PartLimits,
    PartsView,
    PartView,
    PodView,
    SampleView,
    UsageView,
    WarningView,
)
from app.problems import Problem
from app.stores import Stores
from provisioning import names, parts, pod_logs
from provisioning.changes import Change, Changes
from provisioning.cluster import ClusterError
from provisioning.failures import PARTS, of_kind
from provisioning.failures.front_door import certificate_secret_of
from provisioning.models import Store
from provisioning.parts import Certificate, Part, PartHealth
from provisioning.pod_logs import LogLine, Note
from provisioning.states import State

if TYPE_CHECKING:
    from provisioning.cluster import Cluster, Obj
    from provisioning.engine import Engine
    from provisioning.usage import Usage

CLUSTER_BACK_IN = 10  # seconds to tell who asks while the cluster is away
CERTIFICATE_KEPT, CERTIFICATES_KEPT = 30.0, 1000  # seconds; and how many
STREAMS_EACH, STREAMS_IN_ALL = 10, 200  # logs followed at the same time, by one person and in this process
GATHER = 0.3  # seconds in which changes of a store count as one
LOOK_AGAIN = 5.0  # seconds, at most, until it is looked whether there is a pod

LogItem = list[LogLine] | Note | LogOf


class Inside:
    """The service.  It knows nothing until `begin`."""

    def __init__(self, stores: Stores, changes: Changes) -> None:
        self._stores, self._changes = stores, changes
        self._engine: Engine | None = None
        self._cluster: Cluster | None = None
        self._usage: Usage | None = None
        self._simulated = False
        self._followers: dict[str, list[Callable[[], None]]] = {}  # by the store's name
        self._certificates: dict[str, tuple[float, Certificate]] = {}  # by the store's id
        self._streams: Counter[str] = Counter()  # by the user's id

    def begin(self, engine: "Engine", cluster: "Cluster", usage: "Usage", *, simulated: bool) -> None:
        """There is an engine now, and a cluster to ask."""
        self._engine, self._cluster, self._usage, self._simulated = engine, cluster, usage, simulated
        engine.on_objects = self._tell
        self.tell_all()

    def end(self) -> None:
        self._engine = self._cluster = self._usage = None

    def follow(self, name: str, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever what is inside the store may be different; the answer ends that.

        Gives nothing away: what it is one has to ask.
        """
        self._followers.setdefault(name, []).append(listener)

        def leave() -> None:
            with contextlib.suppress(KeyError, ValueError):
                self._followers[name].remove(listener)
                if not self._followers[name]:
                    del self._followers[name]

        return leave

    async def sample(self) -> None:
        """By the clock: measure what stores use, more often while somebody looks."""
        if self._usage is not None:
            await self._usage.look(watched=bool(self._followers))

    def tell_all(self) -> None:
        """There is something new about every store."""
        for name in list(self._followers):
            self._tell(name)

    def _tell(self, name: str) -> None:
        for listener in list(self._followers.get(name, ())):
            listener()

    async def parts(self, actor: Actor, name: str) -> PartsView:
        """How each part of the store is.  Problem 404."""
        store = await self._stores.row(actor, name)
        status = self._engine.status() if self._engine else None
        objects = self._engine.objects(name) if self._engine else []
        found = await self._parts(store, objects)
        if status is None or status.cluster != "connected":
            found = parts.unknown(found, "")
        return PartsView(
            cluster=status.cluster if status else "connecting",
            items=[PartView.model_validate(each) for each in found],
            warnings=[WarningView.model_validate(each) for each in parts.told(objects)],
        )

    async def _parts(self, store: Store, objects: "list[Obj]") -> list[Part]:
        ready = store.state is State.READY
        found = parts.parts(objects, store.state_at, ready=ready, certificate=await self._certificate(store, objects))
        if store.state is State.DELETING and store.destroy_at is None:
            return [each for each in found if each.health is not PartHealth.UNUSED]
        return found

    async def usage(self, actor: Actor, name: str, *, day: bool = False) -> UsageView:
        """What the store used in the last hour (or `day`), and may use.  Problem 404."""
        store = await self._stores.row(actor, name)
        objects = self._engine.objects(name) if self._engine else []
        history = self._usage.of(name) if self._usage else None
        began = store.created_at  # what an earlier store of this name used is not this one's
        samples = [each for each in ((history.day() if day else history.hour()) if history else []) if each.at >= began]
        trouble = self._usage.trouble if self._usage else ""
        found = await self._parts(store, objects)
        runs = any(each.state == "running" for part in found for pod in part.pods for each in pod.containers)
        if trouble:
            measured: Measured = "absent" if trouble == "absent" else "away"
        else:
            measured = "idle" if not runs else "yes" if samples else "not_yet"
        return UsageView(
            measured=measured,
            simulated=self._simulated,
            limits=_limits(found),
            samples=[SampleView(at=each.at, cpu=each.cpu, memory=each.memory) for each in samples],
            disk_bytes=parts.volume_size(objects) or None,
        )

    async def read_log(self, actor: Actor, name: str, query: LogQuery) -> AsyncGenerator[list[LogLine], None]:
        """The end of a log, to be read in batches.

        Problems: 404 no such store, pod or container; 409 nothing was printed yet; 503 the cluster is away.
        """
        store = await self._stores.row(actor, name)
        cluster, source = self._connected(), self._source(store, query)
        if source is None:
            raise Problem(409, _no_pod(query))
        secrets = await self._stores.secrets(store)
        lines = pod_logs.read(cluster, source, lines=query.lines, previous=query.previous, secrets=secrets)
        try:
            first: list[LogLine] = await anext(lines, [])  # what is refused is refused here
        except ClusterError as error:
            raise _refused(error) from error
        return _with_first(first, lines)

    async def follow_log(self, actor: Actor, name: str, query: LogQuery) -> AsyncGenerator[LogItem, None]:
        """The end of a log and what comes, from pod to pod where none is named; ends when the store is gone.

        Problems, before anything is read: 404, 429 too many at once, 503.
        """
        store = await self._stores.row(actor, name)
        self._connected()
        self._source(store, query)
        if self._streams[actor.user_id] >= STREAMS_EACH or self._streams.total() >= STREAMS_IN_ALL:
            raise Problem(429, "Too many logs are being followed. Close one and try again.", retry_after=10)
        return self._follow(actor, store, query)

    async def _follow(self, actor: Actor, store: Store, query: LogQuery) -> AsyncGenerator[LogItem, None]:
        secrets, since, told = await self._stores.secrets(store), query.since, ""
        changed, renewing = asyncio.Event(), set[asyncio.Task[None]]()

        async def renew() -> None:
            """What is no secret any more is none to show either."""
            secrets.extend(each for each in await self._stores.secrets(store) if each not in secrets)

        def on_change(change: Change) -> None:  # a rotation is one, and says so before it begins
            if change.store_id == store.id and not change.gone:
                renewing.add(task := asyncio.create_task(renew(), name=f"secrets of {store.name}"))
                task.add_done_callback(renewing.discard)

        leave, unsubscribe = self.follow(store.name, changed.set), self._changes.subscribe(on_change)
        self._streams[actor.user_id] += 1
        try:
            while True:
                changed.clear()
                try:
                    cluster, source = self._connected(), self._source(store, query)
                except Problem as problem:
                    if problem.status == 404:  # the pod that was asked for is gone
                        yield Note("This pod is gone.")
                        return
                    source, note = None, problem.detail
                else:
                    note = _no_pod(query)
                if source is None:
                    if note != told:
                        told = note
                        yield Note(note)
                else:
                    told = ""
                    yield LogOf(source.pod, source.container)
                    items = pod_logs.follow(cluster, source, lines=query.lines, since=since, secrets=secrets)
                    async with contextlib.aclosing(items):
                        async for item in items:
                            yield item
                    since = ""
                await asyncio.sleep(GATHER)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), LOOK_AGAIN)
                if (await self._stores.row(actor, store.name)).id != store.id:
                    return
        except Problem:  # the store is gone
            return
        finally:
            leave()
            unsubscribe()
            self._streams[actor.user_id] -= 1
            self._streams += Counter()  # drops those at zero

    def _connected(self) -> "Cluster":
        if self._cluster is None or self._engine is None or self._engine.status().cluster != "connected":
            raise _away()
        return self._cluster

    def _source(self, store: Store, query: LogQuery) -> pod_logs.Source | None:
        """The container that is meant, among those that the store has now; None while the part has no pod."""
        if query.part not in PARTS:
            raise Problem(404, f"Only these parts have logs: {', '.join(PARTS)}.")
        objects = self._engine.objects(store.name) if self._engine else []
        found = parts.parts(objects, store.state_at, ready=False)
        pods = [PodView.model_validate(pod) for part in found if part.key == query.part for pod in part.pods]
        chosen = next((pod for pod in pods if pod.name == query.pod), None) if query.pod else next(iter(pods), None)
        if chosen is None:
            if query.pod:
                raise Problem(404, "There is no such pod in this store.")
            return None
        every = [each.name for each in chosen.containers]
        container = query.container or (query.part if query.part in every else every[-1])
        if container not in every:
            raise Problem(404, f"There is no such container; there are: {', '.join(every)}.")
        return pod_logs.Source(names.namespace(store.name), chosen.name, container)

    async def _certificate(self, store: Store, objects: "list[Obj]") -> Certificate | None:
        """What stands behind https, which no cache holds; asked of the cluster now and then."""
        ingress = next(iter(of_kind(objects, "Ingress")), None)
        secret = certificate_secret_of(ingress) if ingress else ""
        if not secret or self._cluster is None:
            return None
        now = asyncio.get_running_loop().time()
        known = self._certificates.get(store.id)
        if known is None or now - known[0] > CERTIFICATE_KEPT:
            if len(self._certificates) >= CERTIFICATES_KEPT:
                self._certificates.clear()
            namespace = names.namespace(store.name)
            certificate = there = None
            with contextlib.suppress(ClusterError):
                certificate = await self._cluster.get("Certificate", secret, namespace)
                there = True if certificate else await self._cluster.get("Secret", secret, namespace) is not None
            known = self._certificates[store.id] = now, Certificate(there, certificate)
        return known[1]


async def _with_first(
    first: list[LogLine], rest: AsyncGenerator[list[LogLine], None]
) -> AsyncGenerator[list[LogLine], None]:
    async with contextlib.aclosing(rest):
        yield first
        with contextlib.suppress(ClusterError):  # what came so far is true
            async for lines in rest:
                yield lines


def _limits(found: list[Part]) -> dict[str, PartLimits]:
    """Of all pods of a part that do not leave."""
    limits = {}
    for part in found:
        containers = [each for pod in part.pods if not pod.leaving for each in pod.containers]
        if containers:
            cpu, memory = [each.cpu_limit for each in containers], [each.memory_limit for each in containers]
            limits[part.key] = PartLimits(
                cpu=sum(cpu) if all(cpu) else None, memory=sum(memory) if all(memory) else None
            )
    return limits


def _no_pod(query: LogQuery) -> str:
    return f"There is no pod of {PARTS[query.part]} at the moment."


def _refused(error: ClusterError) -> Problem:
    if error.status == 400:  # in the cluster's words: it waits to start, or there was no run before
        return Problem(409, pod_logs.words(error))
    if error.status == 404:
        return Problem(404, "There is no such pod in this store.")
    return _away()


def _away() -> Problem:
    return Problem(503, "The cluster does not answer. Try again in a moment.", retry_after=CLUSTER_BACK_IN)
