"""GitLab's runner with its Kubernetes executor: its job pods are on an embedded cluster of their own.

The cluster has the registries that the demo has; the story of the demo is told again, with GitLab's runner.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import requests
from conformance_server import SHIPLINE, Server
from conformance_shell import SECRET, Runner, made
from conformance_steps import Steps, expect, until

PROGRAM = "gitlab-runner on Kubernetes"
EXAMPLES = Path(__file__).parent.parent / "examples"
PIPELINE = Path(__file__).parent / "conformance_runner" / "pods.gitlab-ci.yml"
PRIVATE, MIRROR = "private-registry.example.com", "registry.example.com"
NAMESPACE = "gitlab-runner"
ADDRESS = "127.0.0.9"
"""Where the calculator answers: another cluster may have its port at the usual address."""
HELPER = "shipline-conformance-helper:local"
DOCKERFILE = """\
FROM shipline/helper
RUN apt-get -q update && apt-get -qy install --no-install-recommends dumb-init
COPY gitlab-runner-helper /usr/bin/gitlab-runner-helper
RUN printf '#!/bin/sh\\nexec bash\\n' > /usr/bin/gitlab-runner-build && chmod +x /usr/bin/gitlab-runner-build
"""
Step = Callable[[str], AbstractContextManager[None]]


class Cluster:
    """An embedded cluster, with what the runner and the demo's jobs need in it."""

    def __init__(self, folder: Path, helper: Path) -> None:
        self.name = f"conformance-{os.getpid()}"
        self.folder = folder
        self.environment = os.environ | {"SHIPLINE_HOME": str(folder / "state")}
        self.password = secrets.token_urlsafe(18)
        self.ran("shipline", "cluster", "start", self.name, "--node-port-address", ADDRESS)
        told = self.ran("shipline", "cluster", "kubeconfig", "--path", self.name)
        self.environment["KUBECONFIG"] = told.strip()
        for address, words in ((PRIVATE, ("--user", "robot")), (MIRROR, ("--system-images",))):
            self.ran("shipline", "registry", "add", address, *words, "--cluster", self.name, given=self.password)
        shutil.copy(helper, folder / "gitlab-runner-helper")
        (folder / "Dockerfile").write_text(DOCKERFILE)
        self.ran("docker", "build", "-q", "-t", HELPER, str(folder))
        self.ran("kubectl", "create", "namespace", NAMESPACE)
        daemon = f"--from-file={EXAMPLES / 'runner' / 'daemon.json'}"
        self.ran("kubectl", "-n", NAMESPACE, "create", "configmap", "docker-daemon", daemon)
        login = (f"--docker-server={PRIVATE}", "--docker-username=robot", f"--docker-password={self.password}")
        self.ran("kubectl", "-n", NAMESPACE, "create", "secret", "docker-registry", "private-registry", *login)

    def ran(self, *words: str, given: str | None = None) -> str:
        """What a command says; its failure ends the test."""
        command = [SHIPLINE if words[0] == "shipline" else words[0], *words[1:]]
        done = subprocess.run(
            command, env=self.environment, input=given, capture_output=True, text=True, timeout=600
        )
        expect(done.returncode == 0, f"{' '.join(words[:3])}: {done.stdout}{done.stderr}")
        return done.stdout

    def host(self) -> str:
        """The address of this machine at which pods find the server."""
        place = "jsonpath={.subsets[0].addresses[0].ip}"
        return self.ran("kubectl", "get", "endpoints", "kubernetes", "-o", place).strip()

    def pods(self) -> list[str]:
        return self.ran("kubectl", "-n", NAMESPACE, "get", "pods", "-o", "name").split()

    def close(self) -> None:
        self.ran("shipline", "cluster", "delete", self.name)
        subprocess.run(["docker", "rmi", "-f", HELPER], capture_output=True)


def try_kubernetes(steps: Steps, program: Path, helper: Path, home: Path) -> None:
    """Every step of it, with a server and a cluster of its own."""
    cluster = Cluster(home, helper)
    server = Server(home / "home", cluster.host())
    runner = Runner(program, home / "runner")
    try:
        runner.environment["KUBECONFIG"] = cluster.environment["KUBECONFIG"]
        runner.config.write_text(configuration(server))
        runner.start()
        step = lambda name: steps.step(PROGRAM, name)  # noqa: E731
        pods(step, server, cluster)
        cancelled(step, server)
        demo(step, server, cluster)
        with step("SIGQUIT: it ends, and leaves no pod"):
            expect(runner.stop(signal.SIGQUIT) == 0, runner.log.read_text())
            until(lambda: not cluster.pods(), "all pods are gone", 60)
    finally:
        runner.close()
        server.close()
        cluster.close()


def configuration(server: Server) -> str:
    """The examples' config.toml, with the server's address and a token."""
    token = made(server, tag_list=["kubernetes"])["token"]
    text = (EXAMPLES / "runner" / "config.toml").read_text()
    entry = f'[[runners]]\n  url = "{server.url}"\n  token = "{token}"'
    text = text.replace("[[runners]]", entry, 1).replace(
        "[runners.kubernetes]",
        f'[runners.kubernetes]\n    helper_image = "{HELPER}"\n    pod_labels_overwrite_allowed = ".*"',
        1,
    )
    return "check_interval = 1\n" + text


