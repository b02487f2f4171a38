"""The iptables rules by which Services lead to pods, as one text for `iptables-restore`.

All rules live in chains of our own, in the node container's network namespace; the engine's rules there (its
name server's) stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from shipline.cluster.network.endpoints import ServicePort

_SERVICES, _NODE_PORTS, _MASQUERADE, _REFUSED = "SL-SERVICES", "SL-NODEPORTS", "SL-POSTROUTING", "SL-REFUSED"


def rules(ports: Iterable[ServicePort], node: str) -> str:
    """The whole of our chains; `node` is the node's address. Feed it to `iptables-restore --noflush`."""
    chains, nat, refused = [], [], []
    for port in ports:
        protocol = port.protocol.lower()
        match = f"-p {protocol} -m {protocol} --dport"
        name = _chain(port)
        if not port.backends:
            refused += _refusals(port, protocol, node)
            continue
        chains.append(name)
        nat.append(f"-A {_SERVICES} -d {port.address}/32 {match} {port.port} -j {name}")
        if port.node_port:
            nat.append(f"-A {_NODE_PORTS} {match} {port.node_port} -j {name}")
        nat += _balance(name, port, protocol)
    lines = ["*nat", *(f":{chain} - [0:0]" for chain in (_SERVICES, _NODE_PORTS, _MASQUERADE, *chains)), *nat]
    lines += [
        f"-A {_SERVICES} -d {node}/32 -j {_NODE_PORTS}",
        # What was sent on has to come back this way, or its answer would be a stranger's to the client.
        f"-A {_MASQUERADE} -m conntrack --ctstate DNAT -j MASQUERADE",
        "COMMIT",
        "*filter",
        f":{_REFUSED} - [0:0]",
        *refused,
        "COMMIT",
    ]
    return "\n".join(lines) + "\n"


def hooks() -> str:
    """A script that leads traffic into our chains, whether or not it did before; run it after `rules`."""
    jumps = (
        ("nat", "PREROUTING", _SERVICES),
        ("nat", "OUTPUT", _SERVICES),
        ("nat", "POSTROUTING", _MASQUERADE),
        ("filter", "INPUT", _REFUSED),
        ("filter", "FORWARD", _REFUSED),
        ("filter", "OUTPUT", _REFUSED),
    )
    return "\n".join(
        f"iptables -t {table} -C {chain} -j {ours} 2>/dev/null || iptables -t {table} -A {chain} -j {ours}"
        for table, chain, ours in jumps
    )


def sweep(kept: Iterable[ServicePort]) -> str:
    """A script that removes the chains of Services that are no more."""
    names = " ".join(_chain(port) for port in kept)
    return (
        "iptables -t nat -S | sed -n 's/^-N \\(SL-P-[0-9A-F]*\\)$/\\1/p' | while read c; do "
        f'case " {names} " in *" $c "*) ;; *) iptables -t nat -F $c; iptables -t nat -X $c;; esac; done'
    )


def _chain(port: ServicePort) -> str:
    full = f"{port.namespace}/{port.service}:{port.name}/{port.protocol}/{port.port}"
    return "SL-P-" + hashlib.sha256(full.encode()).hexdigest()[:16].upper()


def _balance(name: str, port: ServicePort, protocol: str) -> list[str]:
    """Each backend with the same chance; with session affinity, the one it had before comes first."""
    lines, count = [], len(port.backends)
    target = "-j DNAT --to-destination"
    marks = [f"{name[5:]}{index}" for index in range(count)]
    if port.sticky:
        for mark, (address, number) in zip(marks, port.backends, strict=True):
            seen = f"-m recent --name {mark} --rcheck --seconds {port.sticky} --reap"
            lines.append(f"-A {name} -p {protocol} {seen} {target} {address}:{number}")
    for index, (mark, (address, number)) in enumerate(zip(marks, port.backends, strict=True)):
        chance = (
            "" if index == count - 1 else f" -m statistic --mode random --probability {1 / (count - index):.10f}"
        )
        remember = f" -m recent --name {mark} --set" if port.sticky else ""
        lines.append(f"-A {name} -p {protocol}{chance}{remember} {target} {address}:{number}")
    return lines


def _refusals(port: ServicePort, protocol: str, node: str) -> list[str]:
    """A Service without backends refuses at once instead of leaving the client to wait."""
    answer = "tcp-reset" if protocol == "tcp" else "icmp-port-unreachable"
    places = [(port.address, port.port)] + ([(node, port.node_port)] if port.node_port else [])
    return [
        f"-A {_REFUSED} -d {address}/32 -p {protocol} --dport {number} -j REJECT --reject-with {answer}"
        for address, number in places
    ]
