"""Values that the chart's schema must refuse, and what the refusal must say: where, and what is wrong there."""

from pathlib import Path
from typing import Any

import pytest

helm = pytest.importorskip("helm_python", reason="reads charts: pip install storefleet[helm]")

CHART = helm.Chart.load(Path(__file__).resolve().parents[2] / "charts" / "medusa-store")

REFUSED: list[tuple[str, Any, list[str]]] = [
    # unknown names, at every depth
    ("replicas", 2, ["additional properties 'replicas' not allowed"]),
    ("medusa.replica", 2, ["/medusa", "additional properties 'replica' not allowed"]),
    ("postgresql.persistence.storageClassName", "fast", ["/postgresql/persistence", "'storageClassName' not allowed"]),
    ("medusa.resources.requests.gpu", 1, ["/medusa/resources/requests", "'gpu' not allowed"]),
    ("medusa.tolerations", [{"name": "x"}], ["/medusa/tolerations/0", "'name' not allowed"]),
    ("secrets.databasePassword", "hunter2", ["/secrets", "'databasePassword' not allowed"]),
    ("postgresql.password", "hunter2", ["/postgresql", "'password' not allowed"]),
    ("ingress.tls.crt", "x", ["/ingress/tls", "'crt' not allowed"]),
    ("secrets.provider", "external", ["/secrets/external/storeName", "minLength"]),
    ("secrets.provider", "vault", ["/secrets/provider", "'existing', 'external'"]),
    ("secrets.external.refreshInterval", "often", ["/secrets/external/refreshInterval", "does not match pattern"]),
    # wrong types
    ("medusa.replicas", "two", ["/medusa/replicas", "got string, want integer"]),
    ("medusa.replicas", 1.5, ["/medusa/replicas", "want integer"]),
    ("medusa.image.tag", 2, ["/medusa/image/tag", "got number, want string"]),
    ("store.sampleProducts", "yes", ["/store/sampleProducts", "got string, want boolean"]),
    ("store.countries", "de", ["/store/countries", "got string, want array"]),
    ("labels.a", 1, ["/labels/a", "got number, want string"]),
    ("store", "bikes", ["/store", "got string, want object"]),
    ("store.name", None, ["/store", "missing property 'name'"]),
    # malformed
    ("store.name", "", ["/store/name", "minLength"]),
    ("store.name", "a\nb", ["/store/name", "does not match pattern"]),
    ("store.url", "bikes.localhost", ["/store/url", "'bikes.localhost' does not match pattern '^https?://"]),
    ("store.url", "https://bikes.example/shop", ["/store/url", "does not match pattern"]),
    ("store.currency", "EUR", ["/store/currency", "'EUR' does not match pattern '^[a-z]{3}$'"]),
    ("store.countries", [], ["/store/countries", "minItems"]),
    ("store.countries", ["de", "de"], ["/store/countries", "items at 0 and 1 are equal"]),
    ("store.countries", ["germany"], ["/store/countries/0", "'germany' does not match pattern"]),
    ("labels", {"a b": "c"}, ["propertyName 'a b'"]),
    ("labels", {"a": "b c"}, ["/labels/a", "'b c' does not match pattern"]),
    ("labels", {"app.kubernetes.io/name": "other"}, ["propertyName 'app.kubernetes.io/name'"]),
    ("secrets.existingSecret", "", ["/secrets/existingSecret", "does not match pattern"]),
    ("medusa.replicas", 0, ["/medusa/replicas", "minimum"]),
    ("medusa.drainSeconds", 0, ["/medusa/drainSeconds", "minimum"]),
    ("medusa.resources.limits.memory", "768 MB", ["/medusa/resources/limits/memory", "'768 MB' does not match"]),
    ("medusa.resources.requests.cpu", "-1", ["/medusa/resources/requests/cpu", "'-1' does not match"]),
    ("medusa.image.pullPolicy", "Sometimes", ["/medusa/image/pullPolicy", "'IfNotPresent', 'Always', 'Never'"]),
    ("medusa.image.repository", "Shop:latest", ["/medusa/image/repository", "does not match pattern"]),
    ("postgresql.image.tag", "", ["/postgresql/image/tag", "minLength"]),
    ("postgresql.persistence.size", "0Gi", ["/postgresql/persistence/size", "'0Gi' does not match pattern"]),
    ("postgresql.persistence.size", "10", ["/postgresql/persistence/size", "'10' does not match pattern"]),
    ("postgresql.settings", {"shared_buffers; DROP": "1"}, ["propertyName 'shared_buffers; DROP'"]),
    ("ingress.host", "http://bikes.example", ["/ingress/host", "does not match pattern"]),
    ("ingress.className", "My Class", ["/ingress/className", "'My Class' does not match pattern"]),
    ("externalDatabase.port", 70000, ["/externalDatabase/port", "maximum"]),
    ("externalDatabase.user", "$(JWT_SECRET)", ["/externalDatabase/user", "does not match pattern"]),
    # passwords do not go into values, a release keeps them
    ("redis.url", "redis://:hunter2@redis.example", ["/redis/url", "does not match pattern"]),
    ("redis.url", "http://redis.example", ["/redis/url", "does not match pattern"]),
    # what needs something else
    ("medusa.replicas", 2, ["/redis/url", "'' does not match pattern '^rediss?://'"]),
    ("medusa.autoscaling.enabled", True, ["/redis/url", "'' does not match pattern '^rediss?://'"]),
    ("postgresql.enabled", False, ["/externalDatabase/host", "minLength: got 0, want 1"]),
]

ACCEPTED: list[dict[str, Any]] = [
    {},
    {"medusa": {"replicas": 2}, "redis": {"url": "rediss://user:$(REDIS_PASSWORD)@redis.example:6379/1"}},
    {"medusa": {"autoscaling": {"enabled": True}}, "redis": {"url": "redis://redis"}},
    {"postgresql": {"enabled": False}, "externalDatabase": {"host": "10.0.0.7", "user": "shop@server"}},
    {"medusa": {"resources": {"requests": {"cpu": 0.5}, "limits": {"cpu": 2, "memory": "1.5Gi"}}}},
    {"store": {"name": "Cæsar's 自転車 & <b>", "url": "https://bikes.shops.example.com:8443"}},
    {"labels": {"storefleet.dev/store": "0192-aB_c.d", "plain": ""}},
]


def nested(name: str, value: Any) -> dict[str, Any]:
    for key in reversed(name.split(".")):
        value = {key: value}
    return value


@pytest.mark.parametrize(("name", "value", "words"), REFUSED, ids=[f"{name}={value!r}" for name, value, _ in REFUSED])
def test_refused(name: str, value: Any, words: list[str]):
    with pytest.raises(helm.HelmValuesError) as refusal:
        CHART.render(nested(name, value), name="store-bikes")
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize("values", ACCEPTED, ids=str)
def test_accepted(values: dict[str, Any]):
    CHART.render(values, name="store-bikes")
