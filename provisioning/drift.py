"""Where an object is not as it was asked for.

Pure.  Only what was asked for is compared: what defaults, other controllers or an autoscaler set beside it is theirs,
as in a server-side apply, which is also how a difference is mended.  The rules by which the cluster writes a wish down
in other words (quantities, what is empty is left out, lists that are kept by a key) are Kubernetes'.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provisioning.cluster import Obj
from provisioning.quantities import quantity

# Lists that the API keeps by a key (x-kubernetes-list-map-keys); every other list is one value.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "port", "protocol"),  # whichever of the first two there is
}
# Mappings that the API keeps as one value (x-kubernetes-map-type: atomic).
_ATOMIC = frozenset({"selector", "podSelector", "namespaceSelector", "matchLabels", "nodeSelector"})
_QUANTITIES = frozenset({"requests", "limits", "hard", "default", "defaultRequest", "max", "min"})
_QUANTITY_FIELDS = frozenset({"sizeLimit", "averageValue"})
_SECRET = frozenset({"data", "stringData", "binaryData"})
_LONGEST = 60  # characters of a value that is shown


@dataclass(frozen=True)
class Difference:
    """One field that is not as it was asked for.  Untrusted text."""

    path: str  # "spec.replicas"
    said: str  # "was 0, not 1"

    def __str__(self) -> str:
        return f"{self.path} {self.said}"


@dataclass(frozen=True)
class Drift:
    """An object that is missing (`differences` is empty) or not as it was asked for."""

    wanted: Obj
    manager: str  # the field owner under which it is put back
    differences: tuple[Difference, ...] = ()

    @property
    def reference(self) -> str:
        """In kubectl's words: "deployment/medusa"."""
        return f"{self.wanted['kind'].lower()}/{self.wanted['metadata']['name']}"

    @property
    def key(self) -> str:
        """The same drift again has the same key."""
        return " ".join([self.reference, *(each.path for each in self.differences)])


def differences(wanted: Obj, there: Obj) -> tuple[Difference, ...]:
    """The fields of `wanted` that `there`, the object as the cluster has it, does not have so."""
    found: list[Difference] = []
    for key, value in wanted.items():
        if key in ("apiVersion", "kind", "status"):
            continue
        if key == "metadata":
            for part in ("labels", "annotations"):
                found += _compare(value.get(part) or {}, there["metadata"].get(part) or {}, ("metadata", part))
        else:
            found += _compare(value, there.get(key), (key,))
    return tuple(found)


def _compare(wanted: Any, there: Any, path: tuple[str, ...]) -> Iterator[Difference]:
    if _is_empty(wanted):
        # An empty selector means "all": more in it narrows it.  Elsewhere the API leaves out what is empty.
        if path[-1] in _ATOMIC and not _is_empty(there):
            yield _difference(path, wanted, there)
    elif isinstance(wanted, Mapping):
        if not isinstance(there, Mapping):
            yield _difference(path, wanted, there)
            return
        for key, value in wanted.items():
            yield from _compare(value, there.get(key), (*path, str(key)))
        if path[-1] in _ATOMIC and there.keys() - wanted.keys():
            yield _difference(path, wanted, there)
    elif isinstance(wanted, list):
        yield from _compare_lists(wanted, there if isinstance(there, list) else [], path)
    elif wanted != there and not _is_same_quantity(wanted, there, path):
        yield _difference(path, wanted, there)


def _compare_lists(wanted: Sequence[Any], there: Sequence[Any], path: tuple[str, ...]) -> Iterator[Difference]:
    keys = _KEYS.get(path[-1], ())
    if not keys:
        if len(wanted) != len(there):
            yield _difference(path, wanted, there)
            return
        for number, (one, other) in enumerate(zip(wanted, there, strict=True)):
            yield from _compare(one, other, (*path[:-1], f"{path[-1]}[{number}]"))
        return
    known = {_identity(item, keys): item for item in there}
    for item in wanted:
        identity = _identity(item, keys)
        place = (*path[:-1], f"{path[-1]}[{identity.removesuffix('/TCP')}]")
        if identity in known:
            yield from _compare(item, known[identity], place)
        else:
            yield Difference(".".join(place), "was missing")


def _identity(item: Any, keys: Sequence[str]) -> str:
    """What tells an item of a list from the others: "medusa", "9000/TCP"."""
    named = {"protocol": "TCP", **item} if "protocol" in keys else item
    return "/".join(str(named[key]) for key in keys if key in named)


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == {} or value == []


def _is_same_quantity(wanted: Any, there: Any, path: tuple[str, ...]) -> bool:
    if there is None or not (path[-1] in _QUANTITY_FIELDS or _QUANTITIES.intersection(path)):
        return False
    try:
        return quantity(wanted) == quantity(there)
    except (ValueError, TypeError):
        return False


def _difference(path: tuple[str, ...], wanted: Any, there: Any) -> Difference:
    """Values are shown where they are short and cannot be a secret that somebody typed into an object."""
    where = ".".join(path)
    plain = isinstance(wanted, str | int | float) and path[0] not in _SECRET and ".env[" not in where
    if not plain or isinstance(there, Mapping | list):
        return Difference(where, "was missing" if there is None else "was changed")
    shown = "missing" if there is None else str(there)[:_LONGEST]
    return Difference(where, f"was {shown}, not {str(wanted)[:_LONGEST]}")


def changed_by(there: Obj, managers: Sequence[str]) -> str:
    """Who changed an object last, by its field owners ("kubectl-edit"), other than `managers`; "" if nobody is named.

    Controllers that write only the status do not count.  Untrusted text.
    """
    entries = [
        entry
        for entry in there["metadata"].get("managedFields") or []
        if entry.get("manager") not in managers and not entry.get("subresource")
    ]
    last = max(entries, key=lambda entry: str(entry.get("time", "")), default=None)
    return str(last["manager"])[:60] if last and last.get("manager") else ""
