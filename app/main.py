"""Where the parts meet: composition, start and stop of the serving process."""

import asyncio
import contextlib
import importlib
import logging
import signal
import socket
import sys
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta
from importlib.metadata import version
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from nicegui import app as nicegui_app
from nicegui import client as nicegui_client
from nicegui import core, ui
from starlette.routing import Route

from app import api, oidc_sign_in, pages, policy, sign_in, sockets, startup
from app.command_error import CommandError
from app.connections import Connection, Places, Told, raise_file_limit
from app.guard import Guard
from app.services import Services, compose
from app.settings import Settings
from app.status import ClusterStatus
from app.target import Target, lease_namespace
from components import theme
from provisioning import capacity
from provisioning.changes import Change
from provisioning.notices import Listener
from provisioning.templates import secrets_elsewhere

log = logging.getLogger(__name__)

AGENT = f"storefleet/{version('storefleet')}"  # our name in the cluster's audit log
CONNECT_AGAIN = 10.0  # seconds until a kubeconfig that could not be used is tried again
STEPS_END_WITHIN = 15  # seconds, at most, that the next leader waits for what this one has begun
STREAMS_END_WITHIN = 5  # seconds, at most, for open requests when the process is told to stop


def build(settings: Settings) -> Services:
    """Wire everything that a request can reach onto NiceGUI's application.  Nothing runs yet."""
    services = compose(settings)
    nicegui_app.state.services = services
    rest = api.build(services)
    # First, and with their paths as they are: the API's own application answers whatever begins so.
    paths = ("/api", "/api/{rest:path}", "/healthz", "/readyz", "/metrics")
    nicegui_app.router.routes[:0] = [Route(path, rest) for path in paths]
    nicegui_app.include_router(sign_in.router(services))
    nicegui_app.include_router(oidc_sign_in.router(services))
    live = pages.register(services)
    nicegui_app.on_shutdown(live.stop)
    _defend(settings)
    return services


def _defend(settings: Settings) -> None:
    """Put our rules around everything that is served, and before NiceGUI's websocket."""
    places, told = Places(settings.connections_an_address), Told()
    whole = nicegui_app.build_middleware_stack

    def guarded() -> Guard:
        return Guard(whole(), settings.url, trusted=settings.proxies, places=places, told=told)

    # Around the layers, too, that NiceGUI adds when it starts to serve.
    nicegui_app.build_middleware_stack = guarded  # type: ignore[method-assign]
    policy.put_nonce_into(nicegui_client.templates.env)
    # NiceGUI lets websockets come from anywhere; None: from our own origin only.
    core.sio.eio.cors_allowed_origins = None
    core.app.config.socket_io_js_transports = ["websocket"]
    sockets.bind(core.sio, sign_in.cookie_name(settings.secure), told)
    Connection.limit(2 * settings.connections_an_address, settings.proxies, told)  # beyond the answer that says so


