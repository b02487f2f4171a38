"""`shipline cluster`, as a person types it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sysconfig
from pathlib import Path

import pytest

from shipline import cluster

pytestmark = pytest.mark.engine


def shipline(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sysconfig.get_path("scripts")) / "shipline"
    return subprocess.run([program, "cluster", *arguments], capture_output=True, text=True, timeout=60)


def test_a_cluster_from_start_to_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIPLINE_HOME", str(tmp_path))
    name = f"test-{secrets.token_hex(3)}"
    kubeconfig = tmp_path / "clusters" / name / "kubeconfig"
    assert shipline("status", name).returncode == 3
    try:
        started = shipline("start", name, "--subnet", "10.222.0.0/20")
        assert started.stdout == f"export KUBECONFIG={kubeconfig}\n", started.stderr
        assert f"The cluster '{name}' runs at https://127.0.0.1:" in started.stderr
        shown = shipline("status", name)
        assert (shown.returncode, f"export KUBECONFIG={kubeconfig}" in shown.stdout) == (0, True)
        assert shipline("kubeconfig", name).stdout == kubeconfig.read_text()
        assert shipline("kubeconfig", name, "--path").stdout == f"{kubeconfig}\n"
        kubectl = Path(sysconfig.get_path("scripts")) / "kubectl"
        command = [kubectl, "get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        assert subprocess.check_output(command, env=environment, text=True) == "10.222.8.1"
        assert shipline("stop", name).stdout == f"The cluster '{name}' has stopped.\n"
        assert shipline("status", name).stdout.startswith(f"The cluster '{name}' is stopped")
        assert shipline("delete", name).stdout == f"The cluster '{name}' is gone.\n"
        assert shipline("delete", name).stdout == f"There was no cluster '{name}'.\n"
    finally:
        cluster.delete(name)


def test_errors_are_one_line_and_an_exit_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIPLINE_HOME", str(tmp_path))
    missing = shipline("kubeconfig", "absent")
    assert missing.returncode == 3
    assert "there is no cluster 'absent'" in missing.stderr
    assert "Traceback" not in missing.stderr
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    unreachable = shipline("start", "absent")
    assert unreachable.returncode == 3
    assert "no container engine answers" in unreachable.stderr
