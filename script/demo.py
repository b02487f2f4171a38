"""From a push to an answering application, told by the commands that a user types.

Every step prints what it runs and runs it: the public commands of Shipline, the real kubectl, git and curl. Server
and runner live as long as the story. A second run reuses the cluster, the registries and the images. `--cluster
NAME` tells it from other demos.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo_server import Failed, Server

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
BIN = ROOT / ".venv" / "bin"
PRIVATE, MIRROR = "private-registry.example.com", "registry.example.com"
PORT = 30194  # the guide's node port
STEP_OF_DEPLOY = 5
PROJECT = "root%2Fmy-app"
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


class Stopped(Exception):
    """The story cannot go on; the text says why."""


class Demo:
    """The story's places, and how its commands run."""

    def __init__(self, cluster: str, until: int, address: str) -> None:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "shipline"
        self.home = Path(os.environ.get("SHIPLINE_HOME") or state).absolute()
        self.cluster = cluster
        self.until = until
        self.address = address
        self.application = f"http://{address}:{PORT}"
        self.folder = self.home / "demo" / cluster
        self.project = self.folder / "my-app"
        self.kubeconfig = self.home / "clusters" / cluster / "kubeconfig"
        self.steps: list[tuple[str, float]] = []
        self.first_pipeline = 0
        self.environment = os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "KUBECONFIG": str(self.kubeconfig),
        }
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.server = Server(self.folder, self.environment, PROJECT)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step of the story, with its heading; what stops it is said with the step's name."""
        number = len(self.steps) + 1
        print(f"\n{BOLD}── {number} · {title} {'─' * max(0, 90 - len(title))}{PLAIN}", flush=True)
        began = time.monotonic()
        try:
            yield
        except (Stopped, Failed) as stop:
            raise Stopped(f"stopped in step {number} ({title}): {stop}") from None
        self.steps.append((title, time.monotonic() - began))

    def run(self, *command: str, given: str | None = None, shown: str = "", into: Path | None = None) -> None:
        """Runs a command in the project's folder with its output live, or into a file; Stopped when it fails."""
        print(f"{BOLD}$ {shown or shlex.join(command)}{PLAIN}", flush=True)
        output = into.open("w") if into else None
        done = subprocess.run(
            command,
            cwd=self.place(),
            env=self.environment,
            input=given,
            text=True,
            stdout=output,
            stderr=None if into else subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            raise Stopped(f"`{shown or shlex.join(command)}` ended with exit code {done.returncode}")

    def ask(self, *command: str) -> str:
        """A command's output, for the demo itself."""
        done = subprocess.run(
            command, cwd=self.place(), env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Stopped(f"`{shlex.join(command)}`: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def apply(self, *create: str) -> None:
        """`kubectl create ... | kubectl apply -f -`: makes an object, or leaves it as it is."""
        text = " ".join(["kubectl", *map(shlex.quote, create), "--dry-run=client -o yaml | kubectl apply -f -"])
        self.run("sh", "-c", text, shown=text)

    def place(self) -> Path:
        """Where commands run: in the project, once it is there."""
        return self.project if self.project.is_dir() else self.folder

    def password(self) -> str:
        """The registry's password, made up once and kept where only this user reads it."""
        file = self.folder / "registry-password"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(18))
        return file.read_text()


def start_cluster(demo: Demo) -> None:
    elsewhere = () if demo.address == "127.0.0.1" else ("--node-port-address", demo.address)
    demo.run("shipline", "cluster", "start", demo.cluster, *elsewhere)
    print(f"{BOLD}$ export KUBECONFIG={demo.kubeconfig}{PLAIN}")
    demo.run("kubectl", "get", "nodes")
    ours = demo.ask("kubectl", "get", "services", "-n", "default", "-o", "name")
    if "service/calculator" not in ours and listens(demo.address):
        raise Stopped(
            f"port {PORT} of {demo.address}, where the application shall answer, is taken by another program "
            "(another demo?); end that, or name another address, like --address 127.0.0.2"
        )


def listens(address: str) -> bool:
    """Whether something answers on the application's port."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((address, PORT)) == 0


def start_registries(demo: Demo) -> None:
    at = ("--cluster", demo.cluster)
    demo.run(
        "shipline", "registry", "add", PRIVATE, "--user", "robot", *at,
        given=demo.password(), shown=f"shipline registry add {PRIVATE} --user robot {shlex.join(at)} < password",
    )  # fmt: skip
    demo.run("shipline", "registry", "add", MIRROR, "--system-images", "--mirror-of", "docker.io", *at)
    demo.run("shipline", "registry", "list", *at)
    set_up_runner(demo)


def set_up_runner(demo: Demo) -> None:
    demo.apply("create", "namespace", "gitlab-runner")
    daemon = EXAMPLES / "runner" / "daemon.json"
    demo.apply("-n", "gitlab-runner", "create", "configmap", "docker-daemon", f"--from-file={daemon}")
    login = {"auths": {PRIVATE: {"username": "robot", "password": demo.password()}}}
    file = demo.folder / "pull-secret.json"
    write_private(file, json.dumps(login))
    demo.apply(
        "-n", "gitlab-runner", "create", "secret", "generic", "private-registry",
        "--type=kubernetes.io/dockerconfigjson", f"--from-file=.dockerconfigjson={file}",
    )  # fmt: skip


def start_server(demo: Demo) -> None:
    """A new server each time: what an earlier story pushed is of no use to this one."""
    shutil.rmtree(demo.server.home, ignore_errors=True)
    shutil.rmtree(demo.project, ignore_errors=True)
    found = demo.ask("kubectl", "get", "endpoints", "kubernetes", "-o", "jsonpath={.subsets[0].addresses[0].ip}")
    demo.server.start(found.strip())
    demo.server.serve_jobs(demo.cluster, EXAMPLES / "runner" / "config.toml")


def create_project(demo: Demo) -> None:
    shutil.copytree(EXAMPLES / "calculator", demo.project)
    print(f"{BOLD}$ cd {demo.project}{PLAIN}")
    demo.run("git", "init", "--quiet", "--initial-branch=main")
    scheme, _, place = demo.server.url.partition("://")
    token = demo.server.header.read_text().partition(": ")[2].strip()
    logins = demo.folder / "git-credentials"
    write_private(logins, f"{scheme}://root:{token}@{place}\n")
    demo.run("git", "config", "credential.helper", f"store --file={logins}")
    demo.run("git", "remote", "add", "origin", f"{scheme}://root@{place}/root/my-app.git")
    commit(demo, "The calculator")
    demo.server.ask("POST", "/projects", name="my-app")
    demo.server.ask("POST", f"/projects/{PROJECT}/variables", key="ACR_USERNAME", value="robot")
    demo.password()
    demo.server.set_variable("ACR_PASSWORD", demo.folder / "registry-password", masked="true")
    set_deploy_kubeconfig(demo)


def set_deploy_kubeconfig(demo: Demo) -> None:
    """The deploy job talks to the cluster from a pod: by the name that the API server has there."""
    file = demo.folder / "deploy-kubeconfig"
    file.touch(mode=0o600)
    demo.run(
        "kubectl", "config", "view", "--raw", "--minify", "--flatten",
        into=file, shown=f"kubectl config view --raw --minify --flatten > {file}",
    )  # fmt: skip
    cluster = demo.ask("kubectl", "config", "view", "--minify", "-o", "jsonpath={.clusters[0].name}")
    server = "--server=https://kubernetes.default.svc"
    demo.run("kubectl", f"--kubeconfig={file}", "config", "set-cluster", cluster, server)
    demo.server.set_variable("ACK_KUBECONFIG", file)


def commit(demo: Demo, message: str) -> None:
    author = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com")
    demo.run("git", "add", "--all")
    demo.run("git", *author, "commit", "--quiet", "-m", message, shown=f"git commit -m '{message}'")


def write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
        stream.write(text)


def push(demo: Demo) -> int:
    """Pushes, and shows the pipeline that this makes; gives its number."""
    demo.run("git", "push", "origin", "main")
    pipeline = int(demo.server.newest_pipeline()["id"])
    demo.server.follow(pipeline)
    return pipeline


def deploy(demo: Demo) -> None:
    demo.server.play(int(demo.server.newest_pipeline()["id"]), "deploy-job")


def check_application(demo: Demo, version: str) -> None:
    """Asks the application as the guide does, and compares the answers."""
    expect({"message": "Calculator API", "version": version}, f"{demo.application}/")
    quiet = ("--silent", "--show-error", "--fail")
    demo.run("curl", *quiet, f"{demo.application}/", shown=f"curl {demo.application}/")
    question = '{"a": 10, "b": 5}'
    post = ("-X", "POST", f"{demo.application}/add", "-H", "Content-Type: application/json", "-d", question)
    demo.run("curl", *quiet, *post, shown=shlex.join(["curl", *post]))
    expect({"result": 15}, f"{demo.application}/add", question.encode())


def expect(wanted: object, address: str, body: bytes | None = None) -> None:
    """Waits until the address answers so five times in a row.

    Without probes a pod counts as ready before it listens, and a pod that ends may answer for a moment longer.
    """
    found: object = None
    right, end = 0, time.monotonic() + 30
    while right < 5:
        try:
            found = answer(address, body)
        except OSError as error:
            found = error
        right = right + 1 if found == wanted else 0
        if time.monotonic() > end:
            raise Stopped(f"{address} answers {found}, not {wanted}")
        time.sleep(0 if right else 0.2)


def answer(address: str, body: bytes | None = None) -> object:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


class Client:
    """Sends one request after the other while it is entered, and counts the answers by version."""

    def __init__(self, application: str) -> None:
        self.application = application
        self.answers: dict[str, int] = {}
        self.failures: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._over.wait(0.01):
            try:
                found = answer(f"{self.application}/")
                version = str(found.get("version")) if isinstance(found, dict) else str(found)
                self.answers[version] = self.answers.get(version, 0) + 1
            except (OSError, ValueError) as error:
                self.failures.append(f"{time.strftime('%X')} {error}")


def release(demo: Demo) -> None:
    shutil.copytree(EXAMPLES / "calculator-exercises", demo.project, dirs_exist_ok=True)
    commit(demo, "Version 1.1, with tests and probes")
    push(demo)
    with Client(demo.application) as client:
        deploy(demo)
        demo.run("kubectl", "rollout", "status", "deployment/calculator", "-n", "default", "--timeout=180s")
    counted = ", ".join(f"{count} by version {version}" for version, count in sorted(client.answers.items()))
    print(f"While it rolled out: {counted}; {len(client.failures)} requests failed.")
    if client.failures:
        first, last = client.failures[0], client.failures[-1]
        raise Stopped(f"{len(client.failures)} requests failed during the rollout, from {first} to {last}")
    if not client.answers:
        raise Stopped("no request was answered during the rollout")
    check_application(demo, "1.1")


def roll_back(demo: Demo) -> None:
    of = ("deployment/calculator", "-n", "default")
    demo.run("kubectl", "rollout", "history", *of)
    demo.run("kubectl", "rollout", "undo", *of)
    demo.run("kubectl", "rollout", "status", *of, "--timeout=180s")
    check_application(demo, "1.0")


def timeline(demo: Demo, job: str) -> list[str]:
    """When each stage of a job of the first pipeline began, as the sections of its log tell it."""
    raw = demo.server.trace(demo.server.jobs(demo.first_pipeline)[job]["id"])
    marks = re.findall(r"section_(start|end):(\d+):(\w+)", raw)
    if not marks:
        return []
    begin = min(int(at) for _, at, _ in marks)
    spans = {name: [int(at) - begin, 0] for kind, at, name in marks if kind == "start"}
    for kind, at, name in marks:
        if kind == "end" and name in spans:
            spans[name][1] = int(at) - begin
    return [
        f"  [{at // 60:02}:{at % 60:02}] {name.replace('_', ' ')} ({end - at}s)"
        for name, (at, end) in spans.items()
    ]


def close(demo: Demo) -> None:
    print(f"\n{BOLD}── What ran, and how long it took {'─' * 66}{PLAIN}")
    for number, (title, seconds) in enumerate(demo.steps, 1):
        print(f"  {number}  {title:<74} {seconds:7.1f} s")
    print(f"  {'':<77} {sum(seconds for _, seconds in demo.steps):7.1f} s")
    if len(demo.steps) > STEP_OF_DEPLOY:
        for job in ("build-job", "deploy-job"):
            print(f"{BOLD}{job}{PLAIN}", *timeline(demo, job), sep="\n")
    print(f"{BOLD}Where things are{PLAIN}")
    print(f"  the application   {demo.application}/")
    print(f"  the project       {demo.project}")
    print(f"  kubectl           export KUBECONFIG={demo.kubeconfig}; {BIN / 'kubectl'} get pods -A")
    host = demo.server.url.partition("://")[2].partition(":")[0]
    config = demo.folder / "config.toml"
    print(f"  the server        {BIN / 'shipline'} serve --home {demo.server.home} --host {host}")
    print(f"  its runner        {BIN / 'shipline'} runner run --cluster {demo.cluster} --config {config}")
    print(f"  remove all of it  {BIN / 'shipline'} cluster delete {demo.cluster}")


def run_pipeline(demo: Demo) -> None:
    demo.first_pipeline = push(demo)


def see_it_answer(demo: Demo) -> None:
    demo.run("kubectl", "rollout", "status", "deployment/calculator", "-n", "default", "--timeout=180s")
    demo.run("kubectl", "get", "pods", "-n", "default", "-l", "app=calculator")
    check_application(demo, "1.0")


STORY: list[tuple[str, Callable[[Demo], None]]] = [
    ("A Kubernetes cluster on this machine", start_cluster),
    ("A private registry with a password, and the company's mirror", start_registries),
    ("A server, and a runner that serves it with pods of the cluster", start_server),
    ("The project: the guide's five files in git, its variables on the server", create_project),
    ("git push: build-job builds and pushes the image, deploy-job waits", run_pipeline),
    ("Somebody presses Run on deploy-job", deploy),
    ("The rollout ends, and the application answers", see_it_answer),
    ("The next version, rolled out while a client keeps asking", release),
    ("And back to the version before", roll_back),
]


def tell(demo: Demo) -> None:
    """The story, in the order of the guide."""
    try:
        for title, act in STORY[: demo.until]:
            with demo.step(title):
                act(demo)
        close(demo)
    finally:
        demo.server.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="demo", help="name of the embedded cluster (default: demo)")
    parser.add_argument("--until", type=int, default=len(STORY), metavar="STEP", help="stop after this step")
    parser.add_argument("--address", default="127.0.0.1", help="where the application answers, on port 30194")
    given = parser.parse_args()
    try:
        tell(Demo(given.cluster, given.until, given.address))
    except Stopped as stop:
        print(f"\ndemo: {stop}", file=sys.stderr)
        return 1
    except (urllib.error.URLError, OSError) as error:
        print(f"\ndemo: stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
