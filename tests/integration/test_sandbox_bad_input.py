"""Whatever is sent to the sandbox's API gets a Kubernetes answer, never a failure of its own."""

from typing import Any

import pytest

from provisioning.sandbox import Sandbox, SandboxOptions
from provisioning.sandbox.resources import RESOURCES
from tests.conformance.client import APPLY, JSON_PATCH, MERGE, STRATEGIC, Target, config_map

SPECS: tuple[Any, ...] = (
    None,
    5,
    "x",
    [],
    {},
    {"containers": "x"},
    {"containers": [5]},
    {"template": 5, "selector": 5},
    {"template": {"spec": {"containers": [{"name": 5, "image": [], "resources": {"limits": {"cpu": "x"}}}]}}},
    {"selector": {"matchLabels": {"a": 5}}, "template": {"metadata": {"labels": {"a": 5}}}},
    {"replicas": "three"},
    {"ports": [{"port": "x"}]},
    {"rules": [5]},
    {"hard": {"pods": "x"}},
    {"resources": {"requests": {"storage": "x"}}, "accessModes": 5},
    {"limits": [{"type": "Container", "max": {"cpu": []}}]},
)
BODIES: tuple[Any, ...] = (
    [],
    5,
    "x",
    {"metadata": 5},
    {"metadata": {"name": 5}},
    {"metadata": {"name": "x", "labels": 5}},
    {"metadata": {"name": "x", "labels": {"a": 5}}},
    {"metadata": {"name": "x", "ownerReferences": [5]}},
    {"metadata": {"name": "x", "finalizers": 5}},
    {"metadata": {"name": "x", "annotations": []}},
    {"metadata": {"name": "x"}, "data": 5},
    {"metadata": {"name": "x"}, "data": {"a": 5}},
    {"metadata": {"name": "x"}, "stringData": []},
    {"kind": "Other", "metadata": {"name": "x"}},
    *({"metadata": {"name": "x"}, "spec": spec} for spec in SPECS),
)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
async def test_malformed_objects(resource: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with (
        Sandbox(SandboxOptions(speed=1000)) as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, patience=10) as target,
    ):
        middle = "/namespaces/default" if resource.namespaced else ""
        path = f"{resource.base_path}{middle}/{resource.plural}"
        for body in BODIES:
            created = await target.call("POST", path, body)
            assert created.status < 500, (body, created)
            if resource.stored:
                applied = await target.call("PATCH", f"{path}/x", body, APPLY, fieldManager="m", force="true")
                assert applied.status < 500, (body, applied)
                for content_type in (MERGE, STRATEGIC, JSON_PATCH):
                    patched = await target.call("PATCH", f"{path}/x", body, content_type)
                    assert patched.status < 500, (body, content_type, patched)
                updated = await target.call("PUT", f"{path}/x", body)
                assert updated.status < 500, (body, updated)
                deleted = await target.call("DELETE", f"{path}/x")
                assert deleted.status < 500, (body, deleted)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_bodies_may_be_large_but_not_endless() -> None:
    async with (
        Sandbox() as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, patience=10) as target,
    ):
        path = "/api/v1/namespaces/default/configmaps"
        assert (await target.call("POST", path, config_map("large", x="x" * 1_500_000))).status == 201
        larger = await target.call("POST", path, config_map("larger", x="x" * 4_000_000))
        assert (larger.status, larger["reason"]) == (413, "RequestEntityTooLarge")


async def test_odd_requests() -> None:
    async with (
        Sandbox() as sandbox,
        Target.connected("sandbox", sandbox.kubeconfig, patience=10) as target,
    ):
        path = "/api/v1/namespaces/default/configmaps"
        await target.ok("POST", path, config_map("m"))
        for method, where, query, expected in (
            ("GET", path, {"continue": "zz"}, 400),
            ("GET", path, {"resourceVersion": "99999999"}, 504),
            ("GET", path, {"watch": "true", "resourceVersion": "x"}, 400),
            ("GET", path, {"labelSelector": "=="}, 400),
            ("GET", f"{path}/m/nothing", {}, 404),
            ("PUT", path, {}, 405),
            ("POST", f"{path}/m", {}, 405),
            ("GET", "/api/v1/configmaps/m", {}, 404),
            ("GET", "/api/v2/pods", {}, 404),
            ("GET", "/%2e%2e/etc", {}, 404),
        ):
            answer = await target.call(method, where, None if method == "GET" else {}, **query)
            assert answer.status == expected, (method, where, answer)
            assert answer["kind"] == "Status"
