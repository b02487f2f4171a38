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
