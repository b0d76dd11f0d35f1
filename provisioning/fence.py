"""Who may talk to a store's pods, and to whom they may: its namespace's NetworkPolicies.  Pure.

Nothing passes but: the shop from the ingress controller, names from the cluster's DNS, the database from the shop, and
what the operator lists for payment and mail.  A wide entry of that list never opens what must stay shut: the addresses
where clouds hand out a node's credentials, the API server's, and private networks, where a cluster's own nodes, pods
and Services are (a private network that is listed itself is meant, and open).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from provisioning.cluster import Obj

Network = IPv4Network | IPv6Network

METADATA = tuple(
    ip_network(each)
    for each in (
        "169.254.169.254",  # nearly every cloud
        "169.254.170.2",  # Amazon: a task's credentials
        "169.254.170.23",  # Amazon: a pod's identity
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's host
        "fd00:ec2::254",
        "fd00:ec2::23",
    )
)
"""Where a cloud gives a node, and whoever asks from it, its credentials."""

PRIVATE = tuple(
    ip_network(each)
    for each in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)

_LABEL = "app.kubernetes.io/name"
_SHOP, _DATABASE, _TEST = ({"matchLabels": {_LABEL: name}} for name in ("medusa", "postgres", "medusa-test"))
_SOLVER = {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}}
_CONTROLLERS = ("traefik", "ingress-nginx", "haproxy-ingress", "kubernetes-ingress")  # by their charts' label
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_IS = re.compile(r"([A-Za-z0-9./_-]{1,317})=([A-Za-z0-9._-]{1,63})")


@dataclass(frozen=True)
class Way:
    """A network beyond the cluster, and a port there, that shops may reach."""

    network: Network
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class Door:
    """Whence shops may be asked: a network, or pods of a namespace (with a label, as `KEY=VALUE`)."""

    network: Network | None = None
    namespace: str = ""
    label: str = ""

    @property
    def peer(self) -> Obj:
        """As a policy says it."""
        if self.network is not None:
            return {"ipBlock": {"cidr": str(self.network)}}
        peer: Obj = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}}
        if self.label:
            key, _, value = self.label.partition("=")
            peer["podSelector"] = {"matchLabels": {key: value}}
        return peer


@dataclass(frozen=True)
class Fence:
    """What the operator says of it.  No `doors`: the well-known ingress controllers' pods, wherever they run."""

    doors: tuple[Door, ...] = ()
    ways: tuple[Way, ...] = ()
    api_servers: frozenset[str] = frozenset()  # addresses; they matter only where there are ways


def ways(setting: str) -> tuple[Way, ...]:
    """Of `203.0.113.0/24:443, [2001:db8::/32]:443, 198.51.100.7:53/udp`.  Raises ValueError with a sentence's end."""
    return tuple(_way(each) for each in re.split(r"[\s,]+", setting) if each)


def _way(entry: str) -> Way:
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:./]+)]|([0-9./]+)):(\d{1,5})(?:/(tcp|udp))?", entry, re.IGNORECASE)
    try:
        if match is None:
            raise ValueError(entry)
        network, port = ip_network(match[1] or match[2]), int(match[3])
    except ValueError as error:
        raise ValueError(
            f"lists “{entry[:60]}”; write a network and a port, as 203.0.113.0/24:443 or [2001:db8::/32]:587"
        ) from error
    if not 1 <= port <= 65535:
        raise ValueError(f"lists the port {port}; ports are 1 to 65535")
    if shut := next((each for each in METADATA if _is_within(network, each)), None):
        raise ValueError(f"lists {network}, and shops must never reach {shut.network_address}")
    return Way(network, port, (match[4] or "tcp").upper())


def doors(setting: str) -> tuple[Door, ...]:
    """Of `ingress-nginx/app.kubernetes.io/name=ingress-nginx, gateway, 10.0.0.7/32`.  Raises ValueError likewise."""
    return tuple(_door(each) for each in re.split(r"[\s,]+", setting) if each)


