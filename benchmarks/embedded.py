"""A cluster of a benchmark's own, with its own state, that is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure import SHIPLINE

NAME = "benchmark"
KUBECTL = str(Path(SHIPLINE).parent / "kubectl")
IMAGE = "shipline/helper"


@contextlib.contextmanager
def state() -> Iterator[None]:
    """Points SHIPLINE_HOME at an empty folder, and deletes the cluster that was made in it at the end."""
    with tempfile.TemporaryDirectory(prefix="shipline-benchmark-") as home:
        os.environ["SHIPLINE_HOME"] = home
        try:
            yield
        finally:
            delete()


def start() -> None:
    """Starts the cluster and lets KUBECONFIG name it."""
    subprocess.run([SHIPLINE, "cluster", "start", NAME], check=True, capture_output=True)
    path = subprocess.run(
        [SHIPLINE, "cluster", "kubeconfig", NAME, "--path"], check=True, capture_output=True, text=True
    )
    os.environ["KUBECONFIG"] = path.stdout.strip()


def delete() -> None:
    subprocess.run([SHIPLINE, "cluster", "delete", NAME], check=True, capture_output=True)
