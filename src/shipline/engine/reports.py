"""What a job's reports come to: numbers that are kept with the job, so that nobody has to read the files for them.

A report that cannot be read fails no job (but a dotenv file does, see `shipline.engine.dotenv`): its summary says
what is wrong with it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

import msgspec

from shipline.engine import junit
from shipline.engine.records import Report
from shipline.engine.report_types import SECURITY

LARGEST = 100 << 20
"""Bytes of a report, unpacked."""
MOST_NAMES = 20
LONGEST_NAME = 200


class UnreadableReport(Exception):
    """A report is not in the form that its kind has."""


def contents(path: Path, file_format: str) -> list[bytes]:
    """The files that were put into one upload: several in gzip, one otherwise. Raises UnreadableReport."""
    if file_format != "gzip":
        if path.stat().st_size > LARGEST:
            raise UnreadableReport("the report is too large")
        return [path.read_bytes()]
    found: list[bytes] = []
    left, room = path.read_bytes(), LARGEST
    while left:
        unpacking = zlib.decompressobj(wbits=31)
        try:
            found.append(unpacking.decompress(left, room + 1))
        except zlib.error as error:
            raise UnreadableReport(f"the report cannot be unpacked: {error}") from None
        room -= len(found[-1])
        if room < 0 or not unpacking.eof:
            raise UnreadableReport("the report is too large, or is not whole")
        left = unpacking.unused_data
    return found


def summarise(kind: str, path: Path, file_format: str) -> Report:
    """The summary of a report of that kind."""
    read = _READERS.get(kind)
    try:
        files = contents(path, file_format)
        return read(kind, files) if read else Report(kind, total=len(files))
    except (UnreadableReport, junit.JunitError) as error:
        return Report(kind, problem=str(error))


def cases_of(path: Path, file_format: str) -> list[junit.TestCase]:
    """All test cases of a junit upload. Raises JunitError, UnreadableReport."""
    return [case for text in contents(path, file_format) for case in junit.parse(text)]


def _junit(kind: str, files: list[bytes]) -> Report:
    every = [case for text in files for case in junit.parse(text)]
    cases = junit.distinct(every)
    broken = [case for case in cases if case.status in ("failed", "error")]
    names = [f"{case.classname}: {case.name}" if case.classname else case.name for case in broken]
    return Report(
        kind,
        total=len(cases),
        failed=sum(case.status == "failed" for case in cases),
        errors=sum(case.status == "error" for case in cases),
        skipped=sum(case.status == "skipped" for case in cases),
        seconds=round(sum(case.seconds for case in every), 6),
        names=[name[:LONGEST_NAME] for name in names[:MOST_NAMES]],
    )


def _cobertura(kind: str, files: list[bytes]) -> Report:
    roots = [_xml(text) for text in files]
    valid = sum(_number(root.get("lines-valid")) for root in roots)
    covered = sum(_number(root.get("lines-covered")) for root in roots)
    if valid:
        return Report(kind, total=int(valid), coverage=round(100 * covered / valid, 2))
    rates = [_number(rate) for root in roots if (rate := root.get("line-rate")) is not None]
    if rates:
        return Report(kind, coverage=round(100 * sum(rates) / len(rates), 2))
    hits: dict[tuple[str, str], float] = {}  # the totals are not written: a file's line counts once
    for each in (each for root in roots for each in root.iter("class")):
        name = each.get("filename")
        for line in each.iterfind("lines/line") if name else ():
            place = (name or "", line.get("number") or "")
            hits[place] = hits.get(place, 0) + _number(line.get("hits"))
    return _covered(kind, sum(count > 0 for count in hits.values()), len(hits))


def _covered(kind: str, covered: float, total: float) -> Report:
    """The report of so many lines."""
    return Report(kind, total=int(total), coverage=round(100 * covered / total, 2) if total else None)


def _jacoco(kind: str, files: list[bytes]) -> Report:
    missed = covered = 0.0
    for text in files:
        root = _xml(text)
        counters = [each for each in root.findall("counter") if each.get("type") == "LINE"]
        for counter in counters:
            missed += _number(counter.get("missed"))
            covered += _number(counter.get("covered"))
        for line in () if counters else root.iterfind(".//sourcefile/line"):
            hit = _number(line.get("ci")) > 0
            covered, missed = covered + hit, missed + (not hit)
    return _covered(kind, covered, missed + covered)


def _findings(kind: str, files: list[bytes]) -> Report:
    """Code quality is a list of findings, of which two with one fingerprint are the same; security scanners list
    theirs as vulnerabilities."""
    counts: dict[str, int] = {}
    known: set[str] = set()
    for text in files:
        document = _json(text)
        found = document if isinstance(document, list) else document.get("vulnerabilities") or []
        for each in found:
            if isinstance(each, dict) and isinstance(fingerprint := each.get("fingerprint"), str):
                if fingerprint in known:
                    continue
                known.add(fingerprint)
            severity = str(each.get("severity") or "unknown").lower() if isinstance(each, dict) else "unknown"
            counts[severity] = counts.get(severity, 0) + 1
    return Report(kind, total=sum(counts.values()), counts=counts)


def _terraform(kind: str, files: list[bytes]) -> Report:
    counts = dict.fromkeys(("create", "update", "delete"), 0)
    for text in files:
        document = _json(text)
        if not isinstance(document, dict):
            raise UnreadableReport("the report is no mapping")
        if missing := [key for key in counts if key not in document]:
            raise UnreadableReport(f"the report does not say what the plan is to {' and '.join(missing)}")
        for key in counts:
            counts[key] += int(_number(document[key]))
    return Report(kind, total=sum(counts.values()), counts=counts)


def _listed(key: str) -> Callable[[str, list[bytes]], Report]:
    def read(kind: str, files: list[bytes]) -> Report:
        documents = [_json(text) for text in files]
        lists = [each.get(key) or [] if isinstance(each, dict) else each for each in documents]
        return Report(kind, total=sum(len(each) for each in lists))

    return read


def _accessibility(kind: str, files: list[bytes]) -> Report:
    documents = [document for text in files if isinstance(document := _json(text), dict)]
    total, errors = (int(sum(_number(d.get(key)) for d in documents)) for key in ("total", "errors"))
    return Report(kind, total=total, errors=errors)


def _xml(text: bytes) -> Element:
    try:
        return fromstring(text)
    except (ParseError, ValueError, LookupError) as error:
        raise UnreadableReport(f"the report is no XML: {error}") from None


def _json(text: bytes) -> Any:
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise UnreadableReport(f"the report is no JSON: {error}") from None
    if not isinstance(document, (list, dict)):
        raise UnreadableReport("the report is neither a list nor a mapping")
    return document


def _number(value: Any) -> float:
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return 0.0


_READERS: dict[str, Callable[[str, list[bytes]], Report]] = {
    "junit": _junit,
    "cobertura": _cobertura,
    "jacoco": _jacoco,
    "codequality": _findings,
    "terraform": _terraform,
    "accessibility": _accessibility,
    "cyclonedx": _listed("components"),
    "license_scanning": _listed("licenses"),
    **dict.fromkeys(SECURITY, _findings),
}
