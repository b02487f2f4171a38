"""The number that `coverage:` finds in a log."""

import pytest

from shipline.engine.coverage import coverage

LOG = b"coverage 12%\nTOTAL  \x1b[32m53.8%\x1b[0m of 100 lines\nbye\n"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (r"TOTAL +\d+\.\d+%", 53.8),
        (r"TOTAL +(\d+)\.", 53.0),
        (r"coverage (\d+)%", 12.0),
        (r"(\d+)%", 8.0),
        (r"nothing (\d+)", None),
        (r"bye", None),
    ],
)
def test_the_last_line_that_matches(pattern, found):
    assert coverage(pattern, LOG) == found


def test_of_several_matches_in_a_line_the_last_counts_and_of_several_groups_the_last():
    assert coverage(r"\d+%", b"lines 50%, branches 40%\n") == 40
    assert coverage(r"(\w+) (\d+)%", b"lines 50%, branches 40%\n") == 40
    assert coverage(r"cov: .*", b"cov: 7 of 9\n") == 7
