"""The arithmetic of rollouts, by example."""

import pytest

from shipline.cluster.controllers import rollout_sizes as sizes


def deployment(replicas, surge="25%", unavailable="25%", **status):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return {"spec": {"replicas": replicas, "strategy": strategy}, "status": status}


def replicaset(name, replicas, available=None, created="2026-01-01T00:00:00Z", maximum=None):
    annotations = {} if maximum is None else {sizes.MAXIMUM: str(maximum)}
    return {
        "metadata": {"name": name, "creationTimestamp": created, "annotations": annotations},
        "spec": {"replicas": replicas},
        "status": {"availableReplicas": replicas if available is None else available},
    }


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (2, "25%", "25%", (1, 0)),  # the surge is rounded up, the unavailability down
        (4, "25%", "25%", (1, 1)),
        (10, "25%", "25%", (3, 2)),
        (3, 0, "10%", (0, 1)),  # one of them has to be able to move
        (2, 1, 5, (1, 2)),  # no more can be missing than there are
        (0, "25%", "25%", (0, 0)),
    ],
)
def test_limits(replicas, surge, unavailable, expected):
    assert sizes.limits(deployment(replicas, surge, unavailable)) == expected


def test_a_replacement_has_no_surge():
    assert sizes.limits({"spec": {"replicas": 3, "strategy": {"type": "Recreate"}}}) == (0, 0)


def test_the_new_one_grows_as_far_as_the_surge_goes():
    old = replicaset("old", 10)
    assert sizes.new_size(deployment(10), [old], 0) == 3
    assert sizes.new_size(deployment(10), [old, replicaset("new", 3)], 3) == 3
    assert sizes.new_size(deployment(2), [replicaset("new", 5)], 5) == 2


def test_old_ones_shrink_as_far_as_new_pods_are_available():
    new = replicaset("new", 3, available=1)
    assert sizes.old_sizes(deployment(10), new, [replicaset("old", 10)]) == {"old": 7}
    assert sizes.old_sizes(deployment(2), replicaset("new", 1, available=0), [replicaset("old", 2)]) == {}


def test_pods_that_are_not_available_go_first():
    old = [replicaset("broken", 5, available=0), replicaset("sound", 5, created="2026-01-02T00:00:00Z")]
    assert sizes.old_sizes(deployment(10), replicaset("new", 3, available=3), old) == {"broken": 0}


def test_a_scaling_in_the_middle_of_a_rollout_is_shared_out():
    active = [replicaset("old", 8, maximum=13), replicaset("new", 5, maximum=13, created="2026-01-02T00:00:00Z")]
    assert sizes.proportional_sizes(deployment(15), active) == {"old": 12, "new": 7}
    assert sizes.proportional_sizes(deployment(5), active) == {"old": 4, "new": 3}
    assert sizes.proportional_sizes(deployment(0), active) == {"old": 0, "new": 0}
