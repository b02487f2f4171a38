"""What people would run their pipelines with instead, installed into a folder of the benchmark's own.

Nothing of the machine is changed: `gitlab-ci-local` (with the Node and, where it is missing, the rsync that it
needs) and `gitlab-emulator` go to `$XDG_CACHE_HOME/shipline-benchmarks`, and stay there for the next time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from measure import SHIPLINE
from repositories import SECRET, Pipeline

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shipline-benchmarks"
RSYNC = ("rsync", "libpopt0", "libxxhash0")


class Cannot(Exception):
    """Why a tool can't run a pipeline, in a few words."""


class Call(NamedTuple):
    """Commands that run a pipeline, one after the other; `note` is what a reader of the figure must know."""

    commands: list[list[str]]
    note: str = ""


class Tool(Protocol):
    name: str

    def install(self) -> None:
        """Makes the tool ready to run. Raises Cannot."""

    def call(self, pipeline: Pipeline) -> Call:
        """How this tool runs a pipeline. Raises Cannot."""

    def environment(self) -> dict[str, str]:
        """Variables that it needs."""


class Shipline:
    """Ours. `cluster` is the embedded cluster for jobs in containers."""

    name = "shipline"

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster

    def install(self) -> None:
        if not Path(SHIPLINE).exists():
            raise Cannot("run script/setup first")

    def call(self, pipeline: Pipeline) -> Call:
        return Call([[SHIPLINE, "run", *(("--cluster", self.cluster) if pipeline.image else ())]])

    def environment(self) -> dict[str, str]:
        return {}


class GitlabCiLocal:
    """From npm; it needs a newer Node than distributions have, which the npm package `node` brings."""

    name = "gitlab-ci-local"
    folder = CACHE / "gitlab-ci-local"

    def install(self) -> None:
        if not (self._program.exists() and self._node.exists()):
            self.folder.mkdir(parents=True, exist_ok=True)
            _run("npm", "install", "--no-audit", "--no-fund", "--prefix", str(self.folder), "node", self.name)
        if not self._node.exists():  # npm may hold back the script that fetches the program itself
            _run("npm", "rebuild", "--prefix", str(self.folder), "node")
        if not shutil.which("rsync") and not (self.folder / "debian/usr/bin/rsync").exists():
            self._fetch_rsync()

    @property
    def _node(self) -> Path:
        return self.folder / "node_modules/node/bin/node"

    @property
    def _program(self) -> Path:
        return self.folder / "node_modules/.bin/gitlab-ci-local"

    def _fetch_rsync(self) -> None:
        """It copies files with rsync: unpacked beside it, not installed."""
        downloads = self.folder / "downloads"
        downloads.mkdir(exist_ok=True)
        _run("apt-get", "download", *RSYNC, cwd=downloads)
        for package in downloads.glob("*.deb"):
            _run("dpkg", "-x", str(package), str(self.folder / "debian"))

    def call(self, pipeline: Pipeline) -> Call:
        argv = [str(self._node), str(self._program)]
        argv += ["--variable", f"SECRET={SECRET}"] if pipeline.secret else []
        if pipeline.image:  # its own helper image would have to come from a public registry
            argv += ["--pull-policy", "if-not-present", "--helper-image", pipeline.image]
        return Call([argv])

    def environment(self) -> dict[str, str]:
        debian = self.folder / "debian/usr"
        libraries = ":".join(str(path) for path in (debian / "lib").glob("*-linux-gnu"))
        return {
            "PATH": f"{os.environ['PATH']}:{debian / 'bin'}",
            **({"LD_LIBRARY_PATH": libraries} if libraries else {}),
        }


class GitlabEmulator:
    """From PyPI. It runs one job at a time: a pipeline of independent jobs is one command a job."""

    name = "gitlab-emulator"
    folder = CACHE / "gitlab-emulator"

    def install(self) -> None:
        if not self._program.exists():
            _run(sys.executable, "-m", "venv", str(self.folder))
            _run(str(self.folder / "bin/pip"), "install", "--quiet", self.name)
        # not every machine lets a container be privileged
        self._settings.write_text("current_context: plain\nplain:\n  docker:\n    privileged: false\n")

    @property
    def _program(self) -> Path:
        return self.folder / "bin/gle"

    @property
    def _settings(self) -> Path:
        return self.folder / "settings.yml"

    def call(self, pipeline: Pipeline) -> Call:
        options = ["--settings", str(self._settings), "--docker-pull", "if-not-present"] if pipeline.image else []
        options += ["--var", f"SECRET={SECRET}"] if pipeline.secret else []
        if "needs:" in pipeline.text or len(pipeline.jobs) == 1:
            return Call([[str(self._program), "--full", *options, pipeline.jobs[-1]]])
        return Call([[str(self._program), *options, job] for job in pipeline.jobs], "a command a job")

    def environment(self) -> dict[str, str]:
        return {}


def _run(*argv: str, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise Cannot(f"{argv[0]} is not on this machine") from None
    if done.returncode:
        raise Cannot(f"{' '.join(argv[:3])}: {_last(done.stderr or done.stdout)}")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def everybody(cluster: str) -> Sequence[Tool]:
    return Shipline(cluster), GitlabCiLocal(), GitlabEmulator()
