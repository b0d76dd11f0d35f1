"""What the chart makes of its values, rendered by Helm's own library without a cluster."""

import re
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.integration.charts import CHARTS, Obj, Objects, helm, pods, rendered, variables
from tests.integration.pod_security import violations

CHART = CHARTS / "medusa-store"
PRODUCTION = yaml.safe_load((CHART / "values-prod.yaml").read_text())
LABELS = {"storefleet.dev/installation": "installation-1", "storefleet.dev/store": "store-1"}
REDIS = {"url": "redis://:$(REDIS_PASSWORD)@redis.example:6379"}
EXTERNAL = {"postgresql": {"enabled": False}, "externalDatabase": {"host": "db.example", "port": 6432, "ssl": True}}
SEVERAL = {"medusa": {"replicas": 3}, "redis": REDIS}
AUTOSCALED = {"medusa": {"autoscaling": {"enabled": True}}, "redis": REDIS}

# One of each, in every combination: what holds for all of these holds for the chart.
CHOICES: list[dict[str, dict[str, Any]]] = [
    {"local": {}, "production": PRODUCTION},
    {"single": {}, "several": SEVERAL, "autoscaled": AUTOSCALED},
    {"own": {}, "ephemeral": {"postgresql": {"persistence": {"enabled": False}}}, "external": EXTERNAL},
    {
        "http": {},
        "https": {"ingress": {"tls": {"enabled": True, "clusterIssuer": "letsencrypt"}}},
        "inside": {"ingress": {"enabled": False}},
    },
]
VARIANTS = {"-".join(names): names for names in product(*CHOICES)}


def render(*layers: Obj) -> Objects:
    return rendered("medusa-store", "store-bikes", {"labels": LABELS}, *layers)


def environment(objects: Objects) -> Obj:
    """The shop's variables."""
    return variables(objects["Deployment", "medusa"]["spec"]["template"]["spec"]["containers"][0])


class TestEveryVariant:
    @pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
    def objects(self, request: pytest.FixtureRequest) -> Objects:
        return render(*(choice[name] for choice, name in zip(CHOICES, request.param, strict=True)))

    def test_every_pod_is_restricted(self, objects: Objects):
        for pod in pods(objects):
            assert violations(pod["spec"]) == []
            assert pod["spec"]["automountServiceAccountToken"] is False
            assert pod["spec"]["enableServiceLinks"] is False
            assert all(c["securityContext"]["readOnlyRootFilesystem"] for c in pod["spec"]["containers"])

    def test_every_container_says_what_it_needs(self, objects: Objects):
        for pod in pods(objects):
            for container in pod["spec"]["containers"]:
                for part in ("requests", "limits"):
                    assert set(container["resources"][part]) == {"cpu", "memory"}

    def test_labels_are_everywhere(self, objects: Objects):
        claims = [claim for obj in objects.values() for claim in obj["spec"].get("volumeClaimTemplates", [])]
        for obj in [*objects.values(), *pods(objects), *claims]:
            labels = obj["metadata"]["labels"]
            assert labels.items() >= LABELS.items()
            assert labels["app.kubernetes.io/instance"] == "store-bikes"

    def test_selectors_find_their_own_pods_only(self, objects: Objects):
        templates = {
            labels["app.kubernetes.io/name"]: labels for labels in (p["metadata"]["labels"] for p in pods(objects))
        }
        for (kind, name), obj in objects.items():
            selector = obj["spec"].get("selector")
            if selector is None:
                continue
            wanted = selector if kind == "Service" else selector["matchLabels"]
            matching = {pod for pod, labels in templates.items() if wanted.items() <= labels.items()}
            assert matching == {name}, kind

    def test_nothing_that_changes_with_the_chart_replaces_a_pod(self, objects: Objects):
        for pod in pods({key: obj for key, obj in objects.items() if key[0] != "Pod"}):
            assert "helm.sh/chart" not in pod["metadata"]["labels"]

    def test_secrets_are_only_referred_to(self, objects: Objects):
        assert "Secret" not in {kind for kind, _ in objects}
        assert (
            environment(objects).items()
            >= {
                "DATABASE_PASSWORD": ("store-secrets", "database-password"),
                "JWT_SECRET": ("store-secrets", "jwt-secret"),
                "COOKIE_SECRET": ("store-secrets", "cookie-secret"),
                "ADMIN_EMAIL": ("store-secrets", "admin-email"),
                "ADMIN_PASSWORD": ("store-secrets", "admin-password"),
            }.items()
        )


