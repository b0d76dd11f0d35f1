"""The one way to the Kubernetes API: plain JSON objects over `kubernetes.aio`.

Objects stay dicts: the engine compares, caches and applies many kinds by the same few verbs, and building typed models
of every watched object would cost more CPU than all the rest.  What the cluster says is untrusted text.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from provisioning.kinds import KINDS, Kind, listable, served

if TYPE_CHECKING:
    from kubernetes.aio import client

Obj = dict[str, Any]

FIELD_MANAGER = "storefleet"
_OBJECTS_A_PAGE = 100
_JSON = "application/json"
_DISCOVERY = ",".join(
    f"{_JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)
_METADATA_ALONE = f"{_JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,{_JSON}"
LOG_SILENT = 600.0  # seconds
RUN_WITHIN = 30.0  # seconds, for a command in a container
ANSWER_WITHIN = aiohttp.ClientTimeout(total=20, connect=5)


class ClusterError(Exception):
    """The cluster said no, or nothing.  `status` is the HTTP status, None when there was no answer."""

    def __init__(self, message: str, status: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.reason = status, reason

    @property
    def away(self) -> bool:
        """Nothing answered, or only that it cannot answer now: worth another try, and no fault of the request."""
        return self.status is None or self.status in (429, 500, 502, 503, 504)


class Cluster:
    """A connection to one API server."""

    def __init__(self, api: "client.ApiClient") -> None:
        self._api = api

    @classmethod
    async def connect(cls, kubeconfig: Path | None, context: str | None = None, agent: str = "") -> "Cluster":
        """By a kubeconfig file, or, without one, by the pod's own service account.  Does not talk to the cluster yet.

        `agent`: what we are called in the API server's audit log ("storefleet/0.1.0"), else as the library is.
        Raises ClusterError when the file or the account cannot be used.
        """
        from kubernetes.aio import client, config  # takes a third of a second: not before it is needed

        configuration = client.Configuration()
        configuration.retries = None
        # Python 3.13 refuses authorities without the extensions of RFC 5280 by default; clusters' own often lack them,
        # and kubectl and Helm do not ask for them.
        configuration.disable_strict_ssl_verification = True
        try:
            if kubeconfig is None:
                config.load_incluster_config(configuration)
            else:
                await config.load_kube_config(
                    config_file=str(kubeconfig), context=context, client_configuration=configuration
                )
        except (config.ConfigException, OSError, TypeError, ValueError) as error:
            source = kubeconfig or "the pod's service account"
            raise ClusterError(f"{source} cannot be used: {error}") from error
        configuration.connection_pool_maxsize = 100
        api = client.ApiClient(configuration)
        if agent:
            api.user_agent = agent
        return cls(api)

    async def close(self) -> None:
        await self._api.close()

    @property
    def url(self) -> str:
        return str(self._api.configuration.host)

    async def get(self, kind: str | Kind, name: str, namespace: str | None = None) -> Obj | None:
        """The object, or None where there is none."""
        try:
            return await self._request("GET", _kind(kind).path(namespace, name))
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    async def list_all(self, kind: str, namespace: str | None = None, selector: str = "") -> tuple[list[Obj], str]:
        """All objects, and the resource version that a watch goes on from."""
        return await self._list(KINDS[kind], namespace, selector, _JSON)

    async def list_of(
        self, kind: Kind, namespace: str | None = None, selector: str = "", *, whole: bool = True
    ) -> list[Obj]:
        """All objects of any kind that the cluster serves (see `kinds`); not `whole`: their metadata alone."""
        return (await self._list(kind, namespace, selector, _JSON if whole else _METADATA_ALONE))[0]

    async def kinds(self) -> list[Kind]:
        """Every kind that the cluster serves and that can be listed, in the version that each group prefers.

        Two calls.  A group whose server does not answer is left out.
        """
        return served([await self._request("GET", path, accept=_DISCOVERY) for path in ("/api", "/apis")])

    async def listable(self, kinds: Iterable[Kind], namespace: str = "default") -> list[Kind]:
        """Those of `kinds` that we may list in `namespace`, so that what is not permitted need not be tried.

        All of them where the cluster does not tell, or says that it does not tell everything.
        """
        spec = {"namespace": namespace}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": spec}
        try:
            answer = await self._request("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body=review)
        except ClusterError as error:
            if error.away:
                raise
            return list(kinds)
        return listable(kinds, answer.get("status") or {})

    async def pages(self, kind: str, selector: str = "") -> AsyncGenerator[tuple[list[Obj], str], None]:
        """As `list_all`, a few hundred objects at a time, so that a large list never is in memory as a whole.

        The version is the same for all parts.  Raises ClusterError, with status 410 when it took too long to read.
        """
        async for items, version in self._pages(KINDS[kind], None, selector, _JSON):
            yield items, version

    async def _list(self, kind: Kind, namespace: str | None, selector: str, accept: str) -> tuple[list[Obj], str]:
        found, version = [], ""
        async for items, version in self._pages(kind, namespace, selector, accept):  # noqa: B007 - the last one counts
            found += items
        return found, version

    async def _pages(
        self, kind: Kind, namespace: str | None, selector: str, accept: str
    ) -> AsyncGenerator[tuple[list[Obj], str], None]:
        query = [("limit", str(_OBJECTS_A_PAGE)), *([("labelSelector", selector)] if selector else [])]
        further: list[tuple[str, str]] = []
        while True:
            answer = await self._request("GET", kind.path(namespace), query=[*query, *further], accept=accept)
            metadata, items = answer["metadata"], answer.get("items") or []
            found = [{**item, "kind": kind.name, "apiVersion": kind.api_version} for item in items]
            yield found, metadata.get("resourceVersion", "")  # what is not stored has none
            if not metadata.get("continue"):
                return
            further = [("continue", metadata["continue"])]

    async def watch(
        self, kind: str, version: str, selector: str = "", seconds: int = 300
    ) -> AsyncGenerator[tuple[str, Obj], None]:
        """(type, object) pairs from `version` on, bookmarks included; ends after `seconds`.  Raises ClusterError."""
        query = [
            ("watch", "true"),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(seconds)),
        ]
        if selector:
            query.append(("labelSelector", selector))
        # Bookmarks come about once a minute; a stream silent for much longer is dead.
        patience = aiohttp.ClientTimeout(total=None, connect=5, sock_read=150)
        response = await self._send("GET", KINDS[kind].path(), query=query, patience=patience)
        try:
            while line := await response.content.readline():
                change = json.loads(line)
                if change["type"] == "ERROR":
                    status = change["object"]
                    raise ClusterError(
                        status.get("message", "watch ended"), status.get("code"), status.get("reason", "")
                    )
                yield change["type"], change["object"]
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise ClusterError(f"the watch of {KINDS[kind].plural} broke: {error}") from error
        finally:
            response.close()

    async def create(self, obj: Obj) -> Obj:
        """A new object; ClusterError with status 409 when it is there already."""
        kind = KINDS[obj["kind"]]
        path = kind.path(obj["metadata"].get("namespace"))
        return await self._request("POST", path, query=[("fieldManager", FIELD_MANAGER)], body=obj)

    async def update(self, obj: Obj, manager: str = FIELD_MANAGER) -> Obj:
        """Put `obj` in the place of the version that it names; ClusterError with status 409 when it is another now."""
        metadata = obj["metadata"]
        path = KINDS[obj["kind"]].path(metadata.get("namespace"), metadata["name"])
        return await self._request("PUT", path, query=[("fieldManager", manager)], body=obj)

    async def apply(self, obj: Obj, manager: str = FIELD_MANAGER) -> Obj:
        """Server-side apply: the fields in `obj` become `manager`'s, also where somebody else set them."""
        kind, metadata = KINDS[obj["kind"]], obj["metadata"]
        return await self._request(
            "PATCH",
            kind.path(metadata.get("namespace"), metadata["name"]),
            query=[("fieldManager", manager), ("force", "true")],
            body=obj,
            content_type="application/apply-patch+yaml",
        )

    async def delete(self, kind: str | Kind, name: str, namespace: str | None = None, uid: str | None = None) -> None:
        """Ask for deletion, of this very object when `uid` is given; what is absent already is fine."""
        body: Obj = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._request("DELETE", _kind(kind).path(namespace, name), body=body)
        except ClusterError as error:
            if error.status != 404:
                raise

    async def log(self, namespace: str, pod: str, container: str, *, lines: int = 100, previous: bool = False) -> str:
        """The end of a container's log, each line behind the time by the node's clock; "" where there is none."""
        query = [("container", container), ("tailLines", str(lines)), ("timestamps", "true"), ("limitBytes", "200000")]
        if previous:
            query.append(("previous", "true"))
        path = KINDS["Pod"].path(namespace, pod) + "/log"
        try:
            response = await self._send("GET", path, query=query)
            return (await response.read()).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ClusterError(f"no log of pod {pod}: {_words(error)}") from error
        except ClusterError as error:
            if error.status in (400, 404):  # the container has not started, or is gone
                return ""
            raise

    async def follow_log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        lines: int | None = None,
        since: str = "",
        previous: bool = False,
        follow: bool = True,
        at_a_time: int = 65_536,
    ) -> AsyncGenerator[bytes, None]:
        """A container's log as it comes, each line behind the time by the node's clock, in pieces of any length up to
        `at_a_time`; ends with the container's run or, unless `follow`, with what there is.

        `lines`: only so many of the last; `since`: only from that time on.  What is not asked for is not read, so a
        slow reader slows the cluster down and fills nothing.  Raises ClusterError: 400 where the container has not
        started, 404 where there is none.
        """
        query = [("container", container), ("timestamps", "true")]
        query += [("follow", "true")] if follow else []
        query += [("previous", "true")] if previous else []
        query += [("tailLines", str(lines))] if lines is not None else []
        query += [("sinceTime", since)] if since else []
        path = KINDS["Pod"].path(namespace, pod) + "/log"
        # A quiet log is no dead one, but after a while it is opened anew to be sure.
        patience = aiohttp.ClientTimeout(total=None, connect=5, sock_read=LOG_SILENT)
        response = await self._send("GET", path, query=query, patience=patience)
        try:
            while piece := await response.content.read(at_a_time):
                yield piece
        except TimeoutError:
            return
        except (aiohttp.ClientError, OSError) as error:
            raise ClusterError(f"the log of pod {pod} broke off: {_words(error)}") from error
        finally:
            response.close()

    async def run(self, namespace: str, pod: str, container: str, command: Sequence[str], given: str = "") -> str:
        """Run a command in a container, with `given` as its input (which it must know the end of); what it printed.

        Raises ClusterError, also where the command failed: then with what it said last.
        """
        from kubernetes.aio.stream import WsApiClient

        query = [("container", container), *(("command", each) for each in command)]
        query += [(channel, "true") for channel in ("stdin", "stdout", "stderr")]
        path, said = KINDS["Pod"].path(namespace, pod) + "/exec", {1: b"", 2: b"", 3: b""}
        async with WsApiClient(self._api.configuration) as api:
            call = await api.param_serialize(
                "GET", path, query_params=query, header_params={}, auth_settings=["BearerToken"]
            )
            opening = (await api.call_api(*call, _preload_content=False)).response
            try:
                async with asyncio.timeout(RUN_WITHIN), opening as socket:
                    await socket.send_bytes(b"\0" + given.encode())
                    async for message in socket:
                        data = message.data if isinstance(message.data, bytes) else str(message.data).encode()
                        if data[:1] and data[0] in said:
                            said[data[0]] += data[1:]
            except aiohttp.WSServerHandshakeError as error:
                raise ClusterError(f"no command can be run in pod {pod}: HTTP {error.status}", error.status) from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise ClusterError(f"no command can be run in pod {pod}: {_words(error)}") from error
        try:
            status = json.loads(said[3] or b"{}")
        except ValueError:
            status = {}
        if status.get("status") != "Success":
            lines = said[2].decode(errors="replace").strip().splitlines() or [str(status.get("message", "cut off"))]
            raise ClusterError(f"{command[0]} failed in pod {pod}: {lines[0][:200]}")
        return said[1].decode(errors="replace")

    async def text(self, path: str) -> str:
        """What the API server answers in plain text: "/metrics"."""
        response = await self._send("GET", path, accept="text/plain")
        try:
            return (await response.read()).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ClusterError(f"the cluster's answer broke off: {_words(error)}") from error

    async def uid(self) -> str:
        """Which cluster this is: the uid of its namespace `kube-system`, which lives as long as the cluster."""
        there = await self.get("Namespace", "kube-system")
        if there is None:
            raise ClusterError("the cluster has no namespace kube-system", 404, "NotFound")
        return str(there["metadata"]["uid"])

    async def server_version(self) -> str:
        return str((await self._request("GET", "/version"))["gitVersion"])

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Any = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Obj:
        response = await self._send(method, path, query=query, body=body, content_type=content_type, accept=accept)
        try:
            answer: Obj = json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ClusterError(f"the cluster's answer broke off: {_words(error)}") from error
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Any = None,
        content_type: str = _JSON,
        accept: str = _JSON,
        patience: aiohttp.ClientTimeout = ANSWER_WITHIN,
    ) -> aiohttp.ClientResponse:
        headers: Mapping[str, str] = {"Accept": accept, "Content-Type": content_type}
        try:
            call = await self._api.param_serialize(
                method,
                path,
                query_params=query or [],
                header_params=dict(headers),
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._api.call_api(*call, _request_timeout=patience)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterError(f"the cluster at {self.url} does not answer: {_words(error)}") from error
        response: aiohttp.ClientResponse = answer.response
        if response.status >= 400:
            raise await _failure(response)
        return response


def _kind(kind: str | Kind) -> Kind:
    return KINDS[kind] if isinstance(kind, str) else kind


async def _failure(response: aiohttp.ClientResponse) -> ClusterError:
    try:
        text = (await response.content.read(64_000)).decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError):
        text = ""
    finally:
        response.close()
    try:
        status = json.loads(text)
        return ClusterError(str(status["message"]), response.status, str(status.get("reason", "")))
    except (ValueError, KeyError, TypeError):
        return ClusterError(f"HTTP {response.status}: {text[:200].strip()}", response.status, response.reason or "")


def _words(error: BaseException) -> str:
    """What an error says, also where it says nothing."""
    if isinstance(error, asyncio.TimeoutError | TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
