"""The whole story of `script/demo`: from a push to an application that answers, on this machine."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.story, pytest.mark.engine, pytest.mark.timeout(1500)]


class Story(NamedTuple):
    """A told story: `output` is what a person saw; `volumes` had no name and were there before."""

    cluster: str
    home: Path
    output: str
    volumes: set[str]

    def command(self, *words: str) -> str:
        """What a command prints, with the story's cluster and project."""
        return call(self.home, *words, cwd=self.home / "demo" / self.cluster / "my-app").stdout

    def tell(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Runs the demo."""
        # The port is the guide's own: on an address of the story's own another story does not disturb it.
        number = int(self.cluster.removeprefix("story-"))
        address = f"127.{number // 10000}.{number // 100 % 100}.{number % 100 + 1}"
        place = ("--cluster", self.cluster, "--address", address)
        return call(self.home, sys.executable, "script/demo.py", *place, *options, check=False)

    def password(self) -> str:
        return (self.home / "demo" / self.cluster / "registry-password").read_text()


def call(home: Path, *words: str, cwd: Path = ROOT, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "SHIPLINE_HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    environment["KUBECONFIG"] = str(next((home / "clusters").glob("*/kubeconfig"), home))
    done = subprocess.run(
        words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, f"{words}: {done.stderr or done.stdout}"
    return done


def unnamed_volumes() -> set[str]:
    """The volumes that the engine made by itself, for what an image declares as one."""
    done = subprocess.run(["docker", "volume", "ls", "--quiet"], capture_output=True, text=True, check=True)
    return {name for name in done.stdout.split() if re.fullmatch("[0-9a-f]{64}", name)}


def made_by(cluster: str) -> dict[str, list[str]]:
    """What the engine has of a cluster: containers, volumes and networks, by the label that all of them carry."""
    label = f"label=shipline.cluster={cluster}"
    asked = {"container": ["ps", "--all"], "volume": ["volume", "ls"], "network": ["network", "ls"]}
    return {
        kind: subprocess.run(
            ["docker", *words, "--quiet", "--filter", label], capture_output=True, text=True, check=True
        ).stdout.split()
        for kind, words in asked.items()
    }


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """The story, told once; its cluster is deleted at the end, whatever came of it."""
    told = Story(
        f"story-{secrets.randbelow(900000) + 100000}", tmp_path_factory.mktemp("story"), "", unnamed_volumes()
    )
    try:
        done = told.tell()
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).splitlines()[-60:])
            pytest.fail(f"{done.stderr.strip().splitlines()[-1:]}\n{last}", pytrace=False)
        yield told._replace(output=done.stdout)
    finally:
        call(told.home, "shipline", "cluster", "delete", told.cluster, check=False)


def test_the_story_is_told_in_its_order(story):
    milestones = [
        r"story-\w+ +Ready ",
        r"registry\.example\.com answers",
        r"Serving on http://10\.",
        r"Serving kubernetes at http://10\.",
        r"remote: Pipeline #1 for main",
        r"build-job +\| Running on runner-",
        r"build-job +\| Login Succeeded",
        r"build-job +\| \S+: digest: sha256:",
        r"deploy +deploy-job +manual",
        r"jobs/\d+/play",
        r"secret/acr-secret created",
        r"deployment.apps/calculator created",
        r"successfully rolled out",
        r'"version":"1.0"',
        r'\{"result":15\}',
        r"test-job +\| =+ 4 passed",
        r"secret/acr-secret (configured|unchanged)",
        r"; 0 requests failed",
        r'"version":"1.1"',
        r"REVISION +CHANGE-CAUSE\n1 .*\n2 ",
        r"calculator rolled back",
        r'"version":"1.0"',
        r"What ran, and how long it took",
        r"build-job\n  \[00:00\] prepare executor",
    ]
    position = 0
    for milestone in milestones:
        found = re.compile(milestone).search(story.output, position)
        assert found, f"after {story.output[:position].splitlines()[-1:]} there is no {milestone}"
        position = found.end()


def test_both_versions_answered_while_it_rolled_out(story):
    (counted,) = re.findall(r"While it rolled out: (\d+) by version 1\.0, (\d+) by version 1\.1;", story.output)
    assert min(map(int, counted)) > 0


def test_the_password_is_nowhere_to_be_read(story):
    password = story.password()
    assert password not in story.output
    assert "[MASKED]" not in story.output, "nothing had to be masked, either"
    server = story.home / "demo" / story.cluster / "server"
    logs = [path.read_text() for path in (server / "traces").rglob("*") if path.is_file()]
    assert len(logs) == 5 and not any(password in log for log in logs)
    for path in server.rglob("*"):
        assert not path.is_file() or password.encode() not in path.read_bytes(), path
    objects = "pods,deployments,configmaps,events,services,replicasets"
    assert password not in story.command("kubectl", "get", objects, "--all-namespaces", "-o", "yaml")
    for container in made_by(story.cluster)["container"]:
        assert (
            password
            not in subprocess.run(
                ["docker", "inspect", container], capture_output=True, text=True, check=True
            ).stdout
        )


def test_no_job_leaves_a_pod_behind(story):
    assert story.command("kubectl", "-n", "gitlab-runner", "get", "pods", "-o", "name") == ""
    assert (
        story.command("kubectl", "-n", "gitlab-runner", "get", "secrets", "-o", "name")
        == "secret/private-registry\n"
    )


def test_told_again_it_uses_what_is_there(story):
    before = made_by(story.cluster)
    again = story.tell("--until", "2")
    assert again.returncode == 0, again.stderr
    assert made_by(story.cluster) == before
    took = re.findall(r"  [12]  .* (\d+\.\d) s", again.stdout)
    assert len(took) == 2 and sum(map(float, took)) < 15


def test_deleting_the_cluster_removes_all_that_it_made(story):
    assert all(made_by(story.cluster).values())
    assert story.command("shipline", "cluster", "delete", story.cluster)
    assert made_by(story.cluster) == {"container": [], "volume": [], "network": []}
    assert not (story.home / "clusters" / story.cluster).exists()
    assert unnamed_volumes() <= story.volumes
