"""The manifests in deploy/: server and runner on a cluster, and a job that goes from a push to a pod and back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
CLUSTER = f"deployed-{os.getpid()}"
RUNNER = """\
concurrent = 2
[[runners]]
  name = "cluster"
  url = "http://shipline-server.shipline.svc.cluster.local"
  token = "{token}"
  executor = "kubernetes"
  [runners.kubernetes]
    namespace = "shipline-jobs"
    image = "shipline/debian"
    pull_policy = "if-not-present"
"""
PIPELINE = """\
job:
  script: [cat README.md, "echo as $GITLAB_USER_LOGIN > left.txt"]
  artifacts: {paths: [left.txt]}
"""
pytestmark = [pytest.mark.story, pytest.mark.engine, pytest.mark.timeout(900)]


class Installation:
    """Server and runner on an embedded cluster of this test's own."""

    def __init__(self, home: Path) -> None:
        self.environment = os.environ | {
            "SHIPLINE_HOME": str(home),
            "KUBECONFIG": str(home / "clusters" / CLUSTER / "kubeconfig"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self.home = home
        self.url = self.token = ""

    def run(self, *words: str, given: str | None = None, cwd: Path = ROOT) -> str:
        done = subprocess.run(
            words, cwd=cwd, env=self.environment, input=given, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{words}: {done.stderr or done.stdout}"
        return done.stdout

    def install(self) -> None:
        base = ("--build-arg", "BASE=shipline/debian")
        self.run("docker", "build", "-q", "-t", "shipline:local", *base, "-f", "deploy/Dockerfile", ".")
        self.run("shipline", "cluster", "start", CLUSTER)
        manifests = self.run("kubectl", "kustomize", "deploy/kubernetes/embedded")
        data = self.home / "data"
        manifests = manifests.replace("/var/lib/shipline-server", str(data)).replace("nodePort: 30929", "")
        self.run("kubectl", "apply", "-f", "-", given=manifests)
        self.ready("shipline-server")
        asked = ("-n", "shipline", "get", "service", "shipline-server", "-o", "jsonpath={.spec.ports[0].nodePort}")
        self.url = f"http://127.0.0.1:{self.run('kubectl', *asked)}"
        self.answers()
        exec_in_server = ("kubectl", "-n", "shipline", "exec", "deploy/shipline-server", "-c", "server", "--")
        self.token = self.run(
            *exec_in_server, "shipline", "server", "token", "root", "--home", "/data/server"
        ).strip()
        made = self.api("POST", "/user/runners", runner_type="instance_type", run_untagged="true").json()
        config = self.home / "config.toml"
        config.write_text(RUNNER.format(token=made["token"]))
        self.run(
            "kubectl", "-n", "shipline", "create", "secret", "generic", "shipline-runner", f"--from-file={config}"
        )
        self.ready("shipline-runner")

    def ready(self, name: str) -> None:
        self.run(
            *("kubectl", "-n", "shipline", "wait", "--for=condition=Available", "--timeout=120s"),
            f"deployment/{name}",
        )

    def answers(self) -> None:
        """Waits until the node port leads to the server: a little later than the deployment is available."""
        deadline = time.monotonic() + 60
        while True:
            try:
                assert requests.get(f"{self.url}/-/readiness", timeout=5).status_code == 200
                return
            except requests.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.2)

    def api(self, method: str, path: str, **data: str) -> requests.Response:
        headers = {"PRIVATE-TOKEN": self.token}
        return requests.request(method, f"{self.url}/api/v4{path}", headers=headers, data=data, timeout=30)


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    made = Installation(tmp_path_factory.mktemp("deployed"))
    try:
        made.install()
        yield made
    finally:
        subprocess.run([*("shipline", "cluster", "delete"), CLUSTER], env=made.environment, capture_output=True)
        subprocess.run(["docker", "rmi", "-f", "shipline:local"], capture_output=True)


def test_a_push_becomes_a_pod_and_a_log(installation, tmp_path):
    (tmp_path / ".gitlab-ci.yml").write_text(PIPELINE)
    (tmp_path / "README.md").write_text("hello from the repository\n")
    who = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "one")):
        installation.run(*who, *words, cwd=tmp_path)
    remote = installation.url.replace("://", f"://root:{installation.token}@")
    installation.run("git", "push", "-q", f"{remote}/root/app.git", "main", cwd=tmp_path)
    deadline = time.monotonic() + 90
    while (job := installation.api("GET", "/projects/root%2Fapp/jobs").json()[0])["status"] not in (
        "success",
        "failed",
    ):
        assert time.monotonic() < deadline, job
        time.sleep(0.5)
    log = installation.api("GET", f"/projects/root%2Fapp/jobs/{job['id']}/trace").text
    assert job["status"] == "success" and "hello from the repository" in log, log
    left = installation.api("GET", f"/projects/root%2Fapp/jobs/{job['id']}/artifacts/left.txt")
    assert left.text == "as root\n"
    assert installation.run("kubectl", "-n", "shipline-jobs", "get", "pods,secrets", "-o", "name") == ""


def test_the_runner_may_do_what_it_needs_and_no_more(installation):
    account = "--as=system:serviceaccount:shipline:shipline-runner"

    def may(*words: str) -> bool:
        asked = ["kubectl", "auth", "can-i", *words, account]
        done = subprocess.run(asked, env=installation.environment, capture_output=True, text=True)
        return done.stdout.strip() == "yes"

    assert may("create", "pods", "-n", "shipline-jobs") and may("create", "pods/exec", "-n", "shipline-jobs")
    for forbidden in (
        ("create", "pods", "-n", "shipline"),
        ("get", "secrets", "-n", "shipline-jobs"),
        ("list", "nodes"),
    ):
        assert not may(*forbidden), forbidden
    template = json.loads(
        installation.run("kubectl", "-n", "shipline", "get", "deployment", "shipline-server", "-o", "json")
    )["spec"]["template"]["spec"]
    assert template["automountServiceAccountToken"] is False
    assert not re.search("glrt-|glpat-", json.dumps(template))
