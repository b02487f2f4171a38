"""Which form a client wants its answer in, and which form its request's body has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shipline.cluster.api.errors import ApiError

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
_AVAILABLE = f"{JSON}, {YAML}, {PROTOBUF}"
_PRETTY_AGENTS = ("curl/", "Wget/", "Mozilla/5.0")


@dataclass(frozen=True, slots=True)
class Form:
    """`media` is JSON, YAML or PROTOBUF; `shape` is "", "Table", "PartialObjectMetadata" or its List."""

    media: str
    shape: str = ""
    version: str = "v1"
    pretty: bool = False


def wanted(headers: Mapping[str, str], query: Mapping[str, str], shapes: tuple[str, ...] = ()) -> Form:
    """The first form in Accept that there is; ApiError 406 when there is none. `shapes` are those on offer."""
    pretty = _is_pretty(headers, query)
    for media, parameters in _clauses(headers.get("Accept") or "*/*"):
        if media in ("*/*", "application/*"):
            media = JSON
        if media not in (JSON, YAML, PROTOBUF):
            continue
        shape = parameters.get("as", "")
        if not shape:
            return Form(media, pretty=pretty)
        version = parameters.get("v", "")
        if parameters.get("g") == "meta.k8s.io" and version in ("v1", "v1beta1") and shape in shapes:
            return Form(media, shape, version, pretty)
    raise ApiError(406, "NotAcceptable", f"406: Not Acceptable\n\nAvailable representations: {_AVAILABLE}", {})


def discovery_version(headers: Mapping[str, str]) -> str:
    """The version of aggregated discovery that the client prefers; "" for the older, unaggregated one."""
    for media, parameters in _clauses(headers.get("Accept") or "*/*"):
        if media == JSON and parameters.get("as") == "APIGroupDiscoveryList":
            if parameters.get("g") == "apidiscovery.k8s.io" and parameters.get("v") == "v2":
                return "v2"
        elif media in (JSON, "*/*", "application/*"):
            return ""
    return ""


def _is_pretty(headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
    if "pretty" in query:
        return query["pretty"].lower() in ("", "1", "t", "true")
    return headers.get("User-Agent", "").startswith(_PRETTY_AGENTS)


def _clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    """Media types with their parameters, the preferred first."""
    found = []
    for clause in accept.split(","):
        media, *pairs = (part.strip() for part in clause.split(";"))
        parameters = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        found.append((media, parameters))

    def weight(clause: tuple[str, dict[str, str]]) -> float:
        try:
            return float(clause[1].get("q", "1"))
        except ValueError:
            return 0.0

    return sorted(found, key=weight, reverse=True)


def body_media(content_type: str) -> str:
    """The form of a request's body; ApiError 415 when it isn't one of ours."""
    media = content_type.partition(";")[0].strip() or JSON
    if media in (JSON, YAML, PROTOBUF):
        return media
    message = "the body of the request was in an unknown format - accepted media types include: "
    raise ApiError(415, "UnsupportedMediaType", message + _AVAILABLE)
