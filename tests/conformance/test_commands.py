"""Commands in containers, as the product runs them: over a websocket, with input, and told how they ended."""

import contextlib

import pytest

from provisioning.cluster import Cluster, ClusterError
from tests.conformance.client import IMAGE, Target

PSQL = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--username=medusa", "--dbname=medusa")


async def test_psql_takes_its_statements_from_its_input(cluster: Target, namespace: str) -> None:
    variables = {"POSTGRES_USER": "medusa", "POSTGRES_DB": "medusa", "POSTGRES_PASSWORD": "conformance"}
    env = [{"name": name, "value": value} for name, value in variables.items()]
    container = {"name": "postgres", "image": IMAGE, "env": env}
    path = f"/api/v1/namespaces/{namespace}/pods"
    await cluster.ok("POST", path, {"metadata": {"name": "server"}, "spec": {"containers": [container]}})
    async with contextlib.AsyncExitStack() as stack:
        client = await Cluster.connect(cluster.kubeconfig)
        stack.push_async_callback(client.close)

        async def told() -> bool:
            try:
                await client.run(namespace, "server", "postgres", PSQL, "BEGIN;\nCREATE ROLE guest;\nCOMMIT;\n\\q\n")
            except ClusterError:
                return False  # it is only starting
            return True

        assert await cluster.eventually(told, "a database that takes statements")
        unknown = (
            ("nowhere", "postgres", PSQL),
            ("server", "nothing", PSQL),
            ("server", "postgres", ("no-such-command",)),
        )
        for pod, name, command in unknown:
            with pytest.raises(ClusterError):
                await client.run(namespace, pod, name, command, "\\q\n")
