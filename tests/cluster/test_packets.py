"""What passes between tenants, tried with packets on the real cluster: nothing from one store to another, to the
platform, the cluster or the outside; and what must pass does.

Each probe can fail: from a pod that no policy holds, the same address and port answer.  The outside and the address
where clouds hand out a node's credentials are played by a pod on the node's own network, which gives the node two more
addresses as long as it lives.
"""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.cluster.cluster import INGRESS, KUBECONFIG
from tests.cluster.tenants import Tenants

POSTGRES, SHOP = "docker.io/library/postgres:17-trixie", "ghcr.io/storefleet/medusa-store:2.21.2"
METADATA, OUTSIDE, PORT = "169.254.169.254", "198.51.100.77", 28099  # the second is for documentation: nobody's

# In a shop, which has node: tries addresses at the same time, and says which answered.
PROBE = """
const net = require("node:net"), dns = require("node:dns").promises
const attempt = ([name, host, port]) => new Promise((done) => {
  const socket = net.connect({ host, port, timeout: 3000 })
  const end = (open) => { socket.destroy(); done([name, open]) }
  socket.on("connect", () => end(true)).on("timeout", () => end(false)).on("error", () => end(false))
})
const names = async (host) => dns.lookup(host).then(() => true, () => false)
const { targets, resolve } = JSON.parse(process.argv[1])
Promise.all([...targets.map(attempt), names(resolve).then((open) => ["a name", open])])
  .then((found) => console.log(JSON.stringify(Object.fromEntries(found))))
"""

# In a database's pod, which has bash alone.
PROBE_BY_BASH = """
for target in "$@"; do
  (timeout 3 bash -c "</dev/tcp/${target%%=*}" 2>/dev/null && echo "${target##*=}") &
done
wait
"""

# Two more addresses for the node (aliases of lo), and a server there, in the perl that PostgreSQL's image has.
NODE = """
use Socket;
socket(my $any, AF_INET, SOCK_DGRAM, 0) or die $!;
my @aliases = (["lo:sf1", "METADATA"], ["lo:sf2", "OUTSIDE"]);
sub address { pack("a16 S n a4 x8", $_[0], AF_INET, 0, inet_aton($_[1])) }
sub gone { ioctl($any, 0x8914, pack("a16 s x22", $_->[0], 0)) for @aliases; exit 0 }
$SIG{TERM} = $SIG{INT} = \\&gone;
for (@aliases) {
  ioctl($any, 0x8916, address(@$_)) or die "address: $!";
  ioctl($any, 0x891c, address($_->[0], "255.255.255.255")) or die "netmask: $!";
}
socket(my $server, AF_INET, SOCK_STREAM, 0) or die $!;
setsockopt($server, SOL_SOCKET, SO_REUSEADDR, 1);
bind($server, sockaddr_in(PORT, INADDR_ANY)) or die $!;
listen($server, 50);
while (1) { accept(my $client, $server) and close($client) }
"""


def restricted(container: dict[str, Any]) -> dict[str, Any]:
    """A pod that may run in a store's namespace."""
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    resources = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "securityContext": security}
    return {
        **spec,
        "terminationGracePeriodSeconds": 1,
        "containers": [{**container, "securityContext": own} | {"resources": resources}],
    }


