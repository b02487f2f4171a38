"""Variables as a job's processes see them."""

import pytest

from shipline.protocol.payload import Variable
from shipline.runner.expansion import expand
from shipline.runner.variables import Variables


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A-${A}", "1-1"),
        ("$$A", "$A"),
        ("$NOBODY.", "."),
        ("${}x${A", "xA"),
        ("cost $ 5", "cost $ 5"),
        ("$A_B$A", "1"),
        ("100%$", "100%$"),
        ("$1$?$@", ""),
    ],
)
def test_references_are_replaced_once_as_os_expand_does(text, expected):
    assert expand(text, lambda name: {"A": "1"}.get(name, "")) == expected


def test_the_last_of_a_name_wins_and_values_are_expanded_once():
    variables = Variables([Variable("A", "old"), Variable("B", "$A/$C"), Variable("A", "new"), Variable("C", "$A")])
    assert variables.get("B") == "new/$A"


def test_raw_variables_keep_their_dollars():
    assert Variables([Variable("PASSWORD", "a$b$$c", raw=True)]).get("PASSWORD") == "a$b$$c"


def test_a_file_variable_holds_a_path_and_its_content_is_written_there():
    variables = Variables([Variable("KEY", "text", file=True), Variable("USE", "at $KEY")], "/builds/app.tmp")
    assert variables.get("KEY") == "/builds/app.tmp/KEY"
    assert variables.get("USE") == "at /builds/app.tmp/KEY"
    assert variables.files() == {"KEY": "text"}


def test_masked_values_are_known_as_given_and_as_expanded():
    variables = Variables([Variable("A", "one"), Variable("B", "$A-two", masked=True)])
    assert variables.masked() == {"$A-two", "one-two"}


def test_names_that_no_shell_can_hold_are_not_exported():
    assert Variables([Variable("a-b", "1"), Variable("OK", "2")]).exports() == {"OK": "2"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h 30m", 5400), ("500ms", 0.5), ("soon", None), ("0s", None), ("", None)]
)
def test_durations(text, seconds):
    assert Variables([Variable("T", text)]).seconds("T", None) == seconds
