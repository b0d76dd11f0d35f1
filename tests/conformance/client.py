"""A plain way to the Kubernetes API for the conformance suite: status and JSON, nothing hidden."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from kubernetes.aio import client, config

Obj = dict[str, Any]
T = TypeVar("T")

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

IMAGE = "docker.io/library/postgres:17-trixie"  # on the test cluster's node
MISSING_IMAGE = "docker.io/library/postgres:does-not-exist"


@dataclass
class Answer:
    status: int
    body: Any

    def __getitem__(self, key: str) -> Any:
        return self.body[key]


@dataclass
class Target:
    """A cluster under test."""

    name: str  # "sandbox" or "real"
    kubeconfig: Path
    api: client.ApiClient
    patience: float  # seconds to wait for what takes long
    sandbox: Any = None
    namespaces: list[str] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, name: str, kubeconfig: Path, patience: float) -> AsyncIterator["Target"]:
        configuration = client.Configuration()
        await config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        async with client.ApiClient(configuration) as api:
            target = cls(name, kubeconfig, api, patience)
            try:
                yield target
            finally:
                for namespace in target.namespaces:
                    await target.call("DELETE", f"/api/v1/namespaces/{namespace}")

    async def send(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **query: Any
    ) -> aiohttp.ClientResponse:
        call = await self.api.param_serialize(
            method,
            path,
            query_params=[(key, str(value)) for key, value in query.items()],
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        response: aiohttp.ClientResponse = (await self.api.call_api(*call, _request_timeout=60)).response
        return response

    async def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **query: Any
    ) -> Answer:
        response = await self.send(method, path, body, content_type, **query)
        text = await response.read()
        try:
            return Answer(response.status, json.loads(text))
        except ValueError:
            return Answer(response.status, text.decode(errors="replace"))

    async def ok(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **query: Any
    ) -> Obj:
        answer = await self.call(method, path, body, content_type, **query)
        assert answer.status < 300, answer
        result: Obj = answer.body
        return result

    async def new_namespace(self, labels: dict[str, str] | None = None) -> str:
        name = f"scratch-conformance-{secrets.token_hex(4)}"
        body = {"metadata": {"name": name, "labels": labels or {}}}
        await self.ok("POST", "/api/v1/namespaces", body)
        self.namespaces.append(name)
        return name

    async def watch(self, path: str, **query: Any) -> list[Obj]:
        """All events of a watch until its `timeoutSeconds` end it."""
        response = await self.send("GET", path, watch="true", **query)
        assert response.status == 200, await response.read()
        return [json.loads(line) async for line in response.content]

    async def eventually(self, look: Callable[[], Awaitable[T]], what: str = "") -> T:
        """The first true answer of `look`; fails when patience ends."""
        end = time.monotonic() + self.patience
        pause, last = 0.01, None
        while time.monotonic() < end:
            last = await look()
            if last:
                return last
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.5)
        raise AssertionError(f"{what or 'it'} did not come to be within {self.patience} s; last: {last}")

    async def until_gone(self, path: str) -> None:
        async def gone() -> bool:
            return (await self.call("GET", path)).status == 404

        await self.eventually(gone, f"the absence of {path}")


def config_map(name: str, **data: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod_spec(image: str = IMAGE, **container: Any) -> Obj:
    """A pod as Pod Security's restricted profile wants it: PostgreSQL on an emptyDir."""
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 999,
            "fsGroup": 999,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "postgres",
                "image": image,
                "env": [{"name": "POSTGRES_PASSWORD", "value": "x"}, {"name": "PGDATA", "value": "/data/pg"}],
                "ports": [{"name": "postgres", "containerPort": 5432}],
                "readinessProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1},
                "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                **container,
            }
        ],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }


def deployment(name: str, replicas: int = 1, image: str = IMAGE, **spec: Any) -> Obj:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(image)},
            **spec,
        },
    }