def serve(settings: Settings, target: Target, host: str, port: int) -> None:
    """Serve until told to stop.  Raises CommandError."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    port = _free_port(host, port)
    url = settings.url or f"http://{'localhost' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
    with ExitStack() as held:
        startup.make_data_dir(settings)
        raise_file_limit()
        overlay = startup.overlay(settings)
        unfit = startup.use_plans(settings, overlay)
        startup.claim(settings, held)
        invitation = asyncio.run(_prepare(settings, url))
        services = build(settings)
        services.stores.unfit, services.stores.secrets_elsewhere = unfit, secrets_elsewhere(overlay)
        runtime = Runtime(services, target, overlay)
        nicegui_app.on_startup(runtime.begin)
        nicegui_app.on_shutdown(runtime.stop)
        for sentence in (f"Storefleet serves at {url}", target.description, invitation):
            if sentence:
                print(sentence, flush=True)  # noqa: T201 - the console, not the log
        ui.run(
            host=host,
            port=port,
            show=False,
            reload=False,
            show_welcome_message=False,
            binding_refresh_interval=None,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # anybody can send X-Forwarded-For: a client is who it comes from
            timeout_graceful_shutdown=STREAMS_END_WITHIN,
            http=Connection,
            ws_max_size=sockets.LARGEST_MESSAGE,
            **theme.RUN_OPTIONS,
        )


class Runtime:
    """What runs beside the web server: the sandbox, the engine and its clock, and what other processes tell."""

    def __init__(self, services: Services, target: Target, overlay: dict[str, Any]) -> None:
        self._services, self._target, self._overlay = services, target, overlay
        self._parts = AsyncExitStack()
        self._starting: asyncio.Task[None] | None = None
        self._resigning: asyncio.Task[None] | None = None
        services.before_engine = ClusterStatus(detail="Connecting to the cluster.", sandbox=target.sandbox)

    def begin(self) -> None:
        """Start in the background, so that the first page does not wait for the cluster."""
        _call_on_signal(asyncio.get_running_loop(), self._services.stopping.set)
        self._starting = asyncio.create_task(self._start(), name="start the engine")
        self._resigning = asyncio.create_task(self._resign(), name="resign when told to stop")

    async def stop(self) -> None:
        """End everything in the reverse order."""
        self._services.stopping.set()
        if self._starting:
            self._starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._starting
        if self._resigning:
            await self._resigning
        self._services.engine = self._services.platform.sweep = self._services.stores.capacity = None
        self._services.inside.end()
        await self._parts.aclose()
        await self._services.database.close()

    async def _resign(self) -> None:
        """Let another process lead as soon as this one is told to stop: open streams may hold it up for a while.

        Not before what this one has begun has ended: else the other would begin the same once more.
        """
        await self._services.stopping.wait()
        leader, engine = self._services.leader, self._services.engine
        if leader is None or engine is None:
            return
        leader.stand_down()
        with contextlib.suppress(TimeoutError):  # what is slower has long left its mark in the cluster
            async with asyncio.timeout(STEPS_END_WITHIN):
                await engine.finish()
        await leader.stop()

    async def _start(self) -> None:
        try:
            if not self._services.database.is_sqlite:
                listener = Listener(self._services.database, self._hear, self._services.user_changes.publish)
                self._parts.push_async_callback(listener.stop)
                listener.start()
            kubeconfig, ingress_url = self._target.kubeconfig, self._services.settings.ingress_url
            if self._target.sandbox:
                sandbox = await self._start_sandbox()
                kubeconfig, ingress_url = sandbox.kubeconfig, ingress_url or sandbox.ingress_url
            self._services.stores.use_address("http://{name}.localhost")
            await self._start_engine(kubeconfig, ingress_url or _loopback(self._services.stores.address("shop")))
        except Exception as error:
            log.exception("the engine could not be started")
            self._services.before_engine = ClusterStatus(
                "away", f"The engine could not be started: {error}", sandbox=self._target.sandbox
            )

    def _hear(self, change: Change) -> None:
        """What another process did; where it was a wish, the engine is to look at once, if it is this one that acts."""
        self._services.changes.publish(change)
        if change.event_id is None and not change.gone:
            self._services.stores.poke(change.name)

    async def _start_sandbox(self) -> Any:
        settings = self._services.settings
        module = await asyncio.to_thread(importlib.import_module, "provisioning.sandbox")
        options = module.SandboxOptions(data_dir=settings.data_dir.resolve() / "sandbox", speed=settings.sandbox_speed)
        while True:
            try:
                sandbox = await self._parts.enter_async_context(module.Sandbox(options))
                break
            except OSError as error:
                await self._away(f"The sandbox cannot start: {error}")
        self._services.sandbox = sandbox
        self._services.stores.use_address(f"http://{{name}}.localhost:{urlsplit(sandbox.ingress_url).port}")
        return sandbox

    async def _start_engine(self, kubeconfig: Any, ingress_url: str | None) -> None:
        services, settings = self._services, self._services.settings
        # What the engine needs takes most of a second to load: in a thread, while the first page is served.
        await asyncio.to_thread(importlib.import_module, "kubernetes.aio")
        module = await asyncio.to_thread(importlib.import_module, "provisioning.engine")
        jobs = await asyncio.to_thread(importlib.import_module, "app.jobs")
        sweeps = await asyncio.to_thread(importlib.import_module, "provisioning.sweep")
        decide = importlib.import_module("provisioning.decide")
        options = module.EngineOptions(
            installation=await services.database.installation(),
            sealer=services.sealer,
            overlay=self._overlay,
            fence=settings.fence,
            ingress_url=ingress_url,
            slots=settings.at_once,
            limits=decide.Limits(provisioning=timedelta(minutes=settings.provisioning_minutes)),
        )
        cluster = await self._connect(module, kubeconfig)
        self._parts.push_async_callback(cluster.close)
        locks = settings.data_dir.resolve() / "helm"
        helm = module.Helm(kubeconfig, self._target.context, locks=locks)
        leader = self._leader(cluster, options.installation)
        engine = module.Engine(services.database, cluster, helm, services.changes, options, leader)
        self._parts.push_async_callback(engine.stop)
        await engine.start()
        services.engine, services.stores.poke, services.leader = engine, engine.poke, leader
        services.stores.condition = engine.condition
        self._parts.push_async_callback(leader.stop)  # first: what it has begun is then cut off
        leader.start(engine.lead, engine.is_fit)
        services.stores.capacity = capacity.Reader(cluster, self._overlay)
        sweep = sweeps.Sweep(services.database, cluster, options.installation, sweeps.Policy(settings.orphans))
        services.platform.sweep = sweep
        usages = importlib.import_module("provisioning.usage")
        usage = usages.Usage(cluster, options.installation, services.inside.tell_all)
        services.inside.begin(engine, cluster, usage, simulated=self._target.sandbox)
        clock = jobs.Clock(engine, services.sessions, sweep, services.audit, services.inside)
        self._parts.push_async_callback(clock.stop)
        clock.start()

    def _leader(self, cluster: Any, installation: str) -> Any:
        """Only one process can serve on SQLite; of several on PostgreSQL one leads."""
        module = importlib.import_module("provisioning.leader")  # which the engine has loaded
        if self._services.database.is_sqlite:
            return module.Alone()
        namespace = self._services.settings.lease_namespace or lease_namespace(self._target)
        return module.Election(cluster, namespace, installation)

    async def _connect(self, module: Any, kubeconfig: Any) -> Any:
        while True:
            try:
                return await module.Cluster.connect(kubeconfig, self._target.context, agent=AGENT)
            except module.ClusterError as error:
                await self._away(str(error))

    async def _away(self, why: str) -> None:
        """Say that there is no cluster, and wait a while before the next try."""
        log.error("%s; again in %.0f s", why, CONNECT_AGAIN)
        self._services.before_engine = ClusterStatus("away", why, sandbox=self._target.sandbox)
        await asyncio.sleep(CONNECT_AGAIN)


async def _prepare(settings: Settings, url: str) -> str | None:
    async with startup.opened(settings) as database:
        await startup.claim_key(settings, database)
        return await startup.first_admin(settings, database, url)


def _free_port(host: str, port: int) -> int:
    """`port` (0: any that is free), if we may listen there.  Raises CommandError."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
            return int(server.getsockname()[1])
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CommandError(f"Cannot listen on {host} port {port}: {reason}. Choose another with --port.") from error


def _loopback(store_address: str) -> str | None:
    """Where *.localhost is served: browsers know it without asking anybody, resolvers often do not."""
    address = urlsplit(store_address)
    if not (address.hostname or "").endswith(".localhost"):
        return None
    return f"{address.scheme}://127.0.0.1" + (f":{address.port}" if address.port else "")


def _end(number: int, frame: FrameType | None) -> None:
    """End as one who was asked to, also before the server has its own handlers and after it has put ours back."""
    sys.exit(0)


def _call_on_signal(loop: asyncio.AbstractEventLoop, callback: Any) -> None:
    """Also call `callback` when the server is told to stop: it waits for open streams, so they must hear of it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        server_handler = signal.getsignal(number)

        def chained(number: int, frame: FrameType | None, then: Any = server_handler) -> None:
            loop.call_soon_threadsafe(callback)
            if callable(then):
                then(number, frame)

        signal.signal(number, chained)
