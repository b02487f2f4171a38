"""`artifacts:reports:junit` as GitLab reads it: the test cases of JUnit's XML, however deep its suites are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from xml.etree.ElementTree import Element, ParseError, fromstring

import msgspec

Status = Literal["success", "failed", "error", "skipped"]


class TestCase(msgspec.Struct, frozen=True):
    """One test. `seconds` is what it took; `output` what a failure says."""

    __test__ = False

    name: str
    classname: str = ""
    status: Status = "success"
    seconds: float = 0.0
    file: str | None = None
    output: str | None = None


class JunitError(Exception):
    """The text is no JUnit report."""


def parse(text: bytes) -> list[TestCase]:
    """The test cases in the order in which they are written."""
    try:
        root = fromstring(text)
    except (ParseError, ValueError, LookupError) as error:
        raise JunitError(f"JUnit XML parsing failed: {error}") from None
    return [_case(element) for element in _cases(root)]


def _cases(root: Element) -> Iterator[Element]:
    """Test cases are below suites, which may hold suites."""
    waiting = [root]
    while waiting:
        element = waiting.pop()
        tag = element.tag.rpartition("}")[2]
        if tag == "testcase":
            yield element
        elif tag in ("testsuites", "testsuite"):
            waiting.extend(reversed(element))


def _case(element: Element) -> TestCase:
    status: Status = "success"
    output = None
    for child in element:
        tag = child.tag.rpartition("}")[2]
        if tag in ("failure", "error"):
            status = "failed" if tag == "failure" else "error"
            output = (
                "\n\n".join(part for part in (child.get("message"), child.text) if part and part.strip()) or None
            )
            break
        if tag == "skipped":
            status = "skipped"
            output = child.get("message") or child.text
    return TestCase(
        name=element.get("name", ""),
        classname=element.get("classname", ""),
        status=status,
        seconds=_seconds(element.get("time", "")),
        file=element.get("file"),
        output=output,
    )


def _seconds(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return 0.0
