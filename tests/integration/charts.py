"""Charts as Helm's own library renders them, without a cluster."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

helm = pytest.importorskip("helm_python", reason="renders charts: pip install storefleet[helm]")

CHARTS = Path(__file__).resolve().parents[2] / "charts"

Obj = dict[str, Any]
Objects = dict[tuple[str, str], Obj]  # by kind and name


def merged(*layers: Obj) -> Obj:
    whole: Obj = {}
    for layer in layers:
        for key, value in copy.deepcopy(layer).items():
            both = isinstance(value, dict) and isinstance(whole.get(key), dict)
            whole[key] = merged(whole[key], value) if both else value
    return whole


def rendered(chart: str, release: str, *layers: Obj) -> Objects:
    """The chart's objects for a release in a namespace of its own name."""
    files = helm.Chart.load(CHARTS / chart).render(merged(*layers), name=release, namespace=release)
    documents = [
        document
        for file, text in files.items()
        if file.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    objects = {(document["kind"], document["metadata"]["name"]): document for document in documents}
    assert len(objects) == len(documents), "two objects have one name"
    return objects


def pods(objects: Objects) -> Iterator[Obj]:
    """Every pod, or template of one (metadata and spec)."""
    for (kind, _), obj in objects.items():
        if kind == "Pod":
            yield obj
        elif "template" in obj.get("spec", {}):
            yield obj["spec"]["template"]


def variables(container: Obj) -> Obj:
    """A container's environment: a value as text, a secret as (Secret, key)."""
    found: Obj = {}
    for variable in container.get("env", []):
        secret = variable.get("valueFrom", {}).get("secretKeyRef")
        found[variable["name"]] = (secret["name"], secret["key"]) if secret else variable["value"]
    return found
