"""What survives: a killed process, a full disk."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shipline.cluster.api.machinery import Api, ApiError
from shipline.cluster.errors import ClusterError

WRITER = """
import sys
from pathlib import Path
from shipline.cluster.api.machinery import Api
api = Api(Path(sys.argv[1]))
api.create("namespaces", None, {"metadata": {"name": "default"}})
for number in range(1000000):
    made = api.create("configmaps", "default", {"metadata": {"name": f"c{number}"}})
    print(made["metadata"]["resourceVersion"], flush=True)
"""


def test_a_killed_process_loses_nothing_it_has_answered(tmp_path: Path) -> None:
    path = tmp_path / "cluster.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    answered = [writer.stdout.readline() for _ in range(200)]
    writer.send_signal(signal.SIGKILL)
    answered += writer.stdout.readlines()
    writer.wait()
    api = Api(path)
    versions = {int(obj["metadata"]["resourceVersion"]) for obj in api.list("configmaps")}
    assert versions >= {int(line) for line in answered if line.endswith("\n")}
    assert int(api.resource_version) == max(versions)


def test_a_full_disk_refuses_and_keeps_what_was(tmp_path: Path) -> None:
    api = Api(tmp_path / "cluster.db")
    api.create("namespaces", None, {"metadata": {"name": "default"}})
    database = api._journal._database
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count={pages + 1}")
    with pytest.raises(ApiError, match="journal cannot be written: database or disk is full"):
        api.create("configmaps", "default", {"metadata": {"name": "big"}, "data": {"x": "y" * 100_000}})
    assert api.list("configmaps") == []
    api.create("configmaps", "default", {"metadata": {"name": "small"}})
    assert [obj["metadata"]["name"] for obj in Api(tmp_path / "cluster.db").list("configmaps")] == ["small"]


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "cluster.db"
    path.write_text(json.dumps({"not": "a database"}) * 100)
    with pytest.raises(ClusterError, match="cannot be opened"):
        Api(path)


async def test_after_a_restart_watchers_are_sent_to_list_again(tmp_path: Path) -> None:
    first = Api(tmp_path / "cluster.db")
    first.create("namespaces", None, {"metadata": {"name": "default"}})
    old = first.create("configmaps", "default", {"metadata": {"name": "a"}})["metadata"]["resourceVersion"]
    first.create("configmaps", "default", {"metadata": {"name": "b"}})
    first.close()
    again = Api(tmp_path / "cluster.db")
    with pytest.raises(ApiError, match="too old resource version"):
        again.watch("configmaps", since=old)
    watch = again.watch("configmaps", since=again.resource_version)
    again.delete("configmaps", "default", "b")
    assert (await anext(watch))[0] == "DELETED"
