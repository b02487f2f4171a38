"""`artifacts:reports:junit` as GitLab reads it: the test cases of JUnit's XML, however deep its suites are.

Two cases of one suite, class and name that went alike are one, and the later counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal
from xml.etree.ElementTree import Element, ParseError, fromstring

import msgspec

Status = Literal["success", "failed", "error", "skipped"]
FAILURES: dict[str, Status] = {"failure": "failed", "error": "error", "skipped": "skipped"}
"""What a test case may hold, and what that makes of it; of several, the first of these counts."""
MOST = 500_000
"""Test cases in one file."""


class TestCase(msgspec.Struct, frozen=True):
    """One test. `suite`: the suite it stands in, where that has a name. `seconds` is what it took; `output` what a
    failure says."""

    __test__ = False

    name: str
    classname: str = ""
    status: Status = "success"
    seconds: float = 0.0
    file: str | None = None
    output: str | None = None
    suite: str | None = None


class JunitError(Exception):
    """The text is no JUnit report."""


def parse(text: bytes) -> list[TestCase]:
    """The test cases in the order in which they are written."""
    try:
        root = fromstring(text)
    except (ParseError, ValueError, LookupError) as error:
        raise JunitError(f"JUnit XML parsing failed: {error}") from None
    cases = [_case(suite, element) for suite, element in _cases(root)]
    if len(cases) > MOST:
        raise JunitError(f"JUnit data parsing failed: number of test cases exceeded the limit of {MOST}")
    return cases


def distinct(cases: Iterable[TestCase]) -> list[TestCase]:
    """The cases of one job or group of jobs, without those that come again."""
    return list({(case.status, case.suite, case.classname, case.name): case for case in cases}.values())


def _cases(root: Element) -> Iterator[tuple[str | None, Element]]:
    """Test cases, each with the name of its suite. They are below suites, which may hold suites."""
    waiting: list[tuple[str | None, Element]] = []
    if _tag(root) in ("testsuites", "testsuite"):
        waiting.append((None, root))
    while waiting:
        suite, element = waiting.pop()
        if _tag(element) == "testcase":
            yield suite, element
        else:
            name = element.get("name")
            waiting += [(name, each) for each in reversed(element) if _tag(each) in ("testcase", "testsuite")]


def _case(suite: str | None, element: Element) -> TestCase:
    parts = {_tag(child): child for child in reversed(element)}
    kind = next((kind for kind in FAILURES if kind in parts), None)
    output = _said(parts[kind]) if kind else None
    if kind in ("failure", "error"):
        streams = (("system-out", "System Out"), ("system-err", "System Err"))
        told = [f"{title}:\n\n{_said(parts[tag]) or ''}" for tag, title in streams if tag in parts]
        output = "\n\n".join([*([output] if output else []), *told]) or None
    return TestCase(
        name=element.get("name", ""),
        classname=element.get("classname", ""),
        status=FAILURES[kind] if kind else "success",
        seconds=_seconds(element.get("time", "")),
        file=element.get("file"),
        output=output,
        suite=suite,
    )


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _said(element: Element) -> str | None:
    """The text, else the attribute that takes its place."""
    return element.text if element.text and element.text.strip() else element.get("message")


def _seconds(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return 0.0
