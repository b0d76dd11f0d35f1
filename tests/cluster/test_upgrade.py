"""A real store gets the release of a newer platform, and goes back to its own, while customers shop; nothing of either
is left behind its deletion.

There is one image of the shop, so its tag stays: the newer chart says another appVersion, and an annotation makes the
pods anew.
"""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning import templates
from tests.charts_of_another_time import NOTE, charts
from tests.cluster.cluster import Kubectl, served_on_the_cluster
from tests.cluster.tenants import Tenants
from tests.cluster.test_rotation import Shop, secret, sign_in_to_database
from tests.cluster.test_whole_line import assert_nothing_is_left, wait_until_gone

OLD, NEW = "2.21.2", "2.22.0"


@pytest.fixture
def platform(kubectl: Kubectl, tmp_path: Path) -> Iterator[Tenants]:
    values = tmp_path / "values.yaml"
    # On a busy machine it takes a while until the ingress controller has heard that a pod leaves.
    values.write_text(f'medusa: {{image: {{tag: "{OLD}"}}, drainSeconds: 10}}\n')
    settings = {"STOREFLEET_STORE_VALUES": str(values), "TEST_CHARTS": str(templates.CHARTS)}
    served = served_on_the_cluster(tmp_path, **settings)
    served.module = "tests.cluster.serve"
    name = f"upgrade-{secrets.token_hex(3)}"
    found = Tenants(served.start(), kubectl, served.token(), name, name)
    try:
        yield found
    finally:
        with found.client() as api:
            api.delete(f"/api/v1/stores/{name}", params={"now": "true"})
            found.wait(lambda: api.get(f"/api/v1/stores/{name}").status_code == 404)
        served.stop()


def note(platform: Tenants, store: str) -> str:
    """What the chart of the pod that serves gave it."""
    pod = platform.get("pod", platform.shop_pod(store), f"store-{store}")
    return str((pod["metadata"].get("annotations") or {}).get(NOTE, ""))


def revisions(platform: Tenants, store: str) -> dict[str, str]:
    """Helm's own record: the status by the revision."""
    found = platform.kubectl.items("secrets", "--namespace", f"store-{store}", "--selector", "owner=helm")
    return {each["metadata"]["labels"]["version"]: each["metadata"]["labels"]["status"] for each in found}


def ready(platform: Tenants, store: str, version: str) -> None:
    platform.wait(lambda: platform.state(store) in ("READY", "FAILED"), 240)
    found = platform.store(store)
    assert (found["state"], found["version"]) == ("READY", version), found


def test_upgraded_and_rolled_back_while_customers_shop(platform: Tenants, tmp_path: Path) -> None:
    store = platform.a
    with platform.client() as api:
        api.post("/api/v1/stores", json={"name": store}).raise_for_status()
    ready(platform, store, OLD)
    shop, before = Shop(platform.store(store)["url"]), secret(platform, store)
    made = platform.store(store)
    assert (made["upgrade"], made["rollback"]) == (None, None)

    platform.served.stop()  # as the platform is upgraded: another process, with another chart
    platform.served.settings["TEST_CHARTS"] = str(charts(tmp_path, NEW, "new"))
    platform.served.start()
    platform.wait(lambda: platform.store(store)["upgrade"] == {"version": NEW}, 60)
    assert note(platform, store) == "", "nobody asked yet"

    with shop.customers() as answers:
        with platform.client() as api:
            api.post(f"/api/v1/stores/{store}/upgrade").raise_for_status()
            assert api.post(f"/api/v1/stores/{store}/upgrade").status_code == 409
        ready(platform, store, NEW)
        assert note(platform, store) == "new"
        platform.wait(lambda: "secrets.rotated" in platform.events(store), 240)
        assert sign_in_to_database(platform, store, before) == "28P01"
        assert platform.store(store)["rollback"] == {"revision": 1, "version": OLD}

        with platform.client() as api:
            api.post(f"/api/v1/stores/{store}/rollback", json={"revision": 1}).raise_for_status()
        ready(platform, store, OLD)
        assert note(platform, store) == ""
        time.sleep(2)
    assert set(answers) == {200}, answers
    assert sum(answers.values()) > 20

    assert platform.store(store)["upgrade"] == {"version": NEW}
    assert revisions(platform, store) == {"1": "superseded", "2": "superseded", "3": "deployed"}
    assert sign_in_to_database(platform, store, secret(platform, store)) == "in"
    told = platform.events(store)
    assert [told.count(kind) for kind in ("release.upgraded", "release.rolled_back", "repaired")] == [1, 1, 0], told
    with platform.client() as api:
        api.delete(f"/api/v1/stores/{store}", params={"now": "true"}).raise_for_status()
        wait_until_gone(api, store)
    assert_nothing_is_left(platform.kubectl, made)
