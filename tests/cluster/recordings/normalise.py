"""What may differ between two runs of the same command, taken out of its answer: names' random ends, uids,
times, ages, resource versions, addresses, the node's name, container ids, the server's address, the width of
columns.

Both sides, the recorded answer and ours, go through the same functions and are then compared line by line.
YAML and JSON are compared as values, so that where a long text is folded plays no part. Listings whose order
comes from times or random names (events, endpoints) are compared as sets.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import yaml

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
HASH = r"[4-9bcdf]{6,10}"  # the letters of a pod-template-hash
END = r"[bcdfghjklmnpqrstvwxz2456789]{5}"  # the end that a generated name gets
DURATION = r"(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?"

TEXT: tuple[tuple[str, str], ...] = (
    (UUID, "<uid>"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| [+]\d{4})", "<time>"),
    (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+]\d{4}", "<time>"),
    (r"(?m)^([EWI])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (\w+\.go):\d+\]", r"\1<log> \2]"),
    (r'(resourceVersion"?: ?"?)\d+', r"\1<version>"),
    (rf"-{HASH}-{END}\b", "-<hash>-<end>"),
    (rf"-{HASH}\b", "-<hash>"),
    (rf"(pod-template-hash(?:=|: |\":\")){HASH}", r"\1<hash>"),
    (rf"(kube-api-access|calculator)-(?!<){END}\b", r"\1-<end>"),
    (r"\.[0-9a-f]{14,16}\b", ".<stamp>"),
    (r"\b(containerd|docker)://[0-9a-f]{64}", "<engine>://<id>"),
    (r"sha256:[0-9a-f]{64}", "sha256:<id>"),
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b(containerd|docker)://\d[\w.+~-]*", "<engine>://<version>"),
    (r"in \d+(\.\d+)?m?s \(\d+(\.\d+)?m?s including waiting\)", "in <duration>"),
    (r"Image size: \d+ bytes", "Image size: <n> bytes"),
    (rf"\(x\d+ over {DURATION}\)", "(<often>)"),
    (rf"\({DURATION} ago\)", "(<ago>)"),
    (r"\(lasts [^)]*\)", "(lasts <age>)"),
    (r"(real|user|sys)\t\d+m[\d.]+s", r"\1 <duration>"),
    (r"/tmp/(LIVE|MERGED)-\d+", r"/tmp/\1"),
    (r"docker\.io/library/", ""),
)
"""Patterns and what stands for them, in order."""


ADDRESS = r"\b\d+\.\d+\.\d+\.\d+\b"


@dataclass(frozen=True)
class Place:
    """Where an answer was given: what its node, its addresses and its server are called."""

    node: str
    node_address: str
    pods: IPv4Network
    services: IPv4Network
    servers: tuple[str, ...]
    """The API server's addresses, the one with TLS first."""

    def hide(self, text: str) -> str:
        """`text` with the place's own names replaced."""
        for server in self.servers:
            text = text.replace(server, "<server>")
            text = text.replace(server.partition("//")[2], "<server address>")
        text = re.sub(ADDRESS, self._address, text)
        text = text.replace(f"default-scheduler-{self.node}", "default-scheduler-<node>")
        return re.sub(rf"(?<![\w.-]){re.escape(self.node)}(?![\w-]|\.\w)", "<node>", text)

    def _address(self, match: re.Match[str]) -> str:
        if match[0] == self.node_address:
            return "<node address>"
        try:
            address = IPv4Address(match[0])
        except ValueError:
            return match[0]
        if address in self.services:
            return "<service address>"
        return "<pod address>" if address in self.pods else match[0]


RECORDED = Place(
    node="vm",
    node_address="192.0.2.2",
    pods=IPv4Network("10.42.0.0/16"),
    services=IPv4Network("10.43.0.0/16"),
    servers=("https://127.0.0.1:16443", "http://127.0.0.1:18080", "https://192.0.2.2:16443"),
)


def lines(command: str, text: str, place: Place, without: str = "") -> list[str]:
    """The lines of an answer that are the same in every run of `command`.

    Of lists in YAML and JSON the items are left out that, or whose names or reasons, match the pattern `without`.
    """
    value = _value(command, text)
    if value is not None:
        value = _reduce(value, without) if without else value
        if "| head" in command:  # the end is cut off somewhere
            value["items"] = value["items"][:3]
        return _dump(value, place).splitlines()
    text = "\n".join(_unfolded(line, place) for line in text.replace("\0", r"\0").splitlines())
    text = scrub(text, place)
    if re.search(r"kubectl (get )?events", command):
        return sorted({_cells(line) for line in text.splitlines()})
    if "rollout status" in command:
        return _progress(text)
    if "describe" in command:
        return _description(text)
    if re.search(r"kubectl (get|top|api-resources|auth|config)", command):
        return _by_name([_cells(line) for line in text.splitlines()])
    return text.splitlines()


