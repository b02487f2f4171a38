"""YAML as Ruby's Psych reads it, with the place of every value."""

import pytest

from shipline.language import LanguageError
from shipline.language.documents import read_documents
from shipline.language.values import Place, plain


def read(text):
    return plain(read_documents(text, "a.yml")[0].value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("012345", 5349),
        ("0o14", "0o14"),
        ("08", "08"),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("1,000", 1000),
        ("-7", -7),
        ("1.5", 1.5),
        ("1.", 1.0),
        ("1e3", "1e3"),
        ("1.0e+3", 1000.0),
        (".", "."),
        (".inf", float("inf")),
        ("1:30", 5400),
        ("1:30:15", 5415),
        ("yes", True),
        ("On", True),
        ("y", "y"),
        ("n", "n"),
        ("No", False),
        ("off", False),
        ("~", None),
        ("NULL", None),
        ("", None),
        (":symbol", "symbol"),
        ("1.2.3", "1.2.3"),
        ("v1", "v1"),
        ("'012'", "012"),
        ('"yes"', "yes"),
        ("!!str 12", "12"),
    ],
)
def test_scalars(written, value):
    assert read(f"v: {written}") == {"v": value}


def test_a_date_is_refused_with_what_to_do():
    with pytest.raises(LanguageError, match=r"unspecified class: Date.*put it in quotes: '2020-01-01'"):
        read("v: 2020-01-01")


def test_a_merge_key_overrides_what_stands_before_it_as_in_psych():
    assert read("b: &b {x: 1, y: 1}\na: {x: 0, <<: *b, y: 2}")["a"] == {"x": 1, "y": 2}


def test_of_two_equal_keys_the_last_counts_and_is_told():
    warnings = []
    (document,) = read_documents("a: 1\nb: 2\na: 3\n", "a.yml", warnings)
    assert plain(document.value) == {"a": 3, "b": 2}
    assert [(item.line, item.check) for item in warnings] == [(3, "duplicate-key")]


def test_templates_of_one_name_are_told_only_where_no_anchor_reaches_them():
    warnings = []
    text = ".t: &a {x: 1}\n.t: &b {<<: *a, y: 2}\n.t: {z: 3}\nv: &c {x: 1}\nv: &d {x: 2}\n.u: {}\n.u: &e {}\n"
    read_documents(text, "a.yml", warnings)
    assert [(item.line, item.message.split()[0]) for item in warnings] == [(5, "`v`"), (7, "`.u`")]


def test_every_value_knows_its_place():
    (document,) = read_documents("a:\n  b: [x,  y]\n", "a.yml")
    inner = document.value["a"]
    assert inner.keys_at["b"] == Place("a.yml", 2, 3)
    assert inner["b"].places == [Place("a.yml", 2, 7), Place("a.yml", 2, 11)]


@pytest.mark.parametrize(
    ("text", "line", "column", "told"),
    [
        ("a:\n  script: [x\n", 2, 11, "did not find expected ',' or ']'"),
        ("a: b: c\n", 1, 5, "mapping values are not allowed"),
        ("a: *b\n", 1, 4, "Unknown alias: b"),
        ("a: 'x\n", 1, 4, "unexpected end of stream"),
        ("a: !ruby/object:X {}\n", 1, 4, "unspecified class"),
        ("a:\n\t- b\n", 2, 1, "cannot start any token"),
    ],
)
def test_a_syntax_error_has_its_place(text, line, column, told):
    with pytest.raises(LanguageError) as refused:
        read(text)
    (finding,) = refused.value.findings
    assert (finding.line, finding.column) == (line, column)
    assert told in finding.message
