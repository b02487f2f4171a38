"""Phase and conditions of pods, from the states of their containers."""

import pytest

from shipline.cluster.kubelet.state import ContainerState
from shipline.cluster.kubelet.status import Verdict, phase, pod_status


def state(what: str, **more: object) -> ContainerState:
    one = ContainerState({"name": "c", "image": "x"}, **more)  # type: ignore[arg-type]
    match what:
        case "running":
            one.runs("2026-01-01T00:00:00Z")
            one.ready = one.started = True
        case "done" | "failed":
            one.ended({"exitCode": 0 if what == "done" else 1, "containerID": "docker://1"})
        case "again":
            one.ended({"exitCode": 1, "containerID": "docker://1"})
            one.waits("CrashLoopBackOff")
    return one


def pod(policy: str = "Always") -> dict[str, object]:
    metadata = {"name": "p", "namespace": "default", "uid": "u", "generation": 1}
    return {"metadata": metadata, "spec": {"restartPolicy": policy, "containers": []}, "status": {}}


@pytest.mark.parametrize(
    ("policy", "states", "reached"),
    [
        ("Always", ["waiting"], "Pending"),
        ("Always", ["running", "waiting"], "Pending"),
        ("Always", ["running", "done"], "Running"),
        ("Always", ["done"], "Running"),
        ("Always", ["again"], "Running"),
        ("Never", ["done", "done"], "Succeeded"),
        ("Never", ["done", "failed"], "Failed"),
        ("Never", ["running", "failed"], "Running"),
        ("OnFailure", ["failed"], "Running"),
        ("OnFailure", ["done"], "Succeeded"),
    ],
)
def test_phases(policy: str, states: list[str], reached: str) -> None:
    assert phase(pod(policy), [], [state(one) for one in states]) == reached


def test_init_containers_come_first() -> None:
    waiting = [state("waiting")]
    assert phase(pod(), [state("running", init=True)], waiting) == "Pending"
    assert phase(pod("Never"), [state("failed", init=True)], waiting) == "Failed"
    assert phase(pod(), [state("failed", init=True)], waiting) == "Pending"


def conditions(status: dict[str, object]) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c.get("reason", "")) for c in status["conditions"]}  # type: ignore[attr-defined]


def test_a_ready_pod() -> None:
    status = pod_status(pod(), [], [state("running")], sandbox=True, addresses=("10.1.0.7", "10.1.0.2"))
    assert set(conditions(status).values()) == {("True", "")}
    assert (status["podIP"], status["hostIP"], status["phase"]) == ("10.1.0.7", "10.1.0.2", "Running")


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    before = pod()
    before["status"] = pod_status(before, [], [state("waiting")], sandbox=False, addresses=("", "10.1.0.2"))
    for condition in before["status"]["conditions"]:  # type: ignore[index]
        condition["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    after = pod_status(before, [], [state("running")], sandbox=False, addresses=("", "10.1.0.2"))
    times = {c["type"]: c["lastTransitionTime"][:4] for c in after["conditions"]}
    assert times["PodReadyToStartContainers"] == times["PodScheduled"] == "2020"
    assert times["Ready"] != "2020"


def test_a_verdict_shows_once_the_containers_have_ended() -> None:
    verdict = Verdict("DeadlineExceeded", "too long")
    addresses = ("10.1.0.7", "10.1.0.2")
    running = pod_status(pod("Never"), [], [state("running")], sandbox=True, addresses=addresses, verdict=verdict)
    assert running["phase"] == "Running"
    assert "reason" not in running
    assert conditions(running)["Ready"] == ("False", "PodFailed")
    ended = pod_status(pod("Never"), [], [state("failed")], sandbox=False, addresses=addresses, verdict=verdict)
    assert (ended["phase"], ended["reason"]) == ("Failed", "DeadlineExceeded")