def pod(name: str, namespace: str, spec: dict[str, Any], **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@dataclass(frozen=True)
class Ground:
    """Beside the two stores: a namespace that no store's policies hold, and all that there is to try."""

    tenants: Tenants
    platform: str
    targets: dict[str, tuple[str, int]]

    def from_shop(self, store: str) -> dict[str, bool]:
        return self.probe(f"store-{store}", self.tenants.shop_pod(store))

    def probe(self, namespace: str, name: str) -> dict[str, bool]:
        targets = [[each, *where] for each, where in self.targets.items()]
        asked = json.dumps({"targets": targets, "resolve": "kubernetes.default.svc.cluster.local"})
        found: dict[str, bool] = json.loads(self.tenants.run(namespace, name, "node", "--eval", PROBE, asked))
        return found

    def probe_by_bash(self, namespace: str, name: str) -> set[str]:
        targets = [f"{host}/{port}={each.replace(' ', '_')}" for each, (host, port) in self.targets.items()]
        said = self.tenants.run(namespace, name, "bash", "-c", PROBE_BY_BASH, "probe", *targets)
        return {line.replace("_", " ") for line in said.split()}


@pytest.fixture(scope="module")
def ground(tenants: Tenants, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    kubectl, name = tenants.kubectl, f"storefleet-packets-{secrets.token_hex(3)}"
    folder = tmp_path_factory.mktemp("packets")
    serve = {"name": "c", "image": SHOP, "command": ["node", "--eval"]}
    listener = serve | {"args": ['require("node:net").createServer((s) => s.end()).listen(8080)']}
    script = NODE.replace("METADATA", METADATA).replace("OUTSIDE", OUTSIDE).replace("PORT", str(PORT))
    node = {
        "hostNetwork": True,
        "terminationGracePeriodSeconds": 10,
        "containers": [
            {
                "name": "c",
                "image": POSTGRES,
                "command": ["perl", "-e", script],
                "securityContext": {"runAsUser": 0, "capabilities": {"add": ["NET_ADMIN"]}},
            }
        ],
    }
    stranger = restricted(serve | {"args": ["setInterval(() => {}, 1000)"]})
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    objects = [space, pod("platform", name, restricted(listener)), pod("node", name, node)]
    objects.append(pod("stranger", f"store-{tenants.a}", stranger))
    try:
        tenants.apply(folder, objects)
        for each, where in (("platform", name), ("node", name), ("stranger", f"store-{tenants.a}")):
            kubectl.run("wait", f"pod/{each}", "--namespace", where, "--for=condition=Ready", "--timeout=50s")
        yield Ground(tenants, name, targets_of(tenants, name))
    finally:
        kubectl.run("delete", "pod", "stranger", "--namespace", f"store-{tenants.a}", "--ignore-not-found")
        kubectl.run(
            "delete", "pod", "node", "--namespace", name, "--ignore-not-found"
        )  # which takes its addresses along
        kubectl.run("delete", "namespace", name, "--wait=false")


def targets_of(tenants: Tenants, platform: str) -> dict[str, tuple[str, int]]:
    slices = tenants.kubectl.items("endpointslices", "--namespace", "default")
    api = next(each for each in slices if each["metadata"]["labels"]["kubernetes.io/service-name"] == "kubernetes")
    node = tenants.kubectl.items("nodes")[0]
    inside = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
    dns = tenants.kubectl.items("pods", "--namespace", "kube-system", "--selector", "k8s-app=kube-dns")[0]
    found = {
        "the API server": (api["endpoints"][0]["addresses"][0], api["ports"][0]["port"]),
        "the API server's Service": (tenants.get("service", "kubernetes", "default")["spec"]["clusterIP"], 443),
        "the kubelet": (inside, 10250),
        "the metadata address": (METADATA, PORT),
        "the outside": (OUTSIDE, PORT),
        "the platform": (tenants.get("pod", "platform", platform)["status"]["podIP"], 8080),
        "DNS": (dns["status"]["podIP"], 53),
        "the DNS server's readiness": (dns["status"]["podIP"], 8181),
    }
    for store, whose in ((tenants.a, "A's"), (tenants.b, "B's")):
        space = f"store-{store}"
        found |= {
            f"{whose} database": (tenants.get("pod", "postgres-0", space)["status"]["podIP"], 5432),
            f"{whose} database's Service": (tenants.get("service", "postgres", space)["spec"]["clusterIP"], 5432),
            f"{whose} shop": (tenants.get("pod", tenants.shop_pod(store), space)["status"]["podIP"], 9000),
            f"{whose} shop's Service": (tenants.get("service", "medusa", space)["spec"]["clusterIP"], 9000),
        }
    return found


def passing(found: dict[str, bool]) -> set[str]:
    return {name for name, open_ in found.items() if open_}


# The shop by its pod's address is itself: that never leaves the pod (nor does it of the database's, below).
OWN = {"A's database", "A's database's Service", "DNS", "a name", "A's shop"}
CLUSTER = {
    *("the API server", "the API server's Service", "the kubelet", "the metadata address", "the outside"),
    *("the platform", "DNS", "a name", "the DNS server's readiness"),
}


def test_what_is_tried_answers_who_may_ask(ground: Ground):
    """The control: without it, a probe of nothing would look like a policy that holds."""
    assert passing(ground.probe(ground.platform, "platform")) == CLUSTER
    assert "B's database" in passing(ground.from_shop(ground.tenants.b))


def test_from_a_shop_there_is_its_database_and_dns(ground: Ground):
    assert passing(ground.from_shop(ground.tenants.a)) == OWN


def test_from_a_database_there_is_dns(ground: Ground):
    assert ground.probe_by_bash(f"store-{ground.tenants.a}", "postgres-0") == {"DNS", "A's database"}


def test_from_any_other_pod_of_a_store_there_is_dns(ground: Ground):
    assert passing(ground.probe(f"store-{ground.tenants.a}", "stranger")) == {"DNS", "a name"}


def test_customers_and_the_charts_test_get_through(ground: Ground):
    tenants = ground.tenants
    for store in (tenants.a, tenants.b):
        host = httpx.URL(tenants.store(store)["url"]).host
        assert httpx.get(f"{INGRESS}/", headers={"Host": host}, trust_env=False, timeout=30).status_code == 200
    if helm := shutil.which("helm"):
        name = f"store-{tenants.a}"
        tested = [helm, "test", name, "--namespace", name, "--kubeconfig", KUBECONFIG, "--timeout", "100s"]
        done = subprocess.run(tested, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_wide_list_opens_the_outside_and_nothing_else(ground: Ground):
    """The operator opens everything, and the very network in which the API server is; stores get it as they are."""
    tenants = ground.tenants
    address, port = ground.targets["the API server"]
    network = ".".join(address.split(".")[:3]) + ".0/24"
    wide = [f"0.0.0.0/0:{each}" for each in (PORT, port, 443, 8080, 10250, 5432, 9000)]
    own, tenants.served.settings = tenants.served.settings, dict(tenants.served.settings)
    tenants.served.settings["STOREFLEET_EGRESS"] = ",".join([*wide, f"{network}:{port}", f"{network}:10250"])
    tenants.served.stop()
    try:
        tenants.served.start()
        for store in (tenants.a, tenants.b):
            tenants.wait(lambda store=store: "0.0.0.0/0" in policy(tenants, store), 60, "the policies have the list")
        tenants.wait(lambda: "the outside" in passing(ground.from_shop(tenants.a)), seconds=30, what="the list is open")
        assert passing(ground.from_shop(tenants.a)) == OWN | {"the outside"}
        assert ground.probe_by_bash(f"store-{tenants.a}", "postgres-0") == {"DNS", "A's database"}
    finally:
        tenants.served.stop()
        tenants.served.settings = own
        tenants.served.start()


def policy(tenants: Tenants, store: str) -> str:
    return json.dumps(tenants.get("networkpolicy", "shop", f"store-{store}")["spec"])