def test_the_check_of_pods_finds_faults():
    assert violations({"containers": [{"name": "shop"}]}) == [
        "container shop: allowPrivilegeEscalation",
        "container shop: capabilities.drop",
        "container shop: runAsNonRoot",
        "container shop: seccompProfile",
    ]
    pod = next(pods(render()))["spec"]
    for change, fault in (
        ({"hostNetwork": True}, "hostNetwork"),
        ({"volumes": [{"name": "disk", "hostPath": {"path": "/"}}]}, "volume disk: hostPath"),
    ):
        assert violations({**pod, **change}) == [fault]


@pytest.mark.parametrize("values", [{}, PRODUCTION], ids=["values.yaml", "values-prod.yaml"])
def test_lint_has_nothing_to_say(values: Obj):
    report = helm.chart.lint(str(CHART), values, strict=True)
    assert (report["messages"], report["errors"]) == ([], [])


def test_objects_of_a_plain_store():
    assert set(render()) == {
        ("StatefulSet", "postgres"),
        ("Service", "postgres"),
        ("Deployment", "medusa"),
        ("Service", "medusa"),
        ("Ingress", "medusa"),
        ("Pod", "medusa-test"),
    }


def test_an_upgrade_never_takes_the_old_pod_first():
    deployment = render()["Deployment", "medusa"]["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = deployment["template"]["spec"]
    drain = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] == drain + 30


def test_start_is_watched_every_second_for_ten_minutes_and_nothing_runs_before_it():
    for workload in (("Deployment", "medusa"), ("StatefulSet", "postgres")):
        pod = render()[workload]["spec"]["template"]["spec"]
        assert "initContainers" not in pod
        probe = pod["containers"][0]["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] == 600
        assert probe["periodSeconds"] == 1


def test_the_shop_reaches_its_database_before_a_probe_has_seen_it():
    assert render()["Service", "postgres"]["spec"]["publishNotReadyAddresses"] is True
    assert "publishNotReadyAddresses" not in render()["Service", "medusa"]["spec"]


def test_storage():
    claims = render({"postgresql": {"persistence": {"size": "8Gi", "storageClass": "fast"}}})
    spec = claims["StatefulSet", "postgres"]["spec"]["volumeClaimTemplates"][0]["spec"]
    assert spec["storageClassName"] == "fast"
    assert spec["resources"]["requests"]["storage"] == "8Gi"
    assert "storageClassName" not in render()["StatefulSet", "postgres"]["spec"]["volumeClaimTemplates"][0]["spec"]

    without = render({"postgresql": {"persistence": {"enabled": False}}})["StatefulSet", "postgres"]["spec"]
    assert "volumeClaimTemplates" not in without
    assert {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}} in without["template"]["spec"]["volumes"]


def test_external_database():
    objects = render(EXTERNAL)
    assert not any(name == "postgres" for _, name in objects)
    assert (
        environment(objects).items()
        >= {
            "DATABASE_HOST": "db.example",
            "DATABASE_PORT": "6432",
            "DATABASE_USER": "medusa",
            "DATABASE_NAME": "medusa",
            "DATABASE_SSL": "true",
        }.items()
    )
    assert environment(render())["DATABASE_HOST"] == "postgres"