def _by_name(rows: list[str]) -> list[str]:
    """Rows of objects with random names follow those names; here they are put in an order of their own."""
    random = iter(sorted(row for row in rows if "-<hash>" in row))
    return [next(random) if "-<hash>" in row else row for row in rows]


def scrub(text: str, place: Place) -> str:
    """`text` with everything replaced that varies from run to run."""
    text = place.hide(text)
    for pattern, stand_in in TEXT:
        text = re.sub(pattern, stand_in, text)
    return text


def _value(command: str, text: str) -> Any:
    """The answer as a value, when it is YAML or JSON; None when it is plain text."""
    if text.startswith(("{", "[")):
        try:
            return json.loads(text)
        except ValueError:
            return None
    if re.search(r"-o yaml\b", command) and re.match(r"\w+:", text):
        try:
            return yaml.load(text, yaml.BaseLoader)
        except yaml.YAMLError:
            return None
    return None


def _dump(value: Any, place: Place) -> str:
    return json.dumps(_plain(value, place), indent=1, sort_keys=True, ensure_ascii=False)


def _unfolded(line: str, place: Place) -> str:
    """A line of JSON amid other text, as a value on many lines."""
    value = _value("", line) if line.startswith("{") else None
    return line if value is None else _dump(value, place)


def _reduce(value: Any, without: str) -> Any:
    if isinstance(value, dict):
        return {key: _reduce(item, without) for key, item in value.items()}
    if isinstance(value, list):
        return [_reduce(item, without) for item in value if not re.search(without, _called(item))]
    return value


def _called(item: Any) -> str:
    """By what an item of a list is left out or kept."""
    if isinstance(item, dict):
        return str(item.get("name") or item.get("reason") or (item.get("metadata") or {}).get("name") or "")
    return item if isinstance(item, str) else ""


def _plain(value: Any, place: Place) -> Any:
    """`value` with its texts scrubbed, and lists whose order is chance sorted."""
    if isinstance(value, dict):
        scrubbed = {scrub(str(key), place): _plain(item, place) for key, item in value.items()}
        for key in ("resourceVersion", "terminatingReplicas"):
            if scrubbed.get(key) not in (None, "", "0", 0):
                scrubbed[key] = "<n>"
        if "pod-template-hash" in scrubbed:
            scrubbed["pod-template-hash"] = "<hash>"
        for key in ("endpoints", "addresses"):
            if isinstance(scrubbed.get(key), list):
                scrubbed[key] = sorted(scrubbed[key], key=json.dumps)
        return scrubbed
    if isinstance(value, list):
        return [_plain(item, place) for item in value]
    return scrub(value, place) if isinstance(value, str) else value


def _cells(line: str) -> str:
    """A row of a table: its cells divided by two spaces however wide the columns are, its ages replaced."""
    indent = line[: len(line) - len(line.lstrip())][:2]
    cells = re.split(r" {2,}|\t+| (?=\(<(?:ago|often)>\))", line.strip())
    return indent + "  ".join("<age>" if re.fullmatch(DURATION, cell) and cell else cell for cell in cells)


def _description(text: str) -> list[str]:
    """`kubectl describe`: cells as in tables, each object's events in the order of their text.

    Objects with random names are put in an order of their own, and pods on their way out are left out: how many
    there are of those depends on how quick the steps before were.
    """
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("Name:") and blocks[-1]:
            blocks.append([])
        blocks[-1].append(line)
    described = [_block(block) for block in blocks]
    staying = [block for block in described if not any(line.startswith("Status:  Terminating") for line in block)]
    random = iter(sorted(block for block in staying if block and "<hash>" in block[0]))
    ordered = [next(random) if block and "<hash>" in block[0] else block for block in staying]
    return [line for block in ordered for line in block]


def _block(text: list[str]) -> list[str]:
    """One object's description."""
    result: list[str] = []
    events: list[str] | None = None
    for line in text:
        if events is not None and line.startswith("  "):
            events.append(re.sub(r" +\(<often>\)", "", _cells(line)))
        elif line.strip():
            result.append(_cells(line))
        if line.startswith("Events:"):
            events = []
    return result + sorted(set(events or []))


def _progress(text: str) -> list[str]:
    """`kubectl rollout status` prints what it happens to see; the wording and the end are what counts."""
    return sorted({re.sub(r"\d+", "<n>", line) for line in text.splitlines()[:-1]}) + text.splitlines()[-1:]
