"""Expressions: what each part of the language gives, and how what is wrong is told."""

import json

import pytest

from shipline.runner.moa.evaluation import expanded, filled, value_of
from shipline.runner.moa.syntax import MoaError

CONTEXT = {
    "vars": {"BRANCH": "main", "EMPTY": ""},
    "inputs": {"count": 3, "list": ["a", 1, True, None], "map": {"x-y": 5, "k": "v"}},
}
VALUES = {
    "2 + 3 * 4 - 1": 13,
    "(2 + 3) * 4": 20,
    "10 / 4": 2.5,
    "10 / 5": 2,
    "10 % 3": 1,
    "-7 % 3": -1,
    "1.5e3": 1500.0,
    '"a" + "b"': "ab",
    "+5": 5,
    "-inputs.count": -3,
    "!vars.EMPTY": True,
    '1 == "1"': False,
    "null == null": True,
    "null < true": True,
    '42 < "hello"': True,
    "[1, 2] < [1, 2, 3]": True,
    "[1, 3] > [1, 2, 3]": True,
    '{"b": 1} > {"a": 2}': True,
    "{b: 1, a: 2} == {a: 2, b: 1}": True,
    "false < true": True,
    '"z" > "a" && 2 >= 2': True,
    'vars.BRANCH == "main" && "production" || "staging"': "production",
    'vars.EMPTY || "default"': "default",
    'inputs.missing || "default"': "default",
    'inputs.list[9] || "default"': "default",
    '"" && nowhere': "",
    "inputs.list[1]": 1,
    'inputs.map["x-y"]': 5,
    "{name: 1, (inputs.map.k): 2, 's': [1, 2,],}": {"name": 1, "v": 2, "s": [1, 2]},
    "{a: {b: 1}}": {"a": {"b": 1}},
    r'"tab\t\u00e9 \"q\" ${{ inputs.count }} \${{"': 'tab\té "q" 3 ${{',
    r"'It\'s ${{ raw }}'": "It's ${{ raw }}",
    "str(42)": "42",
    "str(null)": "<null>",
    "str(inputs.list)": '["a",1,true,null]',
    'num("3.14") + num("1")': 4.140000000000001,
    'bool("")': False,
    "bool(inputs.list)": True,
}
WRONG = {
    '"hello" + 42': "string + number is not possible",
    "1 / 0": "division by zero",
    "nowhere": "'nowhere' is unknown; known: vars, inputs",
    "inputs.missing": "'missing' was not found",
    "inputs.list[9]": "no element 9",
    "inputs.list[0.5]": "a whole number",
    "null.x": "null has no property",
    "{1: 2}": "an object's key is a string",
    "func": "reserved word",
    "eval(1)": "the function 'eval' is unknown",
    "num('x')": "'x' is no number",
    "1 +": "a value is missing",
    "[1": "']' is missing",
    "1 2": "unexpected '2 }}'",
    "'x": "no closing quote",
    "(" * 300 + "1" + ")" * 300: "nested too deeply",
    "1" + "+1" * 20000: "nested too deeply",
    "inputs.count.__class__": "number has no property '__class__'",
}


@pytest.mark.parametrize("expression", VALUES)
def test_values(expression):
    assert value_of(f"${{{{ {expression} }}}}", CONTEXT) == VALUES[expression]


@pytest.mark.parametrize("expression", WRONG)
def test_what_is_wrong_is_told_with_the_expression(expression):
    with pytest.raises(MoaError) as told:
        expanded(f"before ${{{{ {expression} }}}}", CONTEXT)
    assert WRONG[expression] in str(told.value)
    assert str(told.value).startswith("${{ ")


def test_a_text_around_makes_a_text_and_an_expression_alone_keeps_its_type():
    assert value_of("n=${{ inputs.count }} ${{inputs.map}}", CONTEXT) == 'n=3 {"x-y":5,"k":"v"}'
    assert value_of("${{ inputs.list }}", CONTEXT) == ["a", 1, True, None]
    assert value_of("\n${{ [1] }}\n", CONTEXT) == [1]
    assert value_of("${{ vars.BRANCH }}\n", CONTEXT) == "main\n"
    assert expanded(r"a \${{ is left, $x ${y} {{ z }} too", CONTEXT) == "a ${{ is left, $x ${y} {{ z }} too"


def test_an_open_expression_is_told():
    with pytest.raises(MoaError, match=r"\$\{\{ inputs.count: it is not closed by }}"):
        expanded("${{ inputs.count", CONTEXT)


def test_values_of_json_are_filled_in_keys_too():
    given = {"${{ vars.BRANCH }}": [{"deep": "${{ inputs.count }}"}, 7]}
    assert filled(given, CONTEXT) == {"main": [{"deep": 3}, 7]}


def test_json_is_an_expression():
    data = {"a": [1, -2.5, 'x\n"y" \\ /', None, True], "b": {"c": {}}}
    assert value_of(f"${{{{ {json.dumps(data)} }}}}", {}) == data
