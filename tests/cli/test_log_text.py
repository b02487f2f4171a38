"""A job's output made fit for a terminal, texts that fit their columns, and the table of the jobs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipline.cli.job_table import RANK, Row, Size, table
from shipline.cli.log_text import shown
from shipline.cli.script_log import PART, End
from shipline.cli.widths import cut, fitted, plain, width
from shipline.engine.memory_store import MemoryStore
from shipline.engine.records import JobRecord


@pytest.mark.parametrize(
    ("output", "coloured", "without"),
    [
        (b"as it is\tthere", b"as it is\tthere", b"as it is\tthere"),
        (b"\x1b[31mred\x1b[0m end", b"\x1b[31mred\x1b[0m end\x1b[0m", b"red end"),
        (b"\x1b[1;31mopen\nnext", b"\x1b[1;31mopen\x1b[0m\nnext", b"open\nnext"),
        (b"10%\r50%\r100%\ndone\r", b"100%\ndone", b"100%\ndone"),
        (b"windows\r\nlines\r\n", b"windows\nlines\n", b"windows\nlines\n"),
        (b"section_start:1:name[collapsed=true]\r\x1b[0Ktitle", b"title", b"title"),
        (b"a\n\x1b[0Ksection_start:1:own\r\x1b[0Ktitle\nb", b"a\ntitle\nb", b"a\ntitle\nb"),
        (b"a\nsection_end:1:x\r\x1b[0Ksection_start:1:y\r\x1b[0Kb", b"a\nb", b"a\nb"),
        (b"open endsection_end:1:x\r\x1b[0Kdone", b"open end\ndone", b"open end\ndone"),
        (b"\x1b[2J\x1b[1;1H\x1b]0;title\x07\x1b]8;;http://x\x1b\\a\x1b(B\x1bcb", b"ab", b"ab"),
        (b"|\x08/\x08-\x08done", b"done", b"done"),
        (b"a\x00b\x07c\x0ed\x7f\xc2\x9b31m", b"abcd31m", b"abcd31m"),
        ("ü 日本".encode(), "ü 日本".encode(), "ü 日本".encode()),
        (b"cut\x1b[", b"cut", b"cut"),
    ],
)
def test_what_is_shown_of_output(output, coloured, without):
    assert shown(output, False) == without
    assert shown(output, True) == coloured


@given(st.binary())
def test_nothing_that_moves_the_cursor_is_left(output):
    rest = shown(output, False)
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", rest)
    assert not re.search(rb"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]|\x1b(?!\[[0-9;:]*m)", shown(output, True))


@given(st.text(), st.integers(0, 30))
def test_a_text_that_is_cut_fits(text, columns):
    text = plain(text)
    assert width(cut(text, columns)) <= columns
    assert width(fitted(text, columns)) == columns


def test_widths():
    assert (width("abc"), width("日本"), width("é"), width("🚀")) == (3, 4, 1, 2)
    assert (cut("日本語", 5), cut("abc", 3), cut("abcd", 3)) == ("日本…", "abc", "ab…")
    assert plain("a\x1b[2J\u202eb\nc") == "a?[2J?b c"


def row(name: str, status: str) -> Row:
    job = JobRecord(1, 1, name, "stage", "on_success", 0.0, status=status, started_at=1.0)
    return Row(job, "the last line", name)


ROWS = st.lists(st.builds(row, st.text(max_size=60), st.sampled_from(sorted(RANK))), max_size=60)


@given(ROWS, st.integers(1, 200), st.integers(0, 70))
def test_a_table_fits_every_terminal(rows, columns, lines):
    text = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in table(rows, 100.0, Size(columns, lines))]
    assert len(text) <= lines
    assert all(width(line) <= columns for line in text)
    if rows and lines > len(rows):
        assert len(text) == len(rows) + 1


def test_the_end_of_a_script_in_a_long_log():
    store = MemoryStore()
    begin, end = b"section_start:1:step_script\r\x1b[0KTitle\n", b"section_end:2:step_script\r\x1b[0K"
    cleanup = b"section_start:3:after_script\r\x1b[0KAfter\n" + b"cleaning\n" * 300_000
    for before in (0, PART - 20, PART - len(begin), PART):
        log = b"-" * before + begin + b"one\n" * 100_000 + b"the last line\n" + end + cleanup
        store.write_trace(before + 1, 0, log)
        found = End(store, before + 1)
        assert found.lines(2) == ["one", "the last line"]
        assert found.text().endswith("cleaning\n")


def test_a_script_that_never_began_is_told_by_the_whole_log():
    store = MemoryStore()
    store.write_trace(1, 0, b"Preparing\nERROR: Job failed: no such image\n")
    assert End(store, 1).lines() == ["Preparing", "ERROR: Job failed: no such image"]
    assert End(store, 2).lines() == []


def test_what_ended_a_script_from_outside_is_told_after_its_last_lines():
    store = MemoryStore()
    begin = b"section_start:1:step_script\r\x1b[0KExecuting\nworking\n"
    evicted = b"Give it requests.\n\x1b[31;1mERROR: Job failed (system failure): pod was evicted\n\x1b[0m"
    store.write_trace(1, 0, begin + b"section_end:2:step_script\r\x1b[0K" + evicted)
    lines = End(store, 1).lines()
    assert lines == ["working", "Give it requests.", "ERROR: Job failed (system failure): pod was evicted"]
    code = b"\x1b[31;1mERROR: Job failed: command terminated with exit code 3\n\x1b[0m"
    store.write_trace(2, 0, begin + b"section_end:2:step_script\r\x1b[0K" + code)
    assert End(store, 2).lines() == ["working"]


def test_long_lines_of_anything_take_no_longer_than_others():
    """What is done once more for each byte of such a line would take minutes."""
    for unit in (b"x", b"\x1b", b"\x1b[3", b"\r", b"\x08", b"section_start:1:", b"\x1b]0;", b"a\x1b[31m"):
        long = unit * ((1 << 17) // len(unit))
        for text in (long, b"\r" + long, long + b"\x1b[0m", b"\x07" + long):
            shown(text, True)
            shown(text, False)
