"""Reports that jobs leave: dotenv files become variables, the others numbers."""

import gzip
import json

import pytest

from shipline.engine.dotenv import DotenvError, parse
from shipline.engine.reports import cases_of, summarise


def variables(text: str | bytes) -> dict[str, str]:
    content = text.encode() if isinstance(text, str) else text
    return {each.key: each.value for each in parse([content], len(content))}


def test_a_dotenv_file_is_lines_of_names_and_values():
    assert variables('A=1\nB = two words \nC=x=y\nD="quoted"\nE=') == {
        "A": "1",
        "B": "two words",
        "C": "x=y",
        "D": '"quoted"',
        "E": "",
    }
    assert variables("A=1\nA=2\n") == {"A": "2"}
    assert variables("") == {}


def test_windows_line_ends_and_encodings():
    assert variables("A=1\r\nB=2\r\n") == {"A": "1", "B": "2"}
    assert variables("\ufeffA=ä".encode()) == {"A": "ä"}
    assert variables(b"\xff\xfe" + "A=1\r\n".encode("utf-16-le")) == {"A": "1"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A=1\n\nB=2\n", "Invalid Format"),
        ("# a comment\n", "Invalid Format"),
        ("just text\n", "Invalid Format"),
        ("A-B=1\n", "can contain only letters, digits and '_'"),
        ("=1\n", "can't be blank"),
        ("export A=1\n", "can contain only letters"),
        ("A=" + "x" * 5118 + "\n", "Dotenv Artifact Too Big. Maximum Allowable Size: 5120"),
        ("".join(f"V{n}=1\n" for n in range(21)), "Dotenv files cannot have more than 20 variables"),
    ],
)
def test_what_is_no_dotenv_file_is_refused_in_gitlabs_words(text, why):
    with pytest.raises(DotenvError, match=why.replace("(", r"\(")):
        variables(text)


JUNIT = """<?xml version="1.0"?>
<testsuites xmlns="urn:x"><testsuite name="outer"><testsuite name="inner">
<testcase classname="C" name="fine" time="0.25"/>
<testcase classname="C" name="bad" time="1,000.5" file="c.py"><failure message="no">at line 3</failure></testcase>
</testsuite><testcase name="broken"><error>oh</error></testcase>
<testcase name="later"><skipped/></testcase></testsuite></testsuites>
"""


def test_junit_counts_cases_of_all_suites_and_files(tmp_path):
    (tmp_path / "j").write_bytes(
        gzip.compress(JUNIT.encode()) + gzip.compress(b'<testsuite><testcase name="x"/></testsuite>')
    )
    found = summarise("junit", tmp_path / "j", "gzip")
    assert (found.total, found.failed, found.errors, found.skipped) == (5, 1, 1, 1)
    assert found.names == ["C: bad", "broken"]
    assert found.seconds == 1000.75
    cases = cases_of(tmp_path / "j", "gzip")
    assert [case.status for case in cases] == ["success", "failed", "error", "skipped", "success"]
    assert (cases[1].output, cases[1].file) == ("at line 3", "c.py")


def junit_of(text: str, tmp_path):
    (tmp_path / "j").write_bytes(gzip.compress(text.encode()))
    return summarise("junit", tmp_path / "j", "gzip"), cases_of(tmp_path / "j", "gzip")


def test_the_same_test_twice_is_one(tmp_path):
    case = '<testcase classname="C" name="n" time="0.5"/>'
    bad = '<testcase classname="C" name="n" time="0.5"><failure/></testcase>'
    suites = f'<testsuite name="a">{case}{case}{bad}</testsuite><testsuite name="b">{case}</testsuite>'
    report, _ = junit_of(f"<testsuites>{suites}</testsuites>", tmp_path)
    assert (report.total, report.failed, report.seconds) == (3, 1, 2.0), "by suite and by how it went"


def test_what_a_failure_says(tmp_path):
    cases = (
        '<testcase name="a"><system-out>hello</system-out><failure message="short">long</failure></testcase>'
        '<testcase name="b"><error message="short"/><system-err>oops</system-err></testcase>'
        '<testcase name="c"><error>second</error><failure>first</failure></testcase>'
        '<testcase name="d"><system-out>hello</system-out></testcase>'
    )
    _, found = junit_of(f"<testsuite>{cases}</testsuite>", tmp_path)
    assert [(case.status, case.output) for case in found] == [
        ("failed", "long\n\nSystem Out:\n\nhello"),
        ("error", "short\n\nSystem Err:\n\noops"),
        ("failed", "first"),
        ("success", None),
    ]


