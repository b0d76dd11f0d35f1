"""Network policies: what passes, what no setting can open, and what a setting may not say."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import fence
from provisioning.fence import METADATA, PRIVATE, Fence, doors, named, policies, ways
from provisioning.templates import LABEL_STORE

API_SERVERS = frozenset({"10.96.0.1", "52.1.2.3", "2a01:4f8::7"})


def specs(egress: str = "", ingress_from: str = "", values: dict[str, Any] | None = None) -> dict[str, Any]:
    return policies(Fence(doors(ingress_from), ways(egress), API_SERVERS), values or {}, LABEL_STORE)


def blocks(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [peer["ipBlock"] for rule in spec["egress"] for peer in rule["to"] if "ipBlock" in peer]


def reaches(spec: dict[str, Any], address: str) -> bool:
    """Whether a rule by network lets `address` through."""
    there = ip_address(address)
    return any(
        there in ip_network(block["cidr"]) and not any(there in ip_network(each) for each in block.get("except", ()))
        for block in blocks(spec)
    )


def test_nothing_passes_that_no_policy_names():
    found = specs()
    assert found["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for spec in found.values():
        for rule in [*spec.get("egress", []), *spec.get("ingress", [])]:
            assert rule.get("to") or rule.get("from"), "a rule without peers means everybody"
            assert rule["ports"], "a rule without ports means all of them"
    assert blocks(found["shop"]) == []


def test_names_are_asked_of_the_clusters_dns_alone():
    (rule,) = specs()["dns"]["egress"]
    (peer,) = rule["to"]
    assert peer["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
    assert peer["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    assert {port["port"] for port in rule["ports"]} == {53}


def test_the_shop_is_asked_by_the_ingress_controller_and_the_charts_test():
    (rule,) = specs()["shop"]["ingress"]
    controllers, test = rule["from"]
    assert controllers["namespaceSelector"] == {"matchExpressions": [{"key": LABEL_STORE, "operator": "DoesNotExist"}]}
    assert "traefik" in controllers["podSelector"]["matchExpressions"][0]["values"]
    assert test == {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "medusa-test"}}}


def test_the_operator_says_whence_shops_are_asked():
    setting = "edge/app.kubernetes.io/name=envoy, gateway 10.0.0.7/32"
    (rule,) = specs(ingress_from=setting)["shop"]["ingress"]
    assert rule["from"][:-1] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "envoy"}},
        },
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}},
        {"ipBlock": {"cidr": "10.0.0.7/32"}},
    ]


def test_a_certificate_can_be_proven_where_there_is_one():
    assert "certificate" not in specs()
    (rule,) = specs(values={"ingress": {"tls": {"enabled": True}}})["certificate"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8089}]


def test_ways_out_are_the_shops_alone():
    found = specs("203.0.113.0/24:443, 198.51.100.7:587 [2001:db8::/32]:443 192.0.2.1:53/udp")
    assert blocks(found["shop"]) == [
        {"cidr": "203.0.113.0/24"},
        {"cidr": "198.51.100.7/32"},
        {"cidr": "2001:db8::/32"},
        {"cidr": "192.0.2.1/32"},
    ]
    assert found["shop"]["egress"][-1]["ports"] == [{"protocol": "UDP", "port": 53}]
    assert all(not blocks(spec) for name, spec in found.items() if name != "shop" and "egress" in spec)


@pytest.mark.parametrize("setting", ["0.0.0.0/0:443 [::/0]:443", "0.0.0.0/1:1,128.0.0.0/1:1,[::/1]:1,[8000::/1]:1"])
def test_a_wide_way_leaves_shut_what_must_be(setting):
    spec = specs(setting)["shop"]
    for network in (*METADATA, *PRIVATE):
        assert not reaches(spec, str(network.network_address))
        assert not reaches(spec, str(network.broadcast_address))
    assert not any(reaches(spec, address) for address in API_SERVERS)
    assert reaches(spec, "93.184.216.34")
    assert reaches(spec, "2606:2800::1")


def test_a_private_network_that_is_listed_is_meant_but_never_the_api_server():
    spec = specs("10.0.0.0/8:443, 10.96.0.1/32:443")["shop"]
    assert reaches(spec, "10.20.0.5")
    assert not reaches(spec, "10.96.0.1")


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), min_size=1, max_size=4))
def test_no_list_opens_the_metadata_address_or_the_api_server(entries):
    listed = [ip_network((address, length), strict=False) for address, length in entries]
    try:
        spec = specs(",".join(f"{network}:443" for network in listed))["shop"]
    except ValueError:  # it lists such an address itself
        return
    assert not reaches(spec, "169.254.169.254")
    assert not any(reaches(spec, address) for address in API_SERVERS)
    for block in blocks(spec):  # what Kubernetes itself insists on
        inner = [ip_network(each) for each in block.get("except", ())]
        assert all(each.subnet_of(ip_network(block["cidr"])) and each != ip_network(block["cidr"]) for each in inner)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("example.com:443", "write a network and a port"),
        ("203.0.113.0/24", "write a network and a port"),
        ("203.0.113.1/24:443", "write a network and a port"),
        ("203.0.113.0/24:0", "ports are 1 to 65535"),
        ("203.0.113.0/24:99999", "ports are 1 to 65535"),
        ("169.254.169.254:80", "must never reach 169.254.169.254"),
        ("[fd00:ec2::254]:80", "must never reach fd00:ec2::254"),
    ],
)
def test_a_list_that_cannot_be_used(setting, says):
    with pytest.raises(ValueError, match=says):
        ways(setting)


@pytest.mark.parametrize("setting", ["Edge", "edge/", "edge/name", "10.0.0.7/8", "edge/a=b=c"])
def test_a_place_that_cannot_be_meant(setting):
    with pytest.raises(ValueError, match="write NAMESPACE"):
        doors(setting)


def test_databases_of_ones_own_are_reached_by_their_address():
    values = {
        "postgresql": {"enabled": False},
        "externalDatabase": {"host": "10.1.2.3", "port": 6432},
        "redis": {"url": "rediss://:$(REDIS_PASSWORD)@10.1.2.4:6380/0"},
    }
    spec = specs(values=values)["shop"]
    assert blocks(spec) == [{"cidr": "10.1.2.4/32"}, {"cidr": "10.1.2.3/32"}]
    assert [rule["ports"][0]["port"] for rule in spec["egress"][1:]] == [6380, 6432]
    by_name = {"postgresql": {"enabled": False}, "externalDatabase": {"host": "db.example"}}
    assert named(by_name) == ([], ["db.example"])
    assert named({"externalDatabase": {"host": "10.1.2.3"}}) == ([], []), "the shop has its own"


def test_the_policies_are_kept_apart_by_the_label_that_every_store_has():
    assert fence.policies(Fence(), {}, "label")["shop"]["ingress"][0]["from"][0]["namespaceSelector"] == {
        "matchExpressions": [{"key": "label", "operator": "DoesNotExist"}]
    }
