"""What the platform's chart makes of its values, rendered without a cluster, and its release's life on the sandbox."""

import asyncio
import json
import tomllib
from base64 import b64decode
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from app.settings import PREFIX, Settings
from provisioning.cluster import Cluster
from provisioning.helm import Helm, HelmError
from provisioning.sandbox import Sandbox
from tests.integration.charts import CHARTS, Obj, Objects, helm, pods, rendered, variables
from tests.integration.pod_security import violations

CHART = CHARTS / "platform"
PRODUCTION = yaml.safe_load((CHART / "values-prod.yaml").read_text())
EXTERNAL = {"database": {"kind": "external", "external": {"existingSecret": "database"}}}
SQLITE = {"replicas": 1, "database": {"kind": "sqlite"}}
STORE_VALUES = {"medusa": {"replicas": 1}, "labels": {"a": "$(b) {{ c }}"}}
OIDC = {
    "issuer": "https://id.example.com/realm",
    "clientId": "storefleet",
    "existingSecret": "provider",
    "domains": ["example.com", "example.org"],
}
PLANS = {"tiny": {"cpu": "500m", "memory": "1Gi", "storage": "1Gi"}}

# One of each, in every combination: what holds for all of these holds for the chart.
CHOICES: list[dict[str, dict[str, Any]]] = [
    {"local": {}, "production": PRODUCTION},
    {"as-is": {}, "embedded": {"database": {"kind": "embedded"}}, "external": EXTERNAL, "sqlite": SQLITE},
    {
        "plain": {},
        "chosen": {"oidc": OIDC, "storeValues": STORE_VALUES, "plans": PLANS, "secrets": {"existingSecret": "ours"}},
    },
    {"open": {}, "closed": {"ingress": {"enabled": False}, "networkPolicy": {"enabled": False}}},
]
VARIANTS = {"-".join(names): names for names in product(*CHOICES)}

ROLES = ("ClusterRole", "Role")


def render(*layers: Obj) -> Objects:
    return rendered("platform", "storefleet", *layers)


def container(objects: Objects) -> Obj:
    return objects["Deployment", "storefleet"]["spec"]["template"]["spec"]["containers"][0]


