"""The Kubernetes API over HTTP: what a request asks for, who may ask, and how the answer is written."""

import asyncio
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import yaml
from aiohttp import web

from provisioning.sandbox import discovery, errors, protobuf
from provisioning.sandbox.errors import ApiError, bad_request
from provisioning.sandbox.faults import Faults
from provisioning.sandbox.listener import LARGEST_BODY
from provisioning.sandbox.metrics import pod_metrics
from provisioning.sandbox.objects import Obj, clone, name_of, namespace_of
from provisioning.sandbox.patches import json_patch, merge_patch, strategic_patch
from provisioning.sandbox.registry import Registry
from provisioning.sandbox.resources import BY_PLURAL, Resource, resource_of
from provisioning.sandbox.schema import Schema
from provisioning.sandbox.selectors import object_selector
from provisioning.sandbox.shape import check_shape
from provisioning.sandbox.store import Record
from provisioning.sandbox.watches import DEFAULT_TIMEOUT, Watch

log = logging.getLogger(__name__)

_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<subresource>[a-z]+))?)?/?"
)
_NAMESPACE_PATH = re.compile(
    r"/api/v1/(?P<plural>namespaces)(?:/(?P<name>[^/]+)(?:/(?P<subresource>status|finalize))?)?/?"
)
_TRUE = ("1", "true", "True")

