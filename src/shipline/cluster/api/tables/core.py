"""The core's small kinds as rows: configuration, Services and their endpoints, Events."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.tables.columns import (
    AGE,
    NAME,
    NONE,
    Column,
    Layout,
    age,
    first_few,
    pairs,
    since,
    wide,
)

Json = dict[str, Any]


def _config_map(config_map: Json) -> list[Any]:
    count = len(config_map.get("data") or ()) + len(config_map.get("binaryData") or ())
    return [config_map["metadata"]["name"], count, age(config_map)]


def _secret(secret: Json) -> list[Any]:
    return [secret["metadata"]["name"], secret.get("type", ""), len(secret.get("data") or ()), age(secret)]


def _name_and_age(obj: Json) -> list[Any]:
    return [obj["metadata"]["name"], age(obj)]


def _service(service: Json) -> list[Any]:
    spec = service["spec"]
    addresses = spec.get("clusterIPs") or [NONE]
    ports = ",".join(_port(port) for port in spec.get("ports") or ())
    return [
        service["metadata"]["name"],
        spec.get("type", ""),
        addresses[0],
        _outside(service),
        ports or NONE,
        age(service),
        pairs(spec.get("selector")),
    ]


def _port(port: Json) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port['protocol']}"


def _outside(service: Json) -> str:
    spec = service["spec"]
    given = list(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "ExternalName":
            return str(spec.get("externalName", ""))
        case "LoadBalancer":
            ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
            balanced = [entry.get("ip") or entry.get("hostname") or "" for entry in ingress]
            return ",".join(balanced + given) or "<pending>"
    return ",".join(given) or NONE


def _endpoints(endpoints: Json) -> list[Any]:
    found: list[str] = []
    for subset in endpoints.get("subsets") or ():
        addresses = [address["ip"] for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        found += addresses if not ports else [f"{ip}:{port['port']}" for port in ports for ip in addresses]
    return [endpoints["metadata"]["name"], first_few(found, NONE), age(endpoints)]


def _endpoint_slice(endpoint_slice: Json) -> list[Any]:
    ports = [
        str(port["port"]) if port.get("port") is not None else port.get("name") or "*"
        for port in endpoint_slice.get("ports") or ()
    ]
    addresses = [a for endpoint in endpoint_slice.get("endpoints") or () for a in endpoint.get("addresses") or ()]
    return [
        endpoint_slice["metadata"]["name"],
        endpoint_slice.get("addressType", ""),
        first_few(ports, "<unset>"),
        first_few(addresses, "<unset>"),
        age(endpoint_slice),
    ]


def _event(event: Json) -> list[Any]:
    first = since(event.get("firstTimestamp") or event.get("eventTime"))
    last = since(event["lastTimestamp"]) if event.get("lastTimestamp") else first
    count = event.get("count") or 1
    if event.get("series"):
        last, count = since(event["series"].get("lastObservedTime")), event["series"].get("count", 0)
    about = event.get("involvedObject") or {}
    target = about.get("kind", "").lower() + (f"/{about['name']}" if about.get("name") else "")
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent", "")
    host = source.get("host") or event.get("reportingInstance", "")
    return [
        last,
        event.get("type", ""),
        event.get("reason", ""),
        target,
        about.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        event.get("message", "").strip(),
        first,
        count,
        event["metadata"]["name"],
    ]


def _newer_event(event: Json) -> list[Any]:
    from shipline.cluster.api.eventwords import to_core

    return _event(to_core(event))


_EVENT_COLUMNS = (
    *(Column(name) for name in ("Last Seen", "Type", "Reason", "Object")),
    *wide("Subobject", "Source"),
    Column("Message"),
    *wide("First Seen", "Count"),
    Column("Name", priority=1, format="name"),
)

LAYOUTS = {
    "configmaps": Layout((NAME, Column("Data"), AGE), _config_map),
    "secrets": Layout((NAME, Column("Type"), Column("Data"), AGE), _secret),
    "serviceaccounts": Layout((NAME, AGE), _name_and_age),
    "services": Layout(
        (
            NAME,
            *(Column(name) for name in ("Type", "Cluster-IP", "External-IP", "Port(s)")),
            AGE,
            *wide("Selector"),
        ),
        _service,
    ),
    "endpoints": Layout((NAME, Column("Endpoints"), AGE), _endpoints),
    "endpointslices.discovery.k8s.io": Layout(
        (NAME, *(Column(name) for name in ("AddressType", "Ports", "Endpoints")), AGE), _endpoint_slice
    ),
    "events": Layout(_EVENT_COLUMNS, _event),
    "events.events.k8s.io": Layout(_EVENT_COLUMNS, _newer_event),
}
