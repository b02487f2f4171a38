"""Starting, stopping, killing and deleting clusters: what stays, what goes, and what is said."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cluster.live import Live, pod, running

from shipline import cluster
from shipline.cluster.config import ClusterConfig

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with running(tmp_path_factory.mktemp("home")) as one:
        yield one


def containers(name: str) -> list[str]:
    listed = subprocess.check_output(
        ["docker", "ps", "-aq", "--filter", f"label=shipline.cluster={name}"], text=True
    )
    return sorted(listed.split())


def test_a_cluster_that_runs_is_left_as_it_is(live: Live) -> None:
    before = cluster.status(live.name)
    assert cluster.start(live.name) == live.kubeconfig
    assert cluster.status(live.name) == before
    assert before.state == "running"
    assert live.kubectl("get", "nodes", "--no-headers").split()[:2] == [live.name, "Ready"]


def test_the_state_is_its_owner_s_alone(live: Live) -> None:
    home = live.kubeconfig.parent
    assert home.stat().st_mode & 0o777 == 0o700
    assert all(
        file.stat().st_mode & 0o077 == 0 for file in (live.kubeconfig, home / "daemon.log", home / "config.json")
    )


def test_two_who_start_the_same_cluster_at_once_get_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIPLINE_HOME", str(tmp_path))
    name = f"test-{secrets.token_hex(3)}"
    try:
        with ThreadPoolExecutor() as two:
            first, second = two.map(cluster.start, [name, name])
        assert first == second
        assert cluster.status(name).state == "running"
    finally:
        cluster.delete(name)


def test_a_second_daemon_of_the_same_cluster_is_refused(live: Live) -> None:
    import sys

    command = [sys.executable, "-m", "shipline.cluster", "--name", live.name, "--ready", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert f"the cluster {live.name} already runs" in done.stdout


def test_after_a_kill_the_next_daemon_takes_the_containers_over(live: Live) -> None:
    kept = live.run(pod("echo once; sleep 1000"))
    going = live.run(pod())
    before = live.state(kept)
    pid = cluster.status(live.name).pid
    os.kill(pid, signal.SIGKILL)
    live.until(lambda: cluster.status(live.name).state == "stopped")
    filters = ("--filter", f"label=shipline.pod.name={going}", "--filter", "label=shipline.container=c")
    gone = subprocess.check_output(["docker", "ps", "-q", *filters], text=True).strip()
    subprocess.run(["docker", "kill", gone], check=True, capture_output=True)
    cluster.start(live.name)
    assert cluster.status(live.name).pid != pid
    assert live.state(kept) == before
    assert live.kubectl("logs", kept) == "once\n"
    assert live.sh(kept, "echo still here") == "still here\n"
    live.until(lambda: live.state(going)["restartCount"] == 1)


def test_what_pods_left_while_no_daemon_ran_is_removed(live: Live) -> None:
    label = ("--label", f"shipline.cluster={live.name}", "--label", "shipline.pod.uid=gone")
    made = subprocess.check_output(["docker", "create", *label, "shipline/pause"], text=True).strip()
    os.kill(cluster.status(live.name).pid, signal.SIGKILL)
    live.until(lambda: cluster.status(live.name).state == "stopped")
    cluster.start(live.name)
    live.until(lambda: made[:12] not in containers(live.name))


def test_a_stopped_cluster_begins_again_with_its_objects(live: Live) -> None:
    live.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "1"}})
    name = live.run(pod() | {"restartPolicy": "Always"})
    server = cluster.status(live.name).server
    assert cluster.stop(live.name)
    assert cluster.status(live.name).state == "stopped"
    running = ["docker", "ps", "-q", "--filter", f"label=shipline.cluster={live.name}"]
    assert not subprocess.check_output(running)
    assert not cluster.stop(live.name)
    cluster.start(live.name)
    assert cluster.status(live.name).server == server
    assert live.get("configmap", "kept")["data"] == {"a": "1"}
    live.until(lambda: live.state(name)["restartCount"] == 1 and live.state(name)["ready"])


def test_deleting_removes_everything_and_nothing_else(live: Live, tmp_path: Path) -> None:
    mine = containers(live.name)
    with running(tmp_path) as other:
        other.start(pod())
        assert containers(other.name)
        # Also where the daemon is dead and the files are gone.
        os.kill(cluster.status(other.name).pid, signal.SIGKILL)
    assert not containers(other.name)
    for kind in ("volume", "network"):
        listed = ["docker", kind, "ls", "-q", "--filter", f"label=shipline.cluster={other.name}"]
        assert not subprocess.check_output(listed)
    assert not list(tmp_path.glob("clusters/*"))
    assert containers(live.name) == mine


def test_a_port_that_is_taken_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIPLINE_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(cluster.ClusterError, match=rf"cannot listen on 127\.0\.0\.1:{port}.*choose another"):
            cluster.start("taken-port", ClusterConfig(name="taken-port", port=port))
    assert cluster.delete("taken-port")


def test_without_an_engine_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIPLINE_HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(
        cluster.ClusterError, match=r"no container engine answers at unix:///nowhere\.sock.*Start Docker"
    ):
        cluster.start("no-engine")


def test_names_are_checked() -> None:
    with pytest.raises(cluster.ClusterError, match="cannot name a cluster"):
        cluster.status("No Good")


def test_a_broken_configuration_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIPLINE_HOME", str(tmp_path))
    folder = tmp_path / "clusters" / "odd"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"port": "many"}))
    with pytest.raises(cluster.ClusterError, match=r"config\.json cannot be read.*Remove it"):
        cluster.start("odd")