def _door(entry: str) -> Door:
    namespace, _, label = entry.partition("/")
    if _NAME.fullmatch(namespace) and (not label or _LABEL_IS.fullmatch(label)) and not entry.endswith("/"):
        return Door(namespace=namespace, label=label)
    try:
        return Door(network=ip_network(entry))
    except ValueError as error:
        raise ValueError(
            f"lists “{entry[:60]}”; write NAMESPACE, NAMESPACE/LABEL=VALUE, or a network such as 10.0.0.7/32"
        ) from error


def named(values: Mapping[str, Any]) -> tuple[list[Way], list[str]]:
    """The database and the Redis that Helm values put outside the namespace: those given by address, as ways, and the
    hosts given by name, which no policy can mean."""
    found, unknown = [], []
    database, redis = values.get("externalDatabase") or {}, urlsplit(str((values.get("redis") or {}).get("url") or ""))
    outside = [(redis.hostname, _port(redis.netloc, 6379))]
    if not (values.get("postgresql") or {}).get("enabled", True):
        outside.append((database.get("host"), int(database.get("port") or 5432)))
    for host, port in outside:
        if not host:
            continue
        try:
            found.append(Way(ip_network(ip_address(str(host))), port))
        except ValueError:
            unknown.append(str(host))
    return found, unknown


def _port(netloc: str, otherwise: int) -> int:
    match = re.search(r":(\d{1,5})$", netloc)
    return int(match[1]) if match else otherwise


def policies(fence: Fence, values: Mapping[str, Any], store_label: str) -> dict[str, Obj]:
    """The specs of a store's policies, by name.

    `values`: the store's Helm values; `store_label`: the label that every store's namespace has.
    """
    ways_out = [way for each in (*fence.ways, *named(values)[0]) if (way := _egress(each, fence.api_servers))]
    to_database = {"to": [{"podSelector": _DATABASE}], "ports": _ports(5432)}
    found: dict[str, Obj] = {
        "default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "dns": {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [
                {
                    "to": [
                        {
                            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                        }
                    ],
                    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
                }
            ],
        },
        "database": {
            "podSelector": _DATABASE,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": _SHOP}], "ports": _ports(5432)}],
        },
        "shop": {
            "podSelector": _SHOP,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [*_peers(fence, store_label), {"podSelector": _TEST}], "ports": _ports(9000)}],
            "egress": [to_database, *ways_out],
        },
        # The chart's own test asks the shop.
        "test": {
            "podSelector": _TEST,
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": _SHOP}], "ports": _ports(9000)}],
        },
        # While cert-manager proves to a certificate authority whose the address is.
        "certificate": {
            "podSelector": _SOLVER,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": _peers(fence, store_label), "ports": _ports(8089)}],
        },
    }
    if not ((values.get("ingress") or {}).get("tls") or {}).get("enabled"):
        del found["certificate"]
    return found


def _peers(fence: Fence, store_label: str) -> list[Obj]:
    if fence.doors:
        return [door.peer for door in fence.doors]
    # By their label, which in a store's namespace a tenant could have given to anything.
    return [
        {
            "namespaceSelector": {"matchExpressions": [{"key": store_label, "operator": "DoesNotExist"}]},
            "podSelector": {"matchExpressions": [{"key": _LABEL, "operator": "In", "values": list(_CONTROLLERS)}]},
        }
    ]


def _ports(*numbers: int) -> list[Obj]:
    return [{"protocol": "TCP", "port": number} for number in numbers]


def _egress(way: Way, api_servers: Iterable[str]) -> Obj | None:
    """A way as a rule, without what must stay shut; None where nothing is left of it."""
    shut: list[Network] = [*METADATA, *(ip_network(each) for each in sorted(api_servers)), *PRIVATE]
    if any(_is_within(way.network, each) for each in shut if each not in PRIVATE):
        return None
    block: Obj = {"cidr": str(way.network)}
    if within := _widest([each for each in shut if _is_within(each, way.network) and each != way.network]):
        block["except"] = [str(each) for each in within]
    return {"to": [{"ipBlock": block}], "ports": [{"protocol": way.protocol, "port": way.port}]}


def _widest(networks: Sequence[Network]) -> list[Network]:
    """Without those that another one holds; in an order that does not change."""
    kept = {each for each in networks if not any(each != other and _is_within(each, other) for other in networks)}
    return sorted(kept, key=lambda each: (each.version, each.network_address.packed))


def _is_within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]
