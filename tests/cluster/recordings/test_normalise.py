"""The normaliser hides what varies and nothing else."""

from ipaddress import IPv4Network

import pytest
from tests.cluster.recordings.normalise import RECORDED, Place, lines
from tests.cluster.recordings.recording import load, parse
from tests.cluster.recordings.replay import Answer, compare

OURS = Place(
    "shipline", "10.9.0.2", IPv4Network("10.9.0.0/17"), IPv4Network("10.9.128.0/17"), ("https://127.0.0.1:4711",)
)


def test_a_transcript_is_read_as_steps():
    text = "# x\n```\n$ kubectl apply -f - <<'Y'\na: b\nY\ndone\n```\n\nstandard error:\n\n```\nno\n```\n\nexit 3\n"
    (step,) = parse(text)
    assert (step.command, step.stdout, step.stderr, step.status) == (
        "kubectl apply -f - <<'Y'\na: b\nY",
        "done\n",
        "no\n",
        3,
    )


@pytest.mark.parametrize("name", ["01", "02", "03", "04", "05", "06", "08"])
def test_a_recording_equals_itself(name):
    recording = load(name)
    for step in recording.steps:
        answer = Answer(step.stdout, step.stderr, step.status, 0.0)
        assert compare(recording.name, step, answer, RECORDED) == ""


def test_names_times_and_widths_are_hidden():
    recorded = "NAME                          READY   AGE\ncalculator-6dd695b478-dx7ps   1/1     2s\n"
    ours = "NAME                         READY   AGE\ncalculator-979d8c57d-b2x7z   1/1     3m4s\n"
    command = "kubectl get pods"
    assert lines(command, recorded, RECORDED) == lines(command, ours, OURS)


def test_a_different_state_is_seen():
    command = "kubectl get pods"
    assert lines(command, "web   1/1   Running   0   2s", OURS) != lines(
        command, "web   0/1   Running   0   2s", OURS
    )


def test_addresses_are_told_apart():
    text = "ip: 10.9.0.2 10.9.3.4 10.9.128.1 192.168.0.1 shipline https://127.0.0.1:4711/x"
    hidden = lines("x", text, OURS)
    assert hidden == ["ip: <node address> <pod address> <service address> 192.168.0.1 <node> <server>/x"]


def test_yaml_is_compared_as_a_value():
    folded = "a:\n  message: 'one\n    two'\n"
    assert lines("kubectl get x -o yaml", folded, OURS) == lines(
        "kubectl get x -o yaml", "a:\n  message: one two\n", OURS
    )
