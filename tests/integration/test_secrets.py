"""A whole store's life on the sandbox, searched for its secrets: they are in the Kubernetes Secret (and in what the
owner reveals), and nowhere else."""

import base64
import secrets
import time
from typing import Any

import httpx
import yaml

from provisioning.secrets import new_key
from tests import leaks
from tests.served import EMAIL, PASSWORD, Served, command, process

SECRET = ("database-password", "jwt-secret", "cookie-secret", "admin-password")


class Objects:
    """The sandbox's API, asked behind the product's back."""

    def __init__(self, served: Served) -> None:
        file = served.folder / "data" / "sandbox" / "kubeconfig"
        wait(file.exists)
        config = yaml.safe_load(file.read_text())
        headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        url = config["clusters"][0]["cluster"]["server"]
        self.client = httpx.Client(base_url=url, headers=headers, verify=False, trust_env=False)  # noqa: S501

    def items(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(path).raise_for_status().json()["items"]
        return found


def wait(holds: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_forms_are_found_wherever_they_begin():
    secret = secrets.token_urlsafe(24)
    for before in range(7):
        whole = b"x" * before + secret.encode() + b"yz"
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            assert leaks.leaks([secret], {"there": b'{"a": "' + encode(whole) + b'"}'}) == ["there"]
    assert leaks.leaks([secret], {"nowhere": base64.b64encode(secrets.token_bytes(3000))}) == []


def test_secrets_are_nowhere_else(served: Served):
    objects, made, places = Objects(served), set[str](), dict[str, bytes]()
    space = "/api/v1/namespaces/store-quiet"

    def generated() -> set[str]:
        data = [
            each["data"] for each in objects.items(f"{space}/secrets") if each["metadata"]["name"] == "store-secrets"
        ]
        return {base64.b64decode(each[key]).decode() for each in data for key in SECRET}

    with served.client(served.token()) as api, served.client() as person, objects.client:
        signed_in = {"email": EMAIL, "password": PASSWORD}
        assert person.post("/sign-in", data=signed_in, headers={"Origin": served.url}).status_code == 303

        def look(when: str) -> None:
            for path in (
                *("/api/v1/stores", "/api/v1/stores/quiet", "/api/v1/stores/quiet/events", "/api/v1/audit"),
                *("/api/v1/me", "/api/openapi.json", "/healthz", "/readyz", "/nowhere"),
            ):
                places[f"{when} {path}"] = api.get(path).content
            for path in ("/", "/stores/quiet", "/platform"):
                places[f"{when} page {path}"] = person.get(path).content
            for secret in objects.items(f"{space}/secrets"):
                if secret["metadata"]["name"] != "store-secrets":
                    places[f"{when} {secret['metadata']['name']}"] = leaks.unpacked(secret)
            for kind in ("events", "pods", "configmaps", "persistentvolumeclaims"):
                places[f"{when} {kind}"] = repr(objects.items(f"{space}/{kind}")).encode()
            deployments = "/apis/apps/v1/namespaces/store-quiet/deployments"
            places[f"{when} deployments"] = repr(objects.items(deployments)).encode()

        api.post("/api/v1/stores", json={"name": "quiet"}).raise_for_status()
        wait(lambda: api.get("/api/v1/stores/quiet").json()["state"] == "READY")
        made |= generated()
        look("ready")
        api.post("/api/v1/stores/quiet/rotate-secrets").raise_for_status()
        said = lambda: api.get("/api/v1/stores/quiet/events").text  # noqa: E731
        wait(lambda: "secrets.rotated" in said())
        made |= generated()
        look("rotated")
        assert len(made) == 2 * len(SECRET)
        api.delete("/api/v1/stores/quiet", params={"now": "true"}).raise_for_status()
        wait(lambda: api.get("/api/v1/stores/quiet").status_code == 404)
        places["audit at the end"] = api.get("/api/v1/audit").content
    places["output"] = served.log.read_bytes()
    # The sandbox's own files are the cluster's, where Kubernetes Secrets are.
    places |= leaks.files(served.folder / "data", "sandbox", "key")
    assert any(place.endswith("storefleet.db") for place in places)
    assert sum(b"quiet" in content for content in places.values()) > 20, "it looked at what there is"
    assert leaks.leaks(made, places) == []


def test_a_process_with_another_key_is_refused_and_says_what_to_do(tmp_path, postgres_url):
    first, second = (Served(tmp_path / name, STOREFLEET_DATABASE_URL=postgres_url) for name in ("first", "second"))
    for served in (first, second):
        served.folder.mkdir()
    first.start()
    try:
        refused = process("serve", "--port", "0", "--sandbox", **second.settings)
        assert refused.returncode == 1
        assert "sealed with another key" in refused.stderr
        assert str(second.folder / "data" / "key") in refused.stderr
        assert "STOREFLEET_KEY" in refused.stderr
        key = (first.folder / "data" / "key").read_text()
        assert key not in refused.stderr
        second.settings["STOREFLEET_KEY"] = f"{new_key()},{key}"  # a new one that seals, and the old one opens
        second.start().stop()
    finally:
        first.stop()
    assert process("serve", "--port", "0", "--sandbox", **first.settings).returncode == 1  # without the new one
    assert command("key", "replace", **first.settings).returncode == 0
    first.start().stop()