class TestEveryVariant:
    @pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
    def objects(self, request: pytest.FixtureRequest) -> Objects:
        return render(*(choice[name] for choice, name in zip(CHOICES, request.param, strict=True)))

    def test_every_pod_is_restricted_and_only_the_server_has_an_account(self, objects: Objects):
        for pod in pods(objects):
            assert violations(pod["spec"]) == []
            assert pod["spec"]["enableServiceLinks"] is False
            containers = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
            assert all(each["securityContext"]["readOnlyRootFilesystem"] for each in containers)
            for part in ("requests", "limits"):
                assert all(set(each["resources"][part]) == {"cpu", "memory"} for each in containers)
            serves = pod["metadata"]["labels"]["app.kubernetes.io/name"] == "storefleet"
            assert pod["spec"].get("automountServiceAccountToken", True) is serves
            assert pod["spec"].get("serviceAccountName") == ("storefleet" if serves else None)

    def test_no_rule_has_a_wildcard_and_nobody_else_s_role_is_bound(self, objects: Objects):
        for kind in ROLES:
            for rule in next(obj for (each, _), obj in objects.items() if each == kind)["rules"]:
                assert "*" not in {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}
                assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
                assert "rbac.authorization.k8s.io" not in rule["apiGroups"]
        made = {(kind, name) for kind, name in objects if kind in ROLES}
        for (kind, _), obj in objects.items():
            if kind.endswith("RoleBinding"):
                assert (obj["roleRef"]["kind"], obj["roleRef"]["name"]) in made

    def test_selectors_find_their_own_pods_only(self, objects: Objects):
        templates = [each["metadata"]["labels"] for each in pods(objects)]
        for (kind, name), obj in objects.items():
            if kind not in ("Service", "Deployment", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy"):
                continue
            selector = obj["spec"].get("selector") or obj["spec"]["podSelector"]
            wanted = selector if kind == "Service" else selector["matchLabels"]
            found = {labels["app.kubernetes.io/name"] for labels in templates if wanted.items() <= labels.items()}
            assert found == {name}, kind

    def test_nothing_that_changes_with_the_chart_replaces_a_pod(self, objects: Objects):
        for pod in pods({key: obj for key, obj in objects.items() if key[0] not in ("Pod", "Job")}):
            assert "helm.sh/chart" not in pod["metadata"]["labels"]

    def test_what_the_pods_mount_and_refer_to_is_there_or_the_operators(self, objects: Objects):
        operators = {("Secret", name) for name in ("ours", "provider", "database", "storefleet-database")}
        for pod in pods(objects):
            for volume in pod["spec"]["volumes"]:
                for part, kind, key in (
                    ("configMap", "ConfigMap", "name"),
                    ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
                    ("secret", "Secret", "secretName"),
                ):
                    if part in volume:
                        assert (kind, volume[part][key]) in objects.keys() | operators
            for each in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
                for value in variables(each).values():
                    if isinstance(value, tuple):
                        assert ("Secret", value[0]) in objects.keys() | operators
                        assert value[0] != "storefleet" or value[1] in objects["Secret", "storefleet"]["data"]

    def test_what_it_is_told_are_settings(self, objects: Objects):
        given = variables(container(objects))
        read = {PREFIX + name.upper(): name for name in Settings.model_fields}
        assert given.keys() - read.keys() <= {"DATABASE_PASSWORD"}
        on_a_file = objects["Deployment", "storefleet"]["spec"]["strategy"] == {"type": "Recreate"}
        assert (f"{PREFIX}DATABASE_URL" not in given) is on_a_file
        texts = {read[name]: value for name, value in given.items() if name in read and isinstance(value, str)}
        for file in ("store_values", "plans"):  # which are not here
            if path := texts.pop(file, None):
                assert Path(path).name in objects["ConfigMap", "storefleet"]["data"]
        Settings(**texts)


@pytest.mark.parametrize("values", [{}, PRODUCTION, SQLITE], ids=["values.yaml", "values-prod.yaml", "sqlite"])
def test_lint_has_nothing_to_say(values: Obj):
    report = helm.chart.lint(str(CHART), values, strict=True)
    assert (report["messages"], report["errors"]) == ([], [])


def test_the_image_is_this_versions():
    version = tomllib.loads((CHARTS.parent / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version
    images = {each["image"] for pod in pods(render(EXTERNAL)) for each in pod["spec"]["containers"]}
    assert images == {f"ghcr.io/storefleet/storefleet:{version}"}


def test_every_setting_of_the_chart_is_one():
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["settings"]["properties"]
    example: Obj = {
        "connectionsAnAddress": 99,
        "capacity": "refuse",
        "orphans": "clean",
        "logLevel": "debug",
        "ingressFrom": "ingress",
        "egress": "",
    }
    values = {name: example.get(name, 3) for name in schema}
    given = variables(container(render({"settings": values})))
    for name, value in values.items():
        snake = "".join("_" + letter if letter.isupper() else letter for letter in name).upper()
        assert given[PREFIX + snake] == str(value)
        assert snake.lower() in Settings.model_fields


def test_every_setting_can_be_chosen_or_is_the_charts_own():
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["settings"]["properties"]
    chosen = {"".join("_" + letter.lower() if letter.isupper() else letter for letter in name) for name in schema}
    by_values = set("database_url store_url ingress_url url store_values plans trusted_proxies".split())
    by_values |= set("oidc_issuer oidc_client_id oidc_domains oidc_name".split())
    by_secret = set("key admin_email admin_password metrics_token oidc_client_secret".split())
    not_in_a_cluster = set("data_dir sandbox_speed lease_namespace".split())  # the image's; nobody's; the pod's own
    known = chosen | by_values | by_secret | not_in_a_cluster
    assert Settings.model_fields.keys() ^ known == set(), "add it to `settings` in values.schema.json, or to these"


def test_secrets_are_made_once_and_usable():
    secret = render({"admin": {"email": "a@example.com"}})["Secret", "storefleet"]
    data = {key: b64decode(value).decode() for key, value in secret["data"].items()}
    Fernet(data["key"])
    assert data["database-password"].isalnum()  # it stands in a URL
    assert all(len(data[key]) >= 20 for key in data)
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert ("Secret", "storefleet") not in render({"secrets": {"existingSecret": "ours"}})


def test_of_several_pods_never_all_go_at_once():
    objects = render({"replicas": 3})
    deployment = objects["Deployment", "storefleet"]["spec"]
    assert deployment["replicas"] == 3
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert objects["PodDisruptionBudget", "storefleet"]["spec"]["maxUnavailable"] == 1
    spread = deployment["template"]["spec"]["affinity"]["podAntiAffinity"]
    term = spread["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert ("PodDisruptionBudget", "storefleet") not in render()


def test_one_process_at_a_time_serves_on_a_file():
    objects = render(SQLITE)
    assert objects["Deployment", "storefleet"]["spec"]["strategy"] == {"type": "Recreate"}
    assert ("Job", "storefleet-migrate") not in objects
    assert ("StatefulSet", "storefleet-postgres") not in objects
    assert f"{PREFIX}DATABASE_URL" not in variables(container(objects))
    claim = objects["PersistentVolumeClaim", "storefleet"]["metadata"]
    assert claim["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_database_is_migrated_before_a_pod_of_the_new_version_runs():
    for values, hook in (
        ({}, "pre-upgrade,pre-rollback"),  # the embedded database is not there before the installation
        (EXTERNAL, "pre-install,pre-upgrade,pre-rollback"),
    ):
        job = render(values)["Job", "storefleet-migrate"]
        assert job["metadata"]["annotations"]["helm.sh/hook"] == hook
        assert job["spec"].get("parallelism", 1) == 1
        migrates = job["spec"]["template"]["spec"]["containers"][0]
        assert migrates["args"][0] == "migrate"
        assert f"{PREFIX}KEY" not in variables(migrates), "it needs the database alone"


def test_a_leaving_pod_serves_until_it_is_known_and_has_time_to_end():
    pod = render({"drainSeconds": 7})["Deployment", "storefleet"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == 7
    assert pod["terminationGracePeriodSeconds"] == 37
    probes = {name: pod["containers"][0][f"{name}Probe"]["httpGet"]["path"] for name in ("readiness", "liveness")}
    assert probes == {"readiness": "/readyz", "liveness": "/healthz"}


def test_a_browser_stays_with_one_pod():
    objects = render({"service": {"annotations": {"traefik.ingress.kubernetes.io/service.sticky.cookie.name": "mine"}}})
    service, ingress = objects["Service", "storefleet"], objects["Ingress", "storefleet"]
    annotations = service["metadata"]["annotations"]
    beginning = "traefik.ingress.kubernetes.io/service.sticky.cookie"
    assert (annotations[beginning], annotations[f"{beginning}.name"]) == ("true", "mine")
    assert annotations[f"{beginning}.secure"] == "false"
    assert render(PRODUCTION)["Service", "storefleet"]["metadata"]["annotations"][f"{beginning}.secure"] == "true"
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/affinity"] == "cookie"
    assert service["spec"]["sessionAffinity"] == "ClientIP"
    without = render({"ingress": {"sticky": False}})
    assert "annotations" not in without["Service", "storefleet"]["metadata"]
    assert "annotations" not in without["Ingress", "storefleet"]["metadata"]


@pytest.mark.parametrize(
    ("tls", "secret", "issuer"),
    [
        ({"clusterIssuer": "letsencrypt"}, "storefleet-tls", "letsencrypt"),
        ({"clusterIssuer": "letsencrypt", "secretName": "own"}, "own", "letsencrypt"),
        ({"secretName": "wildcard"}, "wildcard", None),
        ({}, None, None),  # the ingress controller's default certificate
    ],
)
def test_certificates(tls: Obj, secret: str | None, issuer: str | None):
    values = {"url": "https://shops.example", "ingress": {"sticky": False, "tls": {"enabled": True, **tls}}}
    ingress = render(values)["Ingress", "storefleet"]
    entry = {"hosts": ["shops.example"]} | ({"secretName": secret} if secret else {})
    assert ingress["spec"]["tls"] == [entry]
    assert ingress["metadata"].get("annotations", {}).get("cert-manager.io/cluster-issuer") == issuer


def test_the_dashboard_reaches_no_store_but_through_the_ingress_and_no_metadata():
    networks = {"networks": ["0.0.0.0/0", "::/0", "10.0.0.0/8"], "clients": ["192.0.2.0/24"]}
    spec = render({"networkPolicy": networks})["NetworkPolicy", "storefleet"]["spec"]
    excepted = {}
    for rule in spec["egress"]:
        for peer in rule.get("to", []):
            if "namespaceSelector" in peer:
                term = {"key": "storefleet.dev/store", "operator": "DoesNotExist"}
                assert peer["namespaceSelector"]["matchExpressions"] == [term]
            elif "ipBlock" in peer:
                excepted[peer["ipBlock"]["cidr"]] = peer["ipBlock"].get("except")
            else:
                assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "storefleet-postgres"
        assert not {9000, 5432} & {port["port"] for port in rule["ports"]} or "podSelector" in rule["to"][0]
    assert excepted == {"0.0.0.0/0": ["169.254.0.0/16"], "::/0": ["fd00:ec2::254/128"], "10.0.0.0/8": None}
    assert spec["ingress"][0]["from"][1:] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}]


def test_a_prometheus_can_be_told():
    monitor = render({"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}})
    spec = monitor["ServiceMonitor", "storefleet"]["spec"]
    credentials = {"name": "storefleet", "key": "metrics-token"}
    way = {"port": "http", "path": "/metrics", "interval": "30s", "authorization": {"credentials": credentials}}
    assert spec["endpoints"] == [way]
    assert variables(container(monitor))[f"{PREFIX}METRICS_TOKEN"] == tuple(credentials.values())
    assert monitor["ServiceMonitor", "storefleet"]["metadata"]["labels"]["release"] == "prometheus"
    assert ("ServiceMonitor", "storefleet") not in render()


REFUSED: list[tuple[str, Any, list[str]]] = [
    ("replica", 2, ["additional properties 'replica' not allowed"]),
    ("settings.storesPerUsers", 2, ["/settings", "'storesPerUsers' not allowed"]),
    ("database.password", "hunter2", ["/database", "'password' not allowed"]),
    ("admin.password", "hunter2", ["/admin", "'password' not allowed"]),
    ("database.kind", "mysql", ["/database/kind", "'embedded', 'external', 'sqlite'"]),
    ("database.kind", "external", ["/database/external/existingSecret", "minLength"]),
    ("oidc.issuer", "https://id.example.com", ["/oidc/clientId", "minLength"]),
    ("replicas", 0, ["/replicas", "minimum"]),
    ("replicas", "2", ["/replicas", "got string, want integer"]),
    ("url", "storefleet.example.com", ["/url", "does not match pattern"]),
    ("url", "https://example.com/storefleet", ["/url", "does not match pattern"]),
    ("storeUrl", "https://shops.example.com", ["/storeUrl", "does not match pattern"]),
    ("trustedProxies", ["everybody"], ["/trustedProxies/0", "does not match pattern"]),
    ("admin.email", "somebody", ["/admin/email", "does not match pattern"]),
    ("settings.undoMinutes", "ten", ["/settings/undoMinutes", "want number"]),
    ("settings.logLevel", "loud", ["/settings/logLevel", "'debug'"]),
    ("image.tag", 1, ["/image/tag", "got number, want string"]),
    ("resources.limits.memory", "1 GB", ["/resources/limits/memory", "does not match"]),
    ("drainSeconds", 0, ["/drainSeconds", "minimum"]),
    ("extraEnv", [{"value": "x"}], ["/extraEnv/0", "missing property 'name'"]),
    ("networkPolicy.ports", [70000], ["/networkPolicy/ports/0", "maximum"]),
    ("ingress.tls.crt", "x", ["/ingress/tls", "'crt' not allowed"]),
    ("serviceMonitor.interval", "often", ["/serviceMonitor/interval", "does not match"]),
]


@pytest.mark.parametrize(("name", "value", "words"), REFUSED, ids=[f"{name}={value!r}" for name, value, _ in REFUSED])
def test_refused(name: str, value: Any, words: list[str]):
    for key in reversed(name.split(".")):
        value = {key: value}
    with pytest.raises(helm.HelmValuesError) as refusal:
        render(value)
    for word in words:
        assert word in str(refusal.value)


def test_several_pods_on_one_file_are_refused():
    with pytest.raises(helm.HelmValuesError, match="/replicas"):
        render(SQLITE, {"replicas": 2})


async def test_a_release_comes_up_is_upgraded_and_keeps_its_secret(sandbox: Sandbox, tmp_path: Path):
    """On the sandbox, whose pods only pretend; the real cluster's tests run it."""
    cluster = await Cluster.connect(sandbox.kubeconfig)
    release = Helm(sandbox.kubeconfig, None)

    async def install(**values: Any) -> int:
        return await release.upgrade_install("storefleet", "storefleet", CHART, values, {}, 60)

    async def secret() -> Obj:
        found = await cluster.get("Secret", "storefleet", "storefleet")
        assert found is not None
        return found["data"]

    async def rolled_out(replicas: int) -> None:
        async with asyncio.timeout(60):
            while True:
                found = await cluster.get("Deployment", "storefleet", "storefleet")
                if found and found.get("status", {}).get("readyReplicas") == replicas:
                    return
                await asyncio.sleep(0.1)

    try:
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": "storefleet", "labels": restricted}
        await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        assert await install(replicas=2) == 1
        made = await secret()
        await rolled_out(2)
        assert await install(replicas=3, settings={"undoMinutes": 10}) == 2  # its hook has run
        await rolled_out(3)
        assert await secret() == made
        await release.rollback("storefleet", "storefleet", 1, 60)
        await rolled_out(2)
        assert await secret() == made
        with pytest.raises(HelmError, match="undoMinute"):
            await install(settings={"undoMinute": 10})
        await release.uninstall("storefleet", "storefleet", 60)
        assert await secret() == made, "the key is kept"
        assert await cluster.get("Deployment", "storefleet", "storefleet") is None
        assert await install() == 1
        assert await secret() == made, "a new installation finds it"
    finally:
        await cluster.close()
