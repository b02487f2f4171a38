"""Which pods of earlier runners are ours to remove."""

import os
import subprocess

from shipline.runner.pod.cluster import Cluster, identity, settle
from shipline.runner.pod.labels import KEPT_LABEL, MACHINE_LABEL, PROCESS_LABEL, Identity
from shipline.runner.process_mark import lives


class Shelf:
    """Objects of a cluster by kind, as `settle` asks for and deletes them."""

    def __init__(self, *names_and_processes):
        self.items = [
            {"metadata": {"name": name, "labels": {MACHINE_LABEL: "m", PROCESS_LABEL: process}}}
            for name, process in names_and_processes
        ]
        self.deleted = []

    async def get(self, path, labelSelector):
        assert labelSelector == f"{MACHINE_LABEL}=m,!{KEPT_LABEL}"
        return {"items": self.items if path.endswith("/pods") else []}

    async def delete(self, path, *, grace=None):
        self.deleted.append(path.rpartition("/")[2])


async def test_pods_of_processes_that_are_gone_are_removed_and_named():
    gone = subprocess.Popen(["true"])  # noqa: ASYNC220
    gone.wait()
    mine = identity().process
    shelf = Shelf(
        ("left", f"{gone.pid}-1"), ("mine", mine), ("pid-of-another", f"{os.getpid()}-1"), ("odd", "what")
    )
    said = []
    assert await settle(Cluster(shelf, Identity("m", mine), "ci", said.append)) == ["left", "pid-of-another", "odd"]
    assert shelf.deleted == ["left", "pid-of-another", "odd"]
    assert said[0] == "removed the pod left, which an earlier runner left"


async def test_a_pod_that_is_already_ending_is_nobodys_leftover():
    shelf = Shelf(("ending", "1-1"))
    shelf.items[0]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert await settle(Cluster(shelf, Identity("m", "2-2"), "ci", print)) == []
    assert shelf.deleted == []


def test_a_process_lives_as_long_as_its_number_and_beginning_are_the_same():
    assert lives(identity().process)
    assert not lives(f"{os.getpid()}-1")
