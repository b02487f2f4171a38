"""The texts that the node container is given: iptables rules and names; and the addresses of a bridge."""

from ipaddress import IPv4Network

import pytest

from shipline.cluster.errors import ClusterError
from shipline.cluster.network import names, proxy
from shipline.cluster.network.bridge import Bridge, parsed
from shipline.cluster.network.endpoints import Host, ServicePort
from shipline.cluster.network.services import mappings


def port(*backends: tuple[str, int], **more: object) -> ServicePort:
    values = {
        "name": "",
        "protocol": "TCP",
        "address": "10.9.128.9",
        "port": 80,
        "node_port": 0,
        "sticky": 0,
    } | more
    return ServicePort("default", "web", **values, backends=backends)  # type: ignore[arg-type]


def test_each_backend_has_the_same_chance() -> None:
    rules = proxy.rules([port(("10.9.0.3", 8080), ("10.9.0.4", 8080), ("10.9.0.5", 8080))], "10.9.0.2")
    chances = [
        line.split("--probability ")[1].split()[0][:6] for line in rules.splitlines() if "--probability" in line
    ]
    assert chances == ["0.3333", "0.5000"]
    assert rules.count("-j DNAT") == 3
    assert "-A SL-SERVICES -d 10.9.128.9/32 -p tcp -m tcp --dport 80 -j SL-P-" in rules


def test_a_node_port_leads_to_the_same_chain() -> None:
    rules = proxy.rules([port(("10.9.0.3", 8080), node_port=30080)], "10.9.0.2")
    assert "-A SL-NODEPORTS -p tcp -m tcp --dport 30080 -j SL-P-" in rules
    assert "-A SL-SERVICES -d 10.9.0.2/32 -j SL-NODEPORTS" in rules


def test_without_backends_it_refuses() -> None:
    rules = proxy.rules([port(node_port=30080), port(protocol="UDP")], "10.9.0.2")
    refusal = "-j REJECT --reject-with"
    assert f"-A SL-REFUSED -d 10.9.128.9/32 -p tcp --dport 80 {refusal} tcp-reset" in rules
    assert f"-A SL-REFUSED -d 10.9.0.2/32 -p tcp --dport 30080 {refusal} tcp-reset" in rules
    assert f"-p udp --dport 80 {refusal} icmp-port-unreachable" in rules


def test_names_of_services_pods_and_hosts() -> None:
    headless = [Host("default", "sites", "", "10.9.0.7"), Host("default", "sites", "one", "10.9.0.7")]
    text = names.hosts_file([port()], headless, {"registry.example.com": "10.9.128.5"}, "cluster.local")
    assert text.splitlines() == [
        "10.9.0.7 one.sites.default.svc.cluster.local",
        "10.9.0.7 sites.default.svc.cluster.local",
        "10.9.128.5 registry.example.com",
        "10.9.128.9 web.default.svc.cluster.local",
    ]


def test_pod_addresses_are_given_out_once_and_come_back_late() -> None:
    bridge = Bridge("b", IPv4Network("10.9.0.0/28"))
    assert (bridge.gateway, bridge.node, bridge.api_service) == ("10.9.0.1", "10.9.0.2", "10.9.0.9")
    bridge.claim("10.9.0.4")
    assert [bridge.allocate(), bridge.allocate()] == ["10.9.0.3", "10.9.0.5"]
    bridge.release("10.9.0.3")
    assert [bridge.allocate(), bridge.allocate()] == ["10.9.0.6", "10.9.0.3"]
    with pytest.raises(ClusterError, match="no free address"):
        bridge.allocate()


@pytest.mark.parametrize(
    ("subnet", "complaint"),
    [
        ("office", "is none"),
        ("10.1.2.3/16", "has host bits set"),
        ("10.0.0.0/30", "too small"),
        ("0.0.0.0/0", "too large"),
    ],
)
def test_a_subnet_that_cannot_be_used(subnet: str, complaint: str) -> None:
    with pytest.raises(ClusterError, match=complaint):
        parsed(subnet)


def test_mapped_registries() -> None:
    data = {
        "a": '{"name": "r.example.com:5000", "endpoint": "127.0.0.1:1", "address": "10.0.0.1"}',
        "b": '{"name": "h"}',
    }
    assert mappings({"data": data}) == ({"r.example.com:5000": "127.0.0.1:1"}, {"r.example.com": "10.0.0.1"})
