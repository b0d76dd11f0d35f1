"""What a client asks before its first request: which groups and resources there are, and the version.

Groups and resources are told in both forms: one document for all (aggregated discovery), where a client accepts it, and
one for each group version.

The OpenAPI v3 documents say of each kind only that PATCH takes `fieldValidation`: that is what Helm looks for;
without it, it refuses to go on.
"""

from functools import cache
from typing import Any

from provisioning.sandbox.objects import Obj
from provisioning.sandbox.resources import RESOURCES, Resource

VERSION = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.4+storefleet.sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "",
}
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_IN_ALL = ("Pod", "Service", "Deployment", "ReplicaSet", "StatefulSet", "Job", "HorizontalPodAutoscaler")
_PATCH_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force")
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@cache
def aggregated(path: str) -> Obj | None:
    """The document that tells all groups and resources below /api or /apis; None elsewhere."""
    if path.rstrip("/") not in ("/api", "/apis"):
        return None
    core = path.rstrip("/") == "/api"
    items = [_aggregated_group(group) for group in _group_versions() if (group == "") == core]
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
    return {**head, "items": items}


@cache
def document(path: str) -> Obj | None:
    """The discovery document at a path; None when there is none."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case []:
            return {"paths": ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]}
        case ["version"]:
            return dict(VERSION)
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            groups = [_group(group) for group in _group_versions() if group]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["api", version]:
            return _resource_list("", version)
        case ["apis", group] if group in _group_versions():
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
        case ["apis", group, version]:
            return _resource_list(group, version)
        case ["openapi", "v3"]:
            return {"paths": {base.strip("/"): {"serverRelativeURL": f"/openapi/v3{base}"} for base in _bases()}}
        case ["openapi", "v3", *base]:
            return _openapi("/" + "/".join(base))
    return None


def _group_versions() -> dict[str, str]:
    return {resource.group: resource.version for resource in RESOURCES}


def _bases() -> list[str]:
    return list(dict.fromkeys(resource.base_path for resource in RESOURCES))


def _group(name: str) -> Obj:
    version = _group_versions()[name]
    entry = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def _aggregated_group(group: str) -> Obj:
    version = _group_versions()[group]
    resources = [_aggregated_entry(each) for each in RESOURCES if each.group == group]
    metadata: Obj = {"name": group} if group else {}
    return {
        "metadata": {**metadata, "creationTimestamp": None},
        "versions": [{"version": version, "resources": resources, "freshness": "Current"}],
    }


def _aggregated_entry(resource: Resource) -> Obj:
    main, *subresources = _entries(resource)
    kind = {"group": resource.group, "version": resource.version}
    entry: Obj = {
        "resource": resource.plural,
        "responseKind": {**kind, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": main["singularName"],
        **{key: main[key] for key in ("verbs", "shortNames", "categories") if key in main},
    }
    if subresources:
        entry["subresources"] = [
            {
                "subresource": each["name"].partition("/")[2],
                "responseKind": {
                    "group": each.get("group", resource.group),
                    "version": each.get("version", resource.version),
                    "kind": each["kind"],
                },
                "verbs": each["verbs"],
            }
            for each in subresources
        ]
    return entry


def _resource_list(group: str, version: str) -> Obj | None:
    entries = [
        entry
        for resource in RESOURCES
        if (resource.group, resource.version) == (group, version)
        for entry in _entries(resource)
    ]
    if not entries:
        return None
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": entries}


def _entries(resource: Resource) -> list[Obj]:
    common: dict[str, Any] = {"namespaced": resource.namespaced, "kind": resource.kind}
    main = {**common, "name": resource.plural, "singularName": resource.kind.lower()}
    main["verbs"] = list(resource.verbs) or _VERBS
    if resource.short_names:
        main["shortNames"] = list(resource.short_names)
    if resource.kind in _IN_ALL:
        main["categories"] = ["all"]
    entries = [main]
    for subresource in resource.subresources:
        entry = {
            **common,
            "name": f"{resource.plural}/{subresource}",
            "singularName": "",
            "verbs": ["get", "patch", "update"],
        }
        if subresource == "scale":
            entry.update(kind="Scale", group="autoscaling", version="v1")
        elif subresource == "eviction":
            entry.update(kind="Eviction", group="policy", version="v1", verbs=["create"])
        elif subresource == "exec":
            entry.update(kind="PodExecOptions", verbs=["create", "get"])
        elif subresource == "log":
            entry["verbs"] = ["get"]
        elif subresource == "finalize":
            entry["verbs"] = ["update"]
        entries.append(entry)
    return entries


def _openapi(base: str) -> Obj | None:
    paths: Obj = {}
    for resource in RESOURCES:
        if resource.base_path == base:
            middle = "/namespaces/{namespace}" if resource.namespaced else ""
            paths[f"{base}{middle}/{resource.plural}/{{name}}"] = {"patch": _patch_operation(resource)}
    if not paths:
        return None
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}


def _patch_operation(resource: Resource) -> Obj:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in _PATCH_PARAMETERS]
    return {
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": kind,
        "parameters": parameters,
        "responses": {},
    }
