"""The rules an object must keep to be stored, in Kubernetes' own words: names, labels, and the basics of each kind."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any

from provisioning.quantities import quantity
from provisioning.sandbox.errors import FieldProblem, bad_request, invalid
from provisioning.sandbox.objects import Obj, parse_time, timestamp
from provisioning.sandbox.resources import Resource
from provisioning.sandbox.selectors import selects

Problems = Iterator[FieldProblem]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_SERVICE = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SERVICE_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    f"and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{_SERVICE}')"
)
_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_VALUE}')"
)
_QUALIFIED_KEY = re.compile(rf"({_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_NAME_PART_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{_NAME_PART}')"
)


def check(resource: Resource, obj: Obj, old: Obj | None) -> None:
    """Raises ApiError 422 that names every rule which an object breaks; `old` is what it replaces."""
    problems: list[FieldProblem] = []
    if old is None:
        problems += _name(resource, str(obj["metadata"]["name"]))
    problems += _labels(obj["metadata"].get("labels"), "metadata.labels")
    try:
        rules = _RULES.get(resource.kind)
        if rules is not None:
            problems += rules(obj)
        immutable = _IMMUTABLE.get(resource.kind)
        if immutable is not None and old is not None:
            problems += immutable(old, obj)
    except (AttributeError, TypeError, KeyError) as error:
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
        ) from error
    if problems:
        raise invalid(resource, str(obj["metadata"]["name"]), problems)


def _name(resource: Resource, name: str) -> Problems:
    if resource.group == "rbac.authorization.k8s.io":  # these may have almost any name
        return
    if resource.kind == "Namespace":
        pattern, words, longest = _LABEL, _LABEL_WORDS, 63
    elif resource.kind == "Service":
        pattern, words, longest = _SERVICE, _SERVICE_WORDS, 63
    else:
        pattern, words, longest = _SUBDOMAIN, _SUBDOMAIN_WORDS, 253
    if resource.kind == "Namespace" and re.fullmatch(_SUBDOMAIN, name) and "." in name:
        yield FieldProblem.invalid("metadata.name", name, "must not contain dots")
        return
    if len(name) > longest:
        yield FieldProblem.invalid("metadata.name", name, f"must be no more than {longest} characters")
    if not re.fullmatch(pattern, name):
        yield FieldProblem.invalid("metadata.name", name, words)


def _labels(labels: Any, field: str) -> Problems:
    for key, value in (labels or {}).items():
        if not isinstance(value, str):
            raise bad_request(f"json: cannot unmarshal into Go struct field ObjectMeta.{field} of type string")
        if not _QUALIFIED_KEY.fullmatch(key):
            yield FieldProblem.invalid(field, key, _NAME_PART_WORDS)
        if len(value) > 63:
            yield FieldProblem.invalid(field, value, "must be no more than 63 characters")
        elif not re.fullmatch(_VALUE, value):
            yield FieldProblem.invalid(field, value, _VALUE_WORDS)


def _containers(spec: Obj, path: str) -> Problems:
    if not spec.get("containers"):
        yield FieldProblem.required(f"{path}.containers")
    seen: set[str] = set()
    volumes = {volume["name"] for volume in spec.get("volumes") or []}
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or []):
            at, name = f"{path}.{group}[{index}]", container.get("name", "")
            if not name:
                yield FieldProblem.required(f"{at}.name")
            elif not re.fullmatch(_LABEL, name):
                yield FieldProblem.invalid(f"{at}.name", name, _LABEL_WORDS)
            elif name in seen:
                yield FieldProblem(f"{at}.name", "Duplicate value", f'"{name}"', "FieldValueDuplicate")
            seen.add(name)
            if not container.get("image"):
                yield FieldProblem.required(f"{at}.image")
            for mount_index, mount in enumerate(container.get("volumeMounts") or []):
                if path == "spec" and mount["name"] not in volumes:
                    where = f"{at}.volumeMounts[{mount_index}].name"
                    yield FieldProblem(where, "Not found", f'"{mount["name"]}"', "FieldValueNotFound")
            yield from _resources(container.get("resources") or {}, f"{at}.resources")


def _resources(resources: Obj, path: str) -> Problems:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for group in ("limits", "requests"):
        for name, value in (resources.get(group) or {}).items():
            try:
                quantity(value)
            except ValueError:
                raise bad_request(
                    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                ) from None
            if group == "requests" and name in limits and quantity(value) > quantity(limits[name]):
                why = f"must be less than or equal to {name} limit of {limits[name]}"
                yield FieldProblem.invalid(f"{path}.requests", str(requests[name]), why)


def _workload(obj: Obj) -> Problems:
    spec = obj["spec"]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if obj["kind"] != "Job":
        selector = spec.get("selector")
        if not selector:
            yield FieldProblem.required("spec.selector")
        elif not selects(selector, labels):
            shown = "{" + ", ".join(f'"{key}":"{value}"' for key, value in sorted(labels.items())) + "}"
            why = "`selector` does not match template `labels`"
            yield FieldProblem("spec.template.metadata.labels", "Invalid value", f"{shown}: {why}", "FieldValueInvalid")
        if not isinstance(spec.get("replicas"), int) or spec["replicas"] < 0:
            yield FieldProblem.invalid("spec.replicas", spec.get("replicas"), "must be greater than or equal to 0")
    yield from _labels(labels, "spec.template.labels")
    yield from _containers(spec["template"].get("spec") or {}, "spec.template.spec")
    policy = (spec["template"].get("spec") or {}).get("restartPolicy")
    allowed = ("Never", "OnFailure") if obj["kind"] == "Job" else ("Always",)
    if policy not in allowed:
        words = ", ".join(f'"{value}"' for value in allowed)
        text = f'"{policy}": supported values: {words}'
        yield FieldProblem("spec.template.spec.restartPolicy", "Unsupported value", text, "FieldValueNotSupported")


def _pod(obj: Obj) -> Problems:
    yield from _containers(obj["spec"], "spec")


def _service(obj: Obj) -> Problems:
    spec = obj["spec"]
    if not spec.get("ports") and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield FieldProblem.required("spec.ports")
    for index, port in enumerate(spec.get("ports") or []):
        if not isinstance(port.get("port"), int) or not 0 < port["port"] < 65536:
            why = "must be between 1 and 65535, inclusive"
            yield FieldProblem.invalid(f"spec.ports[{index}].port", port.get("port", 0), why)
        if len(spec["ports"]) > 1 and not port.get("name"):
            yield FieldProblem.required(f"spec.ports[{index}].name")


def _ingress(obj: Obj) -> Problems:
    spec = obj.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield FieldProblem.invalid("spec", "{}", "either `defaultBackend` or `rules` must be specified")
    for index, rule in enumerate(spec.get("rules") or []):
        host = rule.get("host", "")
        if host and not re.fullmatch(rf"(\*\.)?{_SUBDOMAIN}", host):
            yield FieldProblem.invalid(f"spec.rules[{index}].host", host, _SUBDOMAIN_WORDS)
        for at, path in enumerate((rule.get("http") or {}).get("paths") or []):
            if path.get("pathType") is None:
                yield FieldProblem.required(
                    f"spec.rules[{index}].http.paths[{at}].pathType", "pathType must be specified"
                )


def _config(obj: Obj) -> Problems:
    for key, value in (obj.get("data") or {}).items():
        if not isinstance(value, str):
            raise bad_request(f"json: cannot unmarshal into Go struct field {obj['kind']}.data of type string")
        if obj["kind"] == "Secret":
            try:
                base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                raise bad_request("illegal base64 data at input byte 0") from None
        if not re.fullmatch("[-._a-zA-Z0-9]+", key) or len(key) > 253:
            why = (
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
                "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
            )
            yield FieldProblem.invalid(f"data[{key}]", key, why)


def _claim(obj: Obj) -> Problems:
    spec = obj["spec"]
    if not spec.get("accessModes"):
        yield FieldProblem.required("spec.accessModes", "at least 1 access mode is required")
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield FieldProblem.required("spec.resources[storage]")


def _quota(obj: Obj) -> Problems:
    for name, value in (obj["spec"].get("hard") or {}).items():
        try:
            quantity(value)
        except ValueError:
            raise bad_request(f"spec.hard[{name}]: {value!r} is no quantity") from None
    return
    yield


def _frozen(*fields: str) -> Callable[[Obj, Obj], Problems]:
    def changed(old: Obj, new: Obj) -> Problems:
        for field in fields:
            before, after = old.get("spec") or {}, new.get("spec") or {}
            if before.get(field) != after.get(field):
                yield FieldProblem.invalid(f"spec.{field}", after.get(field), "field is immutable")

    return changed


def _stateful_set_update(old: Obj, new: Obj) -> Problems:
    mutable = (
        "replicas ordinals template updateStrategy revisionHistoryLimit persistentVolumeClaimRetentionPolicy "
        "minReadySeconds"
    ).split()
    rest = [{key: value for key, value in obj["spec"].items() if key not in mutable} for obj in (old, new)]
    if rest[0] != rest[1]:
        words = ", ".join(f"'{field}'" for field in mutable[:-1]) + f" and '{mutable[-1]}'"
        yield FieldProblem.forbidden("spec", f"updates to statefulset spec for fields other than {words} are forbidden")


def _pod_update(old: Obj, new: Obj) -> Problems:
    def fixed(obj: Obj) -> Obj:
        free = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName")
        spec = {key: value for key, value in obj["spec"].items() if key not in free}
        for group in ("containers", "initContainers"):
            containers = spec.get(group) or []
            spec[group] = [{key: value for key, value in item.items() if key != "image"} for item in containers]
        return spec

    if fixed(old) != fixed(new):
        why = (
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        yield FieldProblem.forbidden("spec", why)


def _claim_update(old: Obj, new: Obj) -> Problems:
    free = ("resources", "volumeName", "volumeAttributesClassName")
    rest = [{key: value for key, value in obj["spec"].items() if key not in free} for obj in (old, new)]
    if rest[0] != rest[1]:
        why = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield FieldProblem.forbidden("spec", why)
    before, after = (quantity(obj["spec"]["resources"]["requests"]["storage"]) for obj in (old, new))
    if after < before:
        why = "field can not be less than status.capacity"
        yield FieldProblem.forbidden("spec.resources.requests.storage", why)


def _secret_update(old: Obj, new: Obj) -> Problems:
    if old.get("type") != new.get("type"):
        yield FieldProblem.invalid("type", new.get("type"), "field is immutable")


def _lease(obj: Obj) -> Problems:
    spec = obj.get("spec") or {}
    for field in ("acquireTime", "renewTime"):
        try:
            parse_time(spec.get(field) or timestamp())
        except ValueError as error:
            raise bad_request(f'Lease in version "v1" cannot be handled as a Lease: {error}') from error
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield FieldProblem.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    if spec.get("leaseTransitions", 0) < 0:
        words = "must be greater than or equal to 0"
        yield FieldProblem.invalid("spec.leaseTransitions", spec["leaseTransitions"], words)


_RULES: dict[str, Callable[[Obj], Problems]] = {
    "ConfigMap": _config,
    "Deployment": _workload,
    "Ingress": _ingress,
    "Job": _workload,
    "Lease": _lease,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "ReplicaSet": _workload,
    "ResourceQuota": _quota,
    "Secret": _config,
    "Service": _service,
    "StatefulSet": _workload,
}
_IMMUTABLE: dict[str, Callable[[Obj, Obj], Problems]] = {
    "Deployment": _frozen("selector"),
    "Job": _frozen("selector", "template", "completions", "completionMode"),
    "PersistentVolumeClaim": _claim_update,
    "Pod": _pod_update,
    "ReplicaSet": _frozen("selector"),
    "Secret": _secret_update,
    "Service": _frozen("clusterIP"),
    "StatefulSet": _stateful_set_update,
}
