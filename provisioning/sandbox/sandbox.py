"""The sandbox as a whole: what it is made of, and how it starts and stops."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from provisioning.sandbox import credentials
from provisioning.sandbox.api import Api
from provisioning.sandbox.bootstrap import bootstrap
from provisioning.sandbox.commands import Commands
from provisioning.sandbox.control import Control, Events, Moments, WorkQueue
from provisioning.sandbox.controllers.garbage import GarbageCollector
from provisioning.sandbox.controllers.jobs import Jobs
from provisioning.sandbox.controllers.namespaces import Namespaces, Quotas
from provisioning.sandbox.controllers.network import Endpoints, Ingresses
from provisioning.sandbox.controllers.nodes import Nodes
from provisioning.sandbox.controllers.ordered import StatefulSets
from provisioning.sandbox.controllers.replicas import Deployments, ReplicaSets
from provisioning.sandbox.controllers.storage import VolumeClaims, Volumes
from provisioning.sandbox.faults import Faults
from provisioning.sandbox.ingress import Ingress
from provisioning.sandbox.journal import Journal
from provisioning.sandbox.kubelet import Kubelet
from provisioning.sandbox.listener import Listener
from provisioning.sandbox.logs import Logs
from provisioning.sandbox.registry import Registry
from provisioning.sandbox.scheduler import Scheduler
from provisioning.sandbox.store import Store

_API_PORTS = range(6450, 6460)  # tried when the sandbox has a data folder, where the choice is remembered
_INGRESS_PORTS = range(8980, 8990)


@dataclass(frozen=True)
class SandboxOptions:
    """data_dir: where objects, certificate, token and ports are kept; None: nothing stays.
    speed: how much faster than believable pods start.  Ports: 0 for a free one.  seed: of the faults' chances.
    """

    data_dir: Path | None = None
    speed: float = 1.0
    api_port: int = 0
    ingress_port: int = 0
    seed: int | None = None


class Sandbox:
    """`async with Sandbox(...) as sandbox:` a cluster at `sandbox.kubeconfig`, its stores at `sandbox.ingress_url`.

    Raises OSError at start when a port is in use or the data folder cannot be written.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        self.faults = Faults(self.options.seed)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._stack: list[Listener] = []
        self._journal: Journal | None = None

    @property
    def kubeconfig(self) -> Path:
        """A file that only its owner can read."""
        return self._folder / "kubeconfig"

    @property
    def api_url(self) -> str:
        return f"https://127.0.0.1:{self._api_listener.port}"

    @property
    def ingress_url(self) -> str:
        return f"http://127.0.0.1:{self._ingress_listener.port}"

    async def __aenter__(self) -> "Sandbox":
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        kept = self.options.data_dir
        if kept is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="storefleet-sandbox-")
            self._folder = Path(self._temporary.name)
        else:
            self._folder = kept
            kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        papers = credentials.load_or_make(self._folder)
        self._store = Store()
        if kept is not None:
            self._journal = Journal(kept / "objects.sqlite", self._store)
            self._journal.load()
        registry = Registry(self._store)
        self._queue = WorkQueue(self.options.speed)
        self._logs = Logs(self.options.speed)
        control = Control(self._store, registry, self.faults, self._queue, Events(registry), Moments(self._queue))
        ingresses = Ingresses(control)
        control.controllers = [
            Namespaces(control),
            Quotas(control),
            GarbageCollector(control),
            Deployments(control),
            ReplicaSets(control),
            StatefulSets(control),
            Jobs(control),
            VolumeClaims(control),
            Volumes(control),
            Endpoints(control),
            ingresses,
            Nodes(control),
            Scheduler(control),
            Kubelet(control, self._logs),
        ]
        control.start()
        bootstrap(registry)
        self._store.forget_history()
        commands = Commands(registry, control.look_at_everything)
        self._api = Api(registry, papers.token, self.faults, self._logs.read, commands.run)
        self._api_listener = Listener(self._api.handle, papers.server_context(self._folder))
        self._ingress_listener = Listener(Ingress(self._store, ingresses).handle)
        for listener, port, preferred in (
            # The kubeconfig says where the API is; where stores are is in their addresses, so that port has to stay.
            (self._api_listener, self.options.api_port, (papers.api_port or 0, *_API_PORTS)),
            (self._ingress_listener, self.options.ingress_port or papers.ingress_port, _INGRESS_PORTS),
        ):
            self._stack.append(listener)
            await listener.start(port, preferred if kept else ())
        papers.api_port, papers.ingress_port = self._api_listener.port, self._ingress_listener.port
        papers.save(self._folder)
        credentials.write_private(self.kubeconfig, papers.kubeconfig(self.api_url))
        hooks = self.faults.hooks
        hooks.changed = control.look_at_everything
        hooks.drop_watches = self._api.cut_watches
        hooks.forget_history = self._store.forget_history
        hooks.api_away = self._api_listener.away

    async def _stop(self) -> None:
        if hasattr(self, "_api"):
            self._api.end_watches()
            self._logs.close()
        for listener in self._stack:
            await listener.stop()
        if hasattr(self, "_queue"):
            self._queue.close()
        if self._journal is not None:
            await self._journal.close()
        if self._temporary is not None:
            self._temporary.cleanup()
