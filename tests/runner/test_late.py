"""A pod that does not start in time: its log says what it waited for."""

import pytest

from shipline.runner.kubernetes.errors import ApiError
from shipline.runner.pod.late import late
from shipline.runner.pod.warnings import Warnings


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.", "lower cpu_request"),
        (
            "Unschedulable: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
            "No node fits",
        ),
        ("Unschedulable: 0/1 nodes are available: 1 node(s) had untolerated taint(s).", "node_tolerations"),
        ('Unschedulable: 0/1 nodes are available: persistentvolumeclaim "cache" not found.', "A volume of"),
    ],
)
def test_what_the_scheduler_says_decides_what_to_do(reason, hint):
    found = late(180, "Pending", [reason], [])
    assert str(found) == f"timed out waiting for pod to start after 180s (last phase: Pending): {reason}"
    assert hint in found.hint


def test_a_volume_that_is_missing_is_told_by_its_event_alone():
    event = 'FailedMount: MountVolume.SetUp failed for volume "settings" : configmap "settings" not found'
    found = late(15, "Pending", [], ["Unhealthy: probe", event])
    assert str(found).endswith(f"(last phase: Pending): {event}")
    assert "remove the volume" in found.hint


def test_a_pod_of_which_nothing_is_known_may_need_more_time():
    assert "poll_timeout" in late(15, "Pending", [], []).hint


class Events:
    """A cluster's Events of one pod."""

    def __init__(self, *pairs):
        self.items = [{"reason": reason, "message": message} for reason, message in pairs]

    async def get(self, path, fieldSelector):
        assert path == "/api/v1/namespaces/ci/events"
        assert fieldSelector == "involvedObject.name=runner-1,type=Warning"
        if not self.items:
            raise ApiError(403, "Forbidden", "events is forbidden")
        return {"items": self.items}


async def test_each_warning_is_told_once():
    events = Events(("FailedMount", "no x"), ("FailedMount", "no x"))
    warnings = Warnings(events, "ci", "runner-1")
    assert await warnings.new() == ["FailedMount: no x"]
    assert await warnings.new() == []
    events.items.append({"reason": "Evicted", "message": "disk"})
    assert await warnings.new() == ["Evicted: disk"]
    assert warnings.heard == ["FailedMount: no x", "Evicted: disk"]


async def test_an_account_that_may_not_read_events_does_without():
    assert await Warnings(Events(), "ci", "runner-1").new() == []