def pods(step: Step, server: Server, cluster: Cluster) -> None:
    """One pipeline with most of what a job in a pod may ask for."""
    files = {"README.md": "hello\n", "branch": "main"}
    server.push("pods", files, "-o", "ci.skip")
    project = server.project("pods")
    server.api("POST", f"/projects/{project}/variables", key="SECRET", value=SECRET, masked=True)
    setting = {"key": "SETTINGS", "value": "seven of nine", "variable_type": "file"}
    server.api("POST", f"/projects/{project}/variables", **setting)
    pipeline = server.pipeline(project, server.push("pods", {".gitlab-ci.yml": PIPELINE.read_text()}))

    def passes(name: str, *within: str, state: str = "success") -> dict[str, Any]:
        job = server.job(project, pipeline, name, seconds=300)
        trace = server.trace(project, job)
        expect(job["status"] == state, f"{name} is {job['status']} ({job.get('failure_reason')}):\n{trace}")
        for text in within:
            expect(text in trace, f"{name}: no {text!r} in:\n{trace}")
        return job

    with step("sources, artifacts, a dotenv report, a masked and a file variable"):
        found = ("the secret is [MASKED] and the file holds seven of nine", "after as success")
        passes("build", *found)
        passes("use")
    with step("a service with an alias, and its log (CI_DEBUG_SERVICES)"):
        passes("service", "Server Version", "[service:registry.example.com/library/docker")
    with step("the older way, by exec: success and exit status"):
        passes("exec", "by exec")
        passes("exec-fails", "command terminated with exit code 7", state="failed")
    with step("exit status by attach"):
        passes("fails", "command terminated with exit code 9", state="failed")
    with step("pod events, deadline, reachability, the image's entry point, labels"):
        passes("told", "with flags", "Scheduled")
    with step("a first process that hands on signals; the image's own entry point"):
        passes("dumb", "dumb-init -- sh")
        passes("entry", "DOCKER_HOST is tcp://docker:2375")
    with step("services with variables of their own"):
        passes("told-service", "GREETING=hello", "OTHERS=no")
    with step("a long log comes whole"):
        lines = re.findall(r"line (\d)\.(\d+) of a long", server.trace(project, passes("long")))
        expected = [(str(part), str(line)) for part in range(1, 7) for line in range(1, 4001)]
        expect(lines == expected, f"{len(lines)} lines of {len(expected)}")
    with step("an image that is not there"):
        job = passes("no-image", "nowhere", state="failed")
        expect(job["failure_reason"] in ("image_pull_failure", "runner_configuration_error"), job["failure_reason"])
    with step("no pod is left"):
        until(lambda: not cluster.pods(), "all pods are gone", 60)


def cancelled(step: Step, server: Server) -> None:
    with step("cancel: canceling, after_script, canceled"):
        project = server.project("pods")
        pipeline = server.pipeline(project, server.push("pods", {"branch": "cancel"}, branch="cancel"))
        look = lambda: server.jobs(project, pipeline)["cancelled"]  # noqa: E731
        until(lambda: "started" in server.trace(project, look()), "the job starts", 120)
        server.api("POST", f"/projects/{project}/jobs/{look()['id']}/cancel")
        job = server.job(project, pipeline, "cancelled")
        expect(job["status"] == "canceled", job)
        expect("after as canceled" in server.trace(project, job), server.trace(project, job))


def demo(step: Step, server: Server, cluster: Cluster) -> None:
    """The calculator: built in a pod, pushed to a registry, deployed by hand, and asked."""
    folder = EXAMPLES / "calculator"
    files = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    server.push("my-app", {"README.md": "The calculator\n"}, "-o", "ci.skip")
    project = server.project("my-app")
    kubeconfig = cluster.ran("kubectl", "config", "view", "--raw", "--minify", "--flatten")
    kubeconfig = re.sub(r"server: \S+", "server: https://kubernetes.default.svc", kubeconfig)
    for key, value in (
        ("ACR_USERNAME", "robot"),
        ("ACR_PASSWORD", cluster.password),
        ("ACK_KUBECONFIG", kubeconfig),
    ):
        server.api("POST", f"/projects/{project}/variables", key=key, value=value)
    with step("the demo: build-job builds and pushes an image"):
        pipeline = server.pipeline(project, server.push("my-app", files))
        job = server.job(project, pipeline, "build-job", seconds=600)
        expect(job["status"] == "success", server.trace(project, job))
    with step("the demo: deploy-job, started by hand, deploys it, and the application answers"):
        job = server.job(project, pipeline, "deploy-job", "manual")
        server.api("POST", f"/projects/{project}/jobs/{job['id']}/play")
        time.sleep(0.5)
        job = server.job(project, pipeline, "deploy-job", seconds=300)
        expect(job["status"] == "success", server.trace(project, job))
        cluster.ran("kubectl", "rollout", "status", "deployment/calculator", "--timeout=120s")
        port = cluster.ran("kubectl", "get", "service/calculator", "-o", "jsonpath={.spec.ports[0].nodePort}")
        until(lambda: _answers(int(port)), "the calculator answers", 60)


def _answers(port: int) -> bool:
    try:
        asked = requests.post(f"http://{ADDRESS}:{port}/add", json={"a": 10, "b": 5}, timeout=10)
    except requests.ConnectionError:
        return False
    return bool(asked.json() == {"result": 15})
