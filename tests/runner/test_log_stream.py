"""The log as it comes out of a pod: output and exit marks, at any chunk border."""

from hypothesis import given
from hypothesis import strategies as st

from shipline.runner.pod.agent import LogReader, loop, order, put

LOG = b"one\ntwo\x1e1-abc 1 0\nthree \x1e no mark\n\x1e1-abc 2 17\nleft in the background\n"


def read(chunks):
    reader = LogReader("1-abc")
    output, exits = b"", []
    for chunk in chunks:
        for part in reader.feed(chunk):
            if isinstance(part, bytes):
                output += part
            else:
                exits.append((part, output))
    return output, exits


def test_marks_come_out_of_the_output():
    output, exits = read([LOG])
    assert output == b"one\ntwothree \x1e no mark\nleft in the background\n"
    assert [mark for mark, _ in exits] == [(1, 0), (2, 17)]
    assert exits[0][1] == b"one\ntwo"


@given(st.lists(st.integers(0, len(LOG)), max_size=8))
def test_chunks_make_no_difference(cuts):
    places = sorted(cuts)
    chunks = [LOG[a:b] for a, b in zip([0, *places], [*places, len(LOG)], strict=True)]
    assert read(chunks) == read([LOG])


def test_a_script_is_filled_up_to_whole_blocks():
    head, _, body = put(3, "echo hi\n").partition(b"\n")
    assert head == b"put 3.sh 1"
    assert len(body) == 512
    assert body.rstrip(b"\n") == b"echo hi"
    assert order("run", "build", 3) == b"run build 3\n"


def test_kubernetes_finds_nothing_to_expand_in_the_main_commands():
    for container in ("build", "helper"):
        assert "$$" not in loop(container, "/scripts-1-2", "/logs-1-2/output.log", "key")[2]
