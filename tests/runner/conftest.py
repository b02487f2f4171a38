"""The cluster that pods are tried on: the embedded one, or the one that SHIPLINE_TEST_KUBECONFIG names.

On a cluster of your own the images `shipline/helper`, `shipline/debian` and `shipline/pause` have to be on its
nodes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runner.desk import repository

from shipline.runner import KubernetesConfig, RunnerConfig


@pytest.fixture(scope="session")
def kubeconfig() -> Iterator[str]:
    given = os.environ.get("SHIPLINE_TEST_KUBECONFIG")
    if given:
        yield given
        return
    from shipline import cluster

    name = f"runner-tests-{os.getpid()}"
    try:
        yield str(cluster.start(name))
    finally:
        cluster.delete(name)


@pytest.fixture
def pods(kubeconfig: str) -> RunnerConfig:
    """A runner that makes pods in the cluster."""
    kubernetes = KubernetesConfig(pull_policy="if-not-present", image="shipline/debian")
    return RunnerConfig(executor="kubernetes", kubeconfig=kubeconfig, kubernetes=kubernetes)


@pytest.fixture
def shells() -> RunnerConfig:
    """A runner that uses this machine's shell."""
    return RunnerConfig(executor="shell")


@pytest.fixture
def source(tmp_path: Path) -> tuple[str, str]:
    """A repository with one commit: file:// URL and commit."""
    return repository(tmp_path / "repository", {"hello.txt": "hello from the commit\n", "bin/run.sh": "echo run\n"})
