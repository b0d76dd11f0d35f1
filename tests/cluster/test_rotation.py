"""A real shop gets new secrets: it serves all the while, also when the platform is killed in the middle; what opened it
before is refused afterwards; and no secret, old or new, is anywhere but in the Kubernetes Secret."""

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests import leaks
from tests.cluster.cluster import INGRESS
from tests.cluster.tenants import Tenants

SECRET = ("database-password", "jwt-secret", "cookie-secret", "admin-password")

# Signs in to the database from a shop's pod; says "in", or PostgreSQL's code.
SIGN_IN = """
const { Client } = require("@medusajs/framework/pg")
const [user, password] = process.argv.slice(1)
const client = new Client({ host: "postgres", database: "medusa", user, password })
client.on("error", () => undefined)
client.connect().then(() => "in", (error) => error.code).then(async (said) => {
  console.log(said)
  process.exit(0)
})
"""


def secret(tenants: Tenants, store: str) -> dict[str, str]:
    data = tenants.get("secret", "store-secrets", f"store-{store}")["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def sign_in_to_database(tenants: Tenants, store: str, values: dict[str, str]) -> str:
    who = (values["database-user"], values["database-password"])
    where = ("sh", "-c", 'cd /app && exec node --eval "$0" -- "$@"', SIGN_IN, *who)
    return tenants.run(f"store-{store}", tenants.shop_pod(store), *where).strip()


class Shop:
    """A store as customers and its administrator meet it."""

    def __init__(self, url: str) -> None:
        self.headers = {"Host": httpx.URL(url).host}

    def ask(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{INGRESS}{path}", headers={**self.headers, **headers}, trust_env=False, timeout=30)

    def sign_in(self, values: dict[str, str]) -> httpx.Response:
        body = {"email": values["admin-email"], "password": values["admin-password"]}
        url = f"{INGRESS}/auth/user/emailpass"
        return httpx.post(url, json=body, headers=self.headers, trust_env=False, timeout=30)

    @contextmanager
    def customers(self, number: int = 4) -> Iterator[Counter[int]]:
        """So many people look at the products, one page after the other."""
        answers, over = Counter[int](), threading.Event()

        def shopping() -> None:
            with httpx.Client(base_url=INGRESS, headers=self.headers, trust_env=False, timeout=60) as client:
                while not over.is_set():
                    try:
                        answers[client.get("/").status_code] += 1
                    except httpx.HTTPError:
                        answers[0] += 1
                    time.sleep(0.2)

        people = [threading.Thread(target=shopping) for _ in range(number)]
        for each in people:
            each.start()
        try:
            yield answers
        finally:
            over.set()
            for each in people:
                each.join()


def kill(tenants: Tenants) -> None:
    process = tenants.served.process
    assert process is not None
    process.kill()
    process.wait()
    tenants.served.start()


def places(tenants: Tenants, store: str) -> dict[str, bytes]:
    """All that can be read of a store, but for its Secret."""
    space = ("--namespace", f"store-{store}")
    found = {kind: tenants.kubectl.run("get", kind, *space, "--output", "yaml").encode() for kind in KINDS.split(",")}
    for each in tenants.kubectl.items("secrets", *space):
        if each["metadata"]["name"] != "store-secrets":
            found[each["metadata"]["name"]] = leaks.unpacked(each)
    for pod in tenants.kubectl.names("pods", *space):
        found[f"log of {pod}"] = tenants.kubectl.run("logs", *space, pod).encode()
    with tenants.client() as api:
        for path in ("", "/events"):
            found[f"API {path}"] = api.get(f"/api/v1/stores/{store}{path}").content
        found["audit"] = api.get("/api/v1/audit").content
    found["output"] = tenants.served.log.read_bytes()
    return found | leaks.files(tenants.served.folder / "data", "key")


KINDS = "events,pods,deployments,replicasets,statefulsets,configmaps,services,ingresses,persistentvolumeclaims"


def test_new_secrets_for_a_shop_that_serves(tenants: Tenants):
    store = tenants.a
    shop, before = Shop(tenants.store(store)["url"]), secret(tenants, store)
    token: dict[str, Any] = shop.sign_in(before).json()
    assert shop.ask("/admin/users/me", Authorization=f"Bearer {token['token']}").status_code == 200
    assert sign_in_to_database(tenants, store, before) == "in"

    with shop.customers() as answers:
        with tenants.client() as api:
            api.post(f"/api/v1/stores/{store}/rotate-secrets").raise_for_status()
        kill(tenants)
        tenants.wait(lambda: "secrets.prepared" in tenants.events(store), 120)
        kill(tenants)
        tenants.wait(lambda: "secrets.rotated" in tenants.events(store), 300)
        time.sleep(2)
    assert set(answers) == {200}, answers
    assert sum(answers.values()) > 20

    after = secret(tenants, store)
    assert {key for key in after if after[key] == before[key]} == {"admin-email"}
    assert sign_in_to_database(tenants, store, after) == "in"
    assert sign_in_to_database(tenants, store, before) == "28P01", "the old login is refused"
    mixed = {**before, "database-password": after["database-password"]}
    assert sign_in_to_database(tenants, store, mixed) == "28P01"
    assert shop.sign_in(before).status_code == 401
    fresh = shop.sign_in(after).json()["token"]
    assert shop.ask("/admin/users/me", Authorization=f"Bearer {fresh}").status_code == 200
    assert shop.ask("/admin/users/me", Authorization=f"Bearer {token['token']}").status_code == 401
    assert tenants.state(store) == "READY"
    owned = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner <> 'medusa'"
    psql = ("psql", "--username=medusa", "--dbname=medusa", "--tuples-only", "--no-align", "--command", owned)
    assert tenants.run(f"store-{store}", "postgres-0", *psql).strip() == "0"

    looked_at = places(tenants, store)
    assert json.loads(looked_at["API "])["name"] == store
    wanted = [each[key] for each in (before, after) for key in SECRET]
    assert leaks.leaks(wanted, looked_at) == []