def test_a_test_outside_of_any_suite_is_none(tmp_path):
    assert junit_of('<testcase name="a"/>', tmp_path)[0].total == 0
    assert junit_of('<html><testsuite><testcase name="a"/></testsuite></html>', tmp_path)[0].total == 0
    assert junit_of("<testsuites><testsuite/></testsuites>", tmp_path)[0].total == 0


def test_a_report_that_cannot_be_read_says_so(tmp_path):
    (tmp_path / "j").write_bytes(gzip.compress(b"<testsuite>"))
    assert "JUnit XML parsing failed" in summarise("junit", tmp_path / "j", "gzip").problem
    (tmp_path / "s").write_text("{")
    assert "no JSON" in summarise("sast", tmp_path / "s", "raw").problem
    (tmp_path / "t").write_bytes(gzip.compress(JUNIT.encode())[:40])
    assert summarise("junit", tmp_path / "t", "gzip").problem
    bomb = gzip.compress(b"\0" * (101 << 20))
    (tmp_path / "b").write_bytes(bomb)
    assert "too large" in summarise("junit", tmp_path / "b", "gzip").problem


def test_an_xml_that_grows_without_end_is_no_report(tmp_path):
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<!DOCTYPE x [<!ENTITY e0 "boom">{levels}]><testsuite><testcase name="a">&e9;</testcase></testsuite>'
    (tmp_path / "j").write_bytes(gzip.compress(text.encode()))
    assert summarise("junit", tmp_path / "j", "gzip").problem


def test_coverage(tmp_path):
    cobertura = b'<coverage lines-valid="200" lines-covered="150" line-rate="0.75"/>'
    package = b'<package><counter type="LINE" missed="9" covered="1"/></package>'
    jacoco = b"<report>" + package + b'<counter type="LINE" missed="1" covered="3"/></report>'
    for kind, text in (("cobertura", cobertura), ("jacoco", jacoco)):
        (tmp_path / kind).write_bytes(gzip.compress(text))
        assert summarise(kind, tmp_path / kind, "gzip").coverage == 75.0


def test_coverage_of_lines_where_no_totals_are_written(tmp_path):
    def named(name: str, *hits: int) -> str:
        lines = "".join(f'<line number="{number}" hits="{count}"/>' for number, count in enumerate(hits))
        return f'<class filename="{name}"><methods/><lines>{lines}</lines></class>'

    classes = named("a.rb", 2, 0) + named("a.rb", 0, 1) + named("b.rb", 0, 0) + named("", 1)
    report = '<report><package><sourcefile name="A.java"><line nr="1" mi="0" ci="3"/><line nr="2" mi="2" ci="0"/>'
    texts = {
        "cobertura": f"<coverage><packages>{classes}</packages></coverage>",
        "jacoco": f"{report}</sourcefile></package></report>",
    }
    for kind, text in texts.items():
        (tmp_path / kind).write_bytes(gzip.compress(text.encode()))
        assert summarise(kind, tmp_path / kind, "gzip").coverage == 50.0
    (tmp_path / "c").write_bytes(gzip.compress(b"<coverage/>"))
    assert summarise("cobertura", tmp_path / "c", "gzip").coverage is None


def test_findings_are_counted_by_severity(tmp_path):
    quality = [{"severity": "minor"}, {"severity": "minor"}, {"severity": "blocker"}, {}]
    (tmp_path / "q").write_text(json.dumps(quality))
    assert summarise("codequality", tmp_path / "q", "raw").counts == {"minor": 2, "blocker": 1, "unknown": 1}
    same = {"severity": "minor", "fingerprint": "1"}
    (tmp_path / "q").write_text(json.dumps([same, same]))
    assert summarise("codequality", tmp_path / "q", "raw").total == 1
    (tmp_path / "s").write_text(json.dumps({"vulnerabilities": [{"severity": "High"}]}))
    found = summarise("sast", tmp_path / "s", "raw")
    assert (found.total, found.counts) == (1, {"high": 1})


def test_what_a_plan_is_to_change(tmp_path):
    (tmp_path / "t").write_text(json.dumps({"create": 1, "update": "2", "delete": 0}))
    assert summarise("terraform", tmp_path / "t", "raw").counts == {"create": 1, "update": 2, "delete": 0}
    (tmp_path / "t").write_text(json.dumps({"create": 1}))
    assert summarise("terraform", tmp_path / "t", "raw").problem == (
        "the report does not say what the plan is to update and delete"
    )
