"""What the cluster's name server answers: Services, headless Services, pods, and names given by configuration.

The text is dnsmasq's hosts file. SRV records are not served.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shipline.cluster.network.endpoints import Host, ServicePort


def hosts_file(
    ports: Iterable[ServicePort], headless: Iterable[Host], extra: Mapping[str, str], domain: str
) -> str:
    """One line an address and name. `extra` maps further names to addresses; `domain` is cluster.local."""
    lines = {f"{port.address} {port.service}.{port.namespace}.svc.{domain}" for port in ports}
    for host in headless:
        name = f"{host.service}.{host.namespace}.svc.{domain}"
        lines.add(f"{host.address} {host.name}.{name}" if host.name else f"{host.address} {name}")
    lines |= {f"{address} {name}" for name, address in extra.items()}
    return "".join(f"{line}\n" for line in sorted(lines))
