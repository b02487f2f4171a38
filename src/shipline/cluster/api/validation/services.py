"""Services and EndpointSlices: their ports, addresses, and what stays as it was made."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.validation import formats
from shipline.cluster.api.validation.causes import Causes
from shipline.cluster.api.validation.metadata import check_labels

Json = dict[str, Any]

PROTOCOLS = ("SCTP", "TCP", "UDP")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_MOST_ENDPOINTS = 1000


def check_service(causes: Causes, service: Json) -> None:
    """A Service by itself."""
    spec = service["spec"]
    kind, ports = spec.get("type", ""), spec.get("ports") or []
    headless = spec.get("clusterIP") == "None"
    if kind != "ExternalName" and not ports and not headless:
        causes.required("spec.ports")
    if kind == "LoadBalancer" and headless:
        causes.invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for LoadBalancer services")
    if kind == "NodePort" and headless:
        causes.invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for NodePort services")
    if kind == "ExternalName":
        name = spec.get("externalName", "").rstrip(".")
        if not name:
            causes.required("spec.externalName")
        for complaint in formats.dns_subdomain(name) if name else ():
            causes.invalid("spec.externalName", name, complaint)
    _ports(causes, ports)
    check_labels(causes, "spec.selector", spec.get("selector") or {})
    if spec.get("sessionAffinity") not in ("ClientIP", "None"):
        causes.unsupported("spec.sessionAffinity", spec.get("sessionAffinity", ""), ("ClientIP", "None"))
    if kind not in _TYPES:
        causes.unsupported("spec.type", kind, _TYPES)
    address = spec.get("clusterIP", "")
    if address not in ("", "None"):
        for complaint in formats.ip_address(address):
            causes.invalid("spec.clusterIPs[0]", address, complaint)
    if kind in ("ClusterIP", "ExternalName"):
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                why = f"may not be used when `type` is '{kind}'"
                causes.forbidden(f"spec.ports[{index}].nodePort", why)
    _policies(causes, spec)
    for index, external in enumerate(spec.get("externalIPs") or ()):
        for complaint in formats.ip_address(external):
            causes.invalid(f"spec.externalIPs[{index}]", external, complaint)


def _ports(causes: Causes, ports: list[Json]) -> None:
    names: set[str] = set()
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        field = f"spec.ports[{index}]"
        name = port.get("name", "")
        if len(ports) > 1 and not name:
            causes.required(f"{field}.name")
        elif name:
            for complaint in formats.dns_label(name):
                causes.invalid(f"{field}.name", name, complaint)
            if name in names:
                causes.duplicate(f"{field}.name", name)
            names.add(name)
        for complaint in formats.port_number(port["port"]):
            causes.invalid(f"{field}.port", port["port"], complaint)
        if port.get("protocol") not in PROTOCOLS:
            causes.unsupported(f"{field}.protocol", port.get("protocol", ""), PROTOCOLS)
        check_port_reference(causes, f"{field}.targetPort", port.get("targetPort", 0))
        key = (port.get("protocol", ""), port["port"])
        if key in seen:
            causes.duplicate(field, {"protocol": key[0], "port": key[1]})
        seen.add(key)


def check_port_reference(causes: Causes, field: str, port: int | str) -> None:
    """A port by number or by name."""
    complaints = formats.port_number(port) if isinstance(port, int) else formats.port_name(port)
    for complaint in complaints:
        causes.invalid(field, port, complaint)


def _policies(causes: Causes, spec: Json) -> None:
    outside, inside = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if outside is not None:
        if spec["type"] not in ("NodePort", "LoadBalancer") and not spec.get("externalIPs"):
            why = "may only be set for externally-accessible services"
            causes.invalid("spec.externalTrafficPolicy", outside, why)
        elif outside not in ("Cluster", "Local"):
            causes.unsupported("spec.externalTrafficPolicy", outside, ("Cluster", "Local"))
    if inside is not None and inside not in ("Cluster", "Local"):
        causes.unsupported("spec.internalTrafficPolicy", inside, ("Cluster", "Local"))
    families = spec.get("ipFamilies") or []
    if any(family != "IPv4" for family in families):
        why = "not configured on this cluster"
        causes.invalid("spec.ipFamilies[0]", next(f for f in families if f != "IPv4"), why)
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        causes.invalid(
            "spec.ipFamilyPolicy", "RequireDualStack", "this cluster is not configured for dual-stack services"
        )


def check_service_change(causes: Causes, new: Json, old: Json) -> None:
    """A change of a Service: its address stays as long as it has one."""
    before, after = old["spec"], new["spec"]
    if "ExternalName" in (before.get("type"), after.get("type")):
        return
    if before.get("clusterIP") and after.get("clusterIP") != before["clusterIP"]:
        causes.invalid("spec.clusterIPs[0]", [after.get("clusterIP", "")], "may not change once set")


def check_endpoint_slice(causes: Causes, endpoint_slice: Json) -> None:
    """An EndpointSlice by itself."""
    kind = endpoint_slice.get("addressType", "")
    if not kind:
        causes.required("addressType")
    elif kind not in ("FQDN", "IPv4", "IPv6"):
        causes.unsupported("addressType", kind, ("FQDN", "IPv4", "IPv6"))
    endpoints = endpoint_slice.get("endpoints") or []
    if len(endpoints) > _MOST_ENDPOINTS:
        causes.too_long("endpoints", _MOST_ENDPOINTS)
    for index, endpoint in enumerate(endpoints):
        addresses = endpoint.get("addresses") or []
        if not addresses:
            causes.required(f"endpoints[{index}].addresses", "must contain at least 1 address")
        for at, address in enumerate(addresses):
            check = formats.dns_subdomain if kind == "FQDN" else formats.ip_address
            for complaint in check(address):
                causes.invalid(f"endpoints[{index}].addresses[{at}]", address, complaint)
    for index, port in enumerate(endpoint_slice.get("ports") or ()):
        if port.get("protocol") not in PROTOCOLS:
            causes.unsupported(f"ports[{index}].protocol", port.get("protocol", ""), PROTOCOLS)


def check_endpoint_slice_change(causes: Causes, new: Json, old: Json) -> None:
    """A change of an EndpointSlice."""
    if new.get("addressType") != old.get("addressType"):
        causes.invalid("addressType", new.get("addressType", ""), "field is immutable")
