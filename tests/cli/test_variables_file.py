"""Variables from a file: dotenv lines, YAML, JSON."""

from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipline.cli.variable_forms import as_dotenv
from shipline.cli.variables_file import entries
from shipline.engine.records import ProjectVariable

ENV = Path("x.env")


def parsed(path, text):
    return [(entry["key"], entry["value"]) for entry in entries(path, text)]


def test_lines_as_dotenv_files_have_them():
    text = (
        'A=1\nexport B = two words # note\nC=\'$literal # too\'\nD="tab\\there \\$x \\"q\\""\n\n# no\nE=\nF=a=b\n'
    )
    assert parsed(ENV, text) == [
        ("A", "1"),
        ("B", "two words"),
        ("C", "$literal # too"),
        ("D", 'tab\there $x "q"'),
        ("E", ""),
        ("F", "a=b"),
    ]


def test_a_quoted_value_over_several_lines():
    assert parsed(ENV, "KEY='-----BEGIN\nabc\n-----END'\nB=2\n") == [
        ("KEY", "-----BEGIN\nabc\n-----END"),
        ("B", "2"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nnonsense\n", "x.env:2: not NAME=VALUE"),
        ("1A=1\n", "x.env:1: '1A' is no variable's name"),
        ("A='open\n", "x.env:1: the quote of A is never closed"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, message):
    with pytest.raises(click.UsageError, match=message):
        parsed(ENV, text)


def test_yaml_and_json_keep_what_is_written():
    text = "A: 007\nB: yes\nC: |\n  one\n  two\nD: {value: x, description: why}\n"
    assert parsed(Path("v.yml"), text) == [("A", "007"), ("B", "yes"), ("C", "one\ntwo\n"), ("D", "x")]
    assert parsed(Path("v.json"), '{"A": "1"}') == [("A", "1")]
    assert parsed(Path("v.yml"), "") == []
    for bad in ("- a\n", "A: [1]\n", "a: b: c\n"):
        with pytest.raises(click.UsageError, match=r"v\.yml"):
            parsed(Path("v.yml"), bad)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_value_comes_back(value):
    line = as_dotenv(ProjectVariable("A", value))
    assert parsed(ENV, line + "B=1\n") == [("A", value), ("B", "1")]


def test_a_variable_may_say_more_than_its_value():
    written = (
        "KEY: {value: secret-text, masked: true, type: file}\nB: {value: $x, expand: false, protected: true}\n"
    )
    found = [
        {"key": "KEY", "value": "secret-text", "masked": True, "kind": "file"},
        {"key": "B", "value": "$x", "raw": True, "protected": True},
    ]
    assert entries(Path("v.yml"), written) == found
    api = '[{"key": "A", "value": "1", "variable_type": "file", "masked": false, "description": null}]'
    assert entries(Path("v.json"), api) == [{"key": "A", "value": "1", "kind": "file", "masked": False}]
    for bad, why in (
        ("A: {value: x, masked: maybe}", "`masked` of A is true or false"),
        ("A: {value: x, type: text}", "the type of A is `file` or `env_var`"),
        ("A: {value: x, maskd: true}", "A has no `maskd`"),
        ("A: {masked: true}", "the value of A must be text"),
    ):
        with pytest.raises(click.UsageError, match=why):
            entries(Path("v.yml"), bad)
    with pytest.raises(click.UsageError, match="the value of A must be text"):
        entries(Path("v.json"), '{"A": null}')


JOB = "job: {script: ['echo \"$TOKEN and $(cat $CONFIG) ${GUARDED:-unset}\"']}"
FILE = """
TOKEN: {value: secret-token-1, masked: true}
CONFIG: {value: "a: b", type: file}
GUARDED: {value: for protected refs, protected: true}
"""


def test_a_run_takes_them_as_they_are_said(repository):
    repository.commit(ci=JOB)
    repository.write("v.yml", FILE)
    assert "[MASKED] and a: b for protected refs" in repository.shipline("run", "--variables-file", "v.yml")
    shown = repository.shipline("run", "--variables-file", "v.yml", "--unprotected", "-v", "TOKEN=open")
    assert "open and a: b unset" in shown
    repository.write("v.yml", "A: {value: short, masked: true}")
    assert "The value of A cannot be masked" in repository.shipline("run", "--variables-file", "v.yml", code=2)
    repository.write("v.yml", "A: {value: x, environment_scope: production}")
    assert "A has an environment scope" in repository.shipline("run", "--variables-file", "v.yml", code=2)