def test_server_settings_become_arguments():
    postgres = render({"postgresql": {"settings": {"shared_buffers": "64MB", "log_min_duration_statement": "500"}}})
    container = postgres["StatefulSet", "postgres"]["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["-c", "log_min_duration_statement=500", "-c", "shared_buffers=64MB"]


def test_several_pods_share_a_redis_and_outlive_a_drain():
    objects = render(SEVERAL)
    assert objects["Deployment", "medusa"]["spec"]["replicas"] == 3
    assert objects["PodDisruptionBudget", "medusa"]["spec"]["maxUnavailable"] == 1
    variables = list(environment(objects))
    assert environment(objects)["REDIS_URL"] == REDIS["url"]
    assert variables.index("REDIS_PASSWORD") < variables.index("REDIS_URL"), "a variable refers to earlier ones only"


def test_autoscaling_leaves_the_number_of_pods_to_the_autoscaler():
    objects = render(AUTOSCALED)
    assert "replicas" not in objects["Deployment", "medusa"]["spec"]
    spec = objects["HorizontalPodAutoscaler", "medusa"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "medusa"}


@pytest.mark.parametrize(
    ("tls", "secret", "issuer"),
    [
        ({"clusterIssuer": "letsencrypt"}, "medusa-tls", "letsencrypt"),
        ({"clusterIssuer": "letsencrypt", "secretName": "own"}, "own", "letsencrypt"),
        ({"secretName": "wildcard"}, "wildcard", None),
        ({}, None, None),  # the ingress controller's default certificate
    ],
)
def test_certificates(tls: Obj, secret: str | None, issuer: str | None):
    values = {"store": {"url": "https://bikes.example"}, "ingress": {"tls": {"enabled": True, **tls}}}
    ingress = render(values)["Ingress", "medusa"]
    entry = {"hosts": ["bikes.example"]} | ({"secretName": secret} if secret else {})
    assert ingress["spec"]["tls"] == [entry]
    assert ingress["metadata"].get("annotations", {}).get("cert-manager.io/cluster-issuer") == issuer


def test_without_tls_no_certificate_is_asked_for():
    ingress = render({"ingress": {"tls": {"clusterIssuer": "letsencrypt"}}})["Ingress", "medusa"]
    assert "tls" not in ingress["spec"]
    assert "annotations" not in ingress["metadata"]


def test_ingress_takes_the_stores_host_class_and_annotations():
    values = {"store": {"url": "http://bikes.localhost:8880"}}
    plain = render(values)["Ingress", "medusa"]
    assert plain["spec"]["rules"][0]["host"] == "bikes.localhost"
    assert "ingressClassName" not in plain["spec"]

    ingress = {"host": "other.example", "className": "nginx", "annotations": {"a.example/b": "true"}}
    chosen = render(values, {"ingress": ingress})["Ingress", "medusa"]
    assert chosen["spec"]["rules"][0]["host"] == "other.example"
    assert chosen["spec"]["ingressClassName"] == "nginx"
    assert chosen["metadata"]["annotations"] == {"a.example/b": "true"}


def test_placement():
    place = {
        "nodeSelector": {"pool": "shops"},
        "tolerations": [{"key": "shops", "operator": "Exists", "effect": "NoSchedule"}],
    }
    for pod in pods(render({"medusa": place, "postgresql": place}, {"imagePullSecrets": ["registry"]})):
        assert {key: pod["spec"][key] for key in place} == place
        assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_images():
    images = {"image": {"repository": "registry.example:5000/mirror/shop", "tag": "1.0"}}
    objects = render({"medusa": images, "postgresql": images})
    assert {p["spec"]["containers"][0]["image"] for p in pods(objects)} == {"registry.example:5000/mirror/shop:1.0"}
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    shop = render()["Deployment", "medusa"]["spec"]["template"]["spec"]["containers"][0]
    assert shop["image"] == f"ghcr.io/storefleet/medusa-store:{version}"


@given(
    title=st.text(st.sampled_from("$()aA \"'\\:{}#é|\u2028<&") | st.characters(codec="utf-8"), min_size=1, max_size=100)
)
def test_any_title_arrives_as_it_was_written(title: str):
    assume(not re.search(r"[\x00-\x1f\x7f]", title))
    assert as_the_kubelet_reads(environment(render({"store": {"name": title}}))["STORE_NAME"]) == title


def as_the_kubelet_reads(text: str) -> str:
    """`$$` stands for `$`; a reference `$(NAME)` to another variable must not be there."""

    def replaced(match: re.Match[str]) -> str:
        assert match[0] == "$$", "refers to another variable"
        return "$"

    return re.sub(r"\$\$|\$\(", replaced, text)


class TestSecretsFromElsewhere:
    def test_external_secrets_is_asked_for_the_secret(self):
        chosen = {"storeName": "vault", "key": "shops/{namespace}"}
        objects = render({"secrets": {"provider": "external", "external": chosen}})
        made = objects["ExternalSecret", "store-secrets"]
        assert made["apiVersion"] == "external-secrets.io/v1"
        spec = made["spec"]
        assert spec["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "vault"}
        assert spec["dataFrom"] == [{"extract": {"key": "shops/store-bikes"}}]
        assert (spec["target"]["name"], spec["target"]["deletionPolicy"]) == ("store-secrets", "Retain")
        assert spec["target"]["template"]["metadata"]["labels"].items() >= LABELS.items(), "so that it is seen"
        assert objects["Deployment", "medusa"]["metadata"]["annotations"] == {"storefleet.dev/secrets": "external"}

    def test_without_it_there_is_none(self):
        objects = render()
        assert "ExternalSecret" not in {kind for kind, _ in objects}
        assert "annotations" not in objects["Deployment", "medusa"]["metadata"]


def test_the_database_login_is_the_secrets_where_the_database_is_the_stores_own():
    assert environment(render())["DATABASE_USER"] == ("store-secrets", "database-user")
    assert environment(render(EXTERNAL))["DATABASE_USER"] == "medusa"