PodAnswer = Callable[[web.BaseRequest, Obj], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Target:
    """What a request is about, and what it wants of it."""

    verb: str
    resource: Resource
    namespace: str | None  # None: all of them
    name: str
    subresource: str

    @property
    def space(self) -> str:
        return self.namespace or ""


class Api:
    """Answers requests; `read_log` answers those for a pod's log, `run` those for a command in a container."""

    def __init__(self, registry: Registry, token: str, faults: Faults, read_log: PodAnswer, run: PodAnswer) -> None:
        self._registry, self._store = registry, registry.store
        self._token, self._faults, self._read_log, self._run = token.encode(), faults, read_log, run
        self._watches: dict[Watch, web.BaseRequest] = {}

    def end_watches(self) -> None:
        for watch in list(self._watches):
            watch.end()

    def cut_watches(self) -> None:
        """End every open watch as a broken connection does."""
        for request in self._watches.values():
            _cut(request)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ApiError as error:
            return _json(error.status(), error.code)
        except ConnectionError:
            raise
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            return _json(ApiError(500, "InternalError", f"Internal error occurred: {error}").status(), 500)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not hmac.compare_digest(token.encode(), self._token):
            raise errors.unauthorized()
        target = _target(request)
        if target is None:
            accepted = request.headers.get("Accept", "")
            if "as=APIGroupDiscoveryList" in accepted and (document := discovery.aggregated(path)):
                return _json(document, content_type=discovery.AGGREGATED)
            document = discovery.document(path)
            if document is None:
                raise errors.no_such_path()
            return _json(document)
        await self._faults.meet(target.verb, target.resource.kind, target.space)
        return await self._resource(request, target)

    async def _resource(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        resource, query = target.resource, request.query
        if resource.kind == "PodMetrics":
            return self._measured(target, query)
        if not resource.stored:
            return self._review(target, await _body(request))
        match target.verb:
            case "watch":
                return await self._watch(request, target)
            case "list":
                return self._list(target, query, "as=PartialObjectMetadataList" in request.headers.get("Accept", ""))
            case "get":
                obj = self._store.get(resource, target.space, target.name)
                if target.subresource == "log":
                    return await self._read_log(request, obj)
                if target.subresource == "exec":
                    return await self._run(request, obj)
                return _json(_scale(obj) if target.subresource == "scale" else obj)
        body = await _body(request)
        dry_run = query.get("dryRun") == "All"
        manager = query.get("fieldManager") or request.headers.get("User-Agent", "unknown").split("/")[0]
        match target.verb:
            case "create" if target.subresource == "eviction":
                self._registry.delete(resource, target.space, target.name, body.get("deleteOptions"))
                return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)
            case "create":
                return _json(self._registry.create(resource, target.space, body, manager, dry_run), 201)
            case "delete":
                options = _delete_options(body, query)
                obj, gone = self._registry.delete(resource, target.space, target.name, options)
                whole = not gone or resource.kind in ("Pod", "Namespace", "PersistentVolumeClaim", "PersistentVolume")
                return _json(obj if whole else errors.success(resource, obj))
            case "deletecollection":
                return self._delete_collection(target, query, _delete_options(body, query))
            case "update":
                return _json(self._update(target, body, manager, dry_run))
            case "patch":
                return self._patch(request, target, body, manager, dry_run)
        raise errors.method_not_allowed()

    def _review(self, target: Target, body: Any) -> web.Response:
        """The sandbox knows one person, who may do everything."""
        if target.verb != "create":
            raise errors.method_not_allowed()
        check_shape(target.resource, body)
        everything = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        rules = {"resourceRules": everything, "nonResourceRules": [], "incomplete": False}
        status = {"allowed": True} if target.resource.kind == "SelfSubjectAccessReview" else rules
        head = {"apiVersion": target.resource.api_version, "kind": target.resource.kind, "metadata": {}}
        return _json({**body, **head, "status": status}, 201)

    def _measured(self, target: Target, query: Any) -> web.Response:
        """What pods use at this moment; as with a metrics server, one that does not run has no figures."""
        if target.verb == "get":
            found = pod_metrics(self._store.get(resource_of("Pod"), target.space, target.name))
            if found is None:
                raise errors.not_found(target.resource, target.name)
            return _json(found)
        if target.verb != "list":
            raise errors.method_not_allowed()
        selector = object_selector(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        pods = [pod for pod in self._store.objects("Pod", target.namespace) if selector is None or selector(pod)]
        items = [metrics for pod in pods if (metrics := pod_metrics(pod)) is not None]
        head = {"kind": "PodMetricsList", "apiVersion": target.resource.api_version, "metadata": {}}
        return _json({**head, "items": items})

    def _list(self, target: Target, query: Any, metadata_alone: bool) -> web.Response:
        selector = object_selector(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        collection = self._store.collection(target.resource.kind)
        version = query.get("resourceVersion", "0")
        if version.isdigit() and int(version) > self._store.version:
            message = f"Too large resource version: {version}, current: {self._store.version}"
            raise ApiError(
                504, "Timeout", message, {"causes": [{"reason": "ResourceVersionTooLarge", "message": message}]}
            )
        records = [r for r in collection.records(target.namespace) if selector is None or selector(r.obj)]
        metadata: Obj = {"resourceVersion": str(self._store.version)}
        limit = int(query["limit"]) if query.get("limit", "").isdigit() else 0
        if query.get("continue"):
            records, metadata["resourceVersion"] = _after(records, query["continue"], collection.forgotten)
        if limit and len(records) > limit:
            metadata["remainingItemCount"] = len(records) - limit
            records = records[:limit]
            last = records[-1].obj
            metadata["continue"] = (
                json.dumps([metadata["resourceVersion"], namespace_of(last), name_of(last)]).encode().hex()
            )
        if metadata_alone:
            kind: Obj = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            items = [{**kind, "metadata": record.obj["metadata"]} for record in records]
            return _json({**kind, "kind": "PartialObjectMetadataList", "metadata": metadata, "items": items})
        head = {"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version, "metadata": metadata}
        text = json.dumps(head, separators=(",", ":"))[:-1].encode()
        encoded = b",".join([record.encoded for record in records])
        return web.Response(body=b'%s,"items":[%s]}\n' % (text, encoded), content_type="application/json")

    def _delete_collection(self, target: Target, query: Any, options: Obj) -> web.Response:
        selector = object_selector(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        deleted: list[Obj] = []
        for obj in self._store.objects(target.resource.kind, target.namespace):
            if selector is None or selector(obj):
                deleted.append(self._registry.delete(target.resource, namespace_of(obj), name_of(obj), options)[0])
        metadata = {"resourceVersion": str(self._store.version)}
        head = {"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version, "metadata": metadata}
        return _json({**head, "items": deleted})

    def _update(self, target: Target, body: Obj, manager: str, dry_run: bool) -> Obj:
        resource, space, name = target.resource, target.space, target.name
        if target.subresource == "scale":
            return self._set_scale(target, body, manager, dry_run)
        return self._registry.update(resource, space, name, body, target.subresource, manager, dry_run)

    def _set_scale(self, target: Target, scale: Obj, manager: str, dry_run: bool) -> Obj:
        wanted = clone(self._store.get(target.resource, target.space, target.name))
        wanted["spec"]["replicas"] = (scale.get("spec") or {}).get("replicas", 0)
        version = (scale.get("metadata") or {}).get("resourceVersion")
        if version:
            wanted["metadata"]["resourceVersion"] = version
        return _scale(
            self._registry.update(target.resource, target.space, target.name, wanted, "scale", manager, dry_run)
        )

    def _patch(
        self, request: web.BaseRequest, target: Target, patch: Any, manager: str, dry_run: bool
    ) -> web.StreamResponse:
        resource, space, name = target.resource, target.space, target.name
        if request.content_type == "application/apply-patch+yaml":
            if "fieldManager" not in request.query:
                raise bad_request(
                    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
                )
            force = request.query.get("force") in _TRUE
            obj, new = self._registry.apply(
                resource, space, name, patch, manager, force=force, subresource=target.subresource, dry_run=dry_run
            )
            return _json(obj, 201 if new else 200)
        current = self._store.get(resource, space, name)
        base = _scale(current) if target.subresource == "scale" else current
        match request.content_type:
            case "application/json-patch+json":
                patched = json_patch(base, patch)
            case "application/merge-patch+json":
                patched = merge_patch(base, patch)
            case "application/strategic-merge-patch+json":
                patched = strategic_patch(base, patch, Schema(resource.kind))
            case other:
                raise ApiError(
                    415, "UnsupportedMediaType", f"the body of the request was in an unknown format - {other}"
                )
        return _json(self._update(target, patched, manager, dry_run))

    async def _watch(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        query = request.query
        fields = query.get("fieldSelector", "")
        if target.name:  # the old form, /api/v1/.../pods/name?watch=1
            fields = f"metadata.name={target.name}"
        seconds = query.get("timeoutSeconds", "")
        watch = Watch(
            self._store,
            self._store.collection(target.resource.kind),
            target.namespace,
            object_selector(query.get("labelSelector", ""), fields),
            bookmarks=query.get("allowWatchBookmarks") in _TRUE,
            timeout=float(seconds) if seconds.isdigit() and int(seconds) else DEFAULT_TIMEOUT,
        )
        watch.start(query.get("resourceVersion", ""), query.get("sendInitialEvents") in _TRUE)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        self._watches[watch] = request
        lifetime = self._faults.watch_lifetime(target.resource.kind)
        cut = asyncio.get_running_loop().call_later(lifetime, _cut, request) if lifetime is not None else None
        try:
            await response.prepare(request)
            await watch.send(response)
        finally:
            del self._watches[watch]
            if cut is not None:
                cut.cancel()
        return response


def _cut(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def _target(request: web.BaseRequest) -> Target | None:
    match = _NAMESPACE_PATH.fullmatch(request.path) or _PATH.fullmatch(request.path)
    if match is None:
        return None
    parts = match.groupdict()
    group, version = (parts.get("group") or "", parts.get("version") or "v1")
    resource = BY_PLURAL.get((group, version, parts["plural"]))
    if resource is None:
        return None
    name, subresource = parts.get("name") or "", parts.get("subresource") or ""
    namespace = parts.get("namespace") if resource.namespaced else ""
    if (subresource and subresource not in resource.subresources) or (name and namespace is None):
        raise errors.no_such_path()
    verb = _verb(request, bool(name))
    if verb == "create" and name and subresource != "eviction":
        raise errors.method_not_allowed()
    return Target(verb, resource, namespace, name, subresource)


def _verb(request: web.BaseRequest, named: bool) -> str:
    if request.method in ("GET", "HEAD"):
        if request.query.get("watch") in _TRUE:
            return "watch"
        return "get" if named else "list"
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(request.method)
    if verb == "delete" and not named:
        return "deletecollection"
    if verb is None or (verb in ("update", "patch") and not named):
        raise errors.method_not_allowed()
    return verb


async def _body(request: web.BaseRequest) -> Any:
    """The request's body as data.  Raises ApiError 400, 413, 415."""
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        message = f"Request entity too large: limit is {LARGEST_BODY}"
        raise ApiError(413, "RequestEntityTooLarge", message) from error
    content_type = request.content_type
    if not raw:
        return {}
    if content_type == "application/vnd.kubernetes.protobuf":
        return protobuf.decode(raw)
    try:
        if content_type.endswith("yaml") and not raw.lstrip().startswith(b"{"):
            return yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe either way
        return json.loads(raw)
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from error


def _delete_options(body: Any, query: Any) -> Obj:
    options: Obj = dict(body) if isinstance(body, dict) else {}
    if query.get("propagationPolicy"):
        options["propagationPolicy"] = query["propagationPolicy"]
    if query.get("gracePeriodSeconds", "").isdigit():
        options["gracePeriodSeconds"] = int(query["gracePeriodSeconds"])
    if query.get("dryRun"):
        options["dryRun"] = [query["dryRun"]]
    return options


def _after(records: list[Record], token: str, forgotten: int) -> tuple[list[Record], str]:
    """The rest of a list in pages.  Raises ApiError 400 for a token that is none of ours, 410 for one too old."""
    try:
        version, namespace, name = json.loads(bytes.fromhex(token))
    except ValueError as error:
        raise bad_request("continue key is not valid") from error
    if int(version) < forgotten:
        message = "The provided continue parameter is too old to display a consistent list result."
        raise ApiError(410, "Expired", message)
    return [r for r in records if (namespace_of(r.obj), name_of(r.obj)) > (namespace, name)], version


def _scale(obj: Obj) -> Obj:
    keys = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = (obj["spec"].get("selector") or {}).get("matchLabels") or {}
    status: Obj = {"replicas": (obj.get("status") or {}).get("replicas", 0)}
    status["selector"] = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in keys},
        "spec": {"replicas": obj["spec"].get("replicas", 1)},
        "status": status,
    }


def _json(obj: Obj, status: int = 200, content_type: str = "application/json") -> web.Response:
    headers = {"Content-Type": content_type}
    if status in (429, 503):
        headers["Retry-After"] = "1"
    body = json.dumps(obj, separators=(",", ":")).encode() + b"\n"
    return web.Response(body=body, status=status, headers=headers)
