"""GitLab's own programs against this server, as far as they can be built: needs Go and its module proxy.

Built and run: a program of the library that glab is built on (`conformance_client`), glab itself, and GitLab's
runner with its shell executor. What the module proxy does not give is said by name, and is no failure: nothing of
Shipline needs it. A program that can be built and does not work with the server is one.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shipline-conformance"
SHIPLINE = str(Path(sys.executable).parent / "shipline")
GLAB = "gitlab.com/gitlab-org/cli/cmd/glab@latest"
RUNNER = "gitlab.com/gitlab-org/gitlab-runner"
CONFIGURATION = """\
build-job:
  tags: [official]
  script: [echo "built $COLOUR"]
deploy-job:
  stage: deploy
  when: manual
  script: [echo deployed]
"""


def go(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GOBIN": str(CACHE), "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}
    return subprocess.run(["go", *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=1800)


def refused(text: str) -> str:
    """The modules that could not be had, by name."""
    modules = sorted(set(re.findall(r"([\w./-]+@[\w.+-]+): reading \S+ (?:40[34]|410)", text)))
    modules += [] if modules else sorted(set(re.findall(r"module ([\w./-]+): reading \S+ (?:40[34]|410)", text)))
    return ", ".join(modules) or text.strip().rpartition("\n")[2][:200]


def build_client() -> Path:
    made = go("build", "-o", str(CACHE / "client"), ".", cwd=HERE / "conformance_client")
    if made.returncode:
        raise SystemExit(f"The client cannot be built: {refused(made.stderr)}")
    return CACHE / "client"


def build_glab() -> Path | None:
    made = go("install", GLAB)
    if made.returncode:
        print(f"glab: not built, the module proxy does not give {refused(made.stderr)}")
        return None
    return CACHE / "glab"


def build_runner() -> Path | None:
    """From the sources of its module, since its go.mod replaces others and cannot be installed."""
    found = go("mod", "download", "-json", f"{RUNNER}@latest")
    folder = re.search(r'"Dir": "([^"]+)"', found.stdout)
    if folder is None:
        print(f"gitlab-runner: not built, the module proxy does not give {refused(found.stdout + found.stderr)}")
        return None
    with tempfile.TemporaryDirectory() as scratch:
        sources = Path(scratch) / "runner"
        shutil.copytree(folder[1], sources, copy_function=shutil.copyfile)
        made = go("build", "-o", str(CACHE / "gitlab-runner"), ".", cwd=sources)
    if made.returncode:
        print(f"gitlab-runner: not built, the module proxy does not give {refused(made.stderr)}")
        return None
    return CACHE / "gitlab-runner"


class Server:
    """A server with one project, and its address."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [SHIPLINE, "serve", "--home", str(home), "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.password = self.process.stdout.readline().split("Password: ")[1].split()[0]
        self.token = self._token(home)
        clone = home.parent / "clone"
        git = lambda *words: subprocess.run(["git", *words], cwd=clone, check=True, capture_output=True)  # noqa: E731
        clone.mkdir()
        git("init", "-q", "-b", "main")
        (clone / ".gitlab-ci.yml").write_text(CONFIGURATION)
        (clone / "README.md").write_text("hello\n")
        git("add", "-A")
        git("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-qm", "A commit")
        remote = f"{self.url.replace('://', f'://root:{self.password}@')}/root/app.git"
        git("push", "-q", remote, "main")

    def _token(self, home: Path) -> str:
        import asyncio

        from shipline.server.instance import Instance
        from shipline.server.permissions import SCOPES
        from shipline.server.settings import Settings

        async def make() -> str:
            instance = Instance(Settings(home=home))
            try:
                return instance.accounts.create_token(1, "conformance", SCOPES)[1]
            finally:
                instance.close()

        return asyncio.run(make())


def run_glab(glab: Path, server: Server, home: Path) -> None:
    environment = os.environ | {
        "GITLAB_TOKEN": server.token,
        "GITLAB_HOST": server.url,
        "GLAB_CONFIG_DIR": str(home),
        "NO_PROMPT": "true",
    }
    for words in (["api", "version"], ["ci", "list", "-R", "root/app"], ["variable", "list", "-R", "root/app"]):
        ran = subprocess.run([glab, *words], env=environment, capture_output=True, text=True, timeout=120)
        print(f"glab {' '.join(words)}: {'ok' if ran.returncode == 0 else ran.stderr.strip()}")
        if ran.returncode:
            raise SystemExit(1)


def run_runner(runner: Path, server: Server, home: Path) -> None:
    """A job of the project, carried out by GitLab's runner in a shell."""
    import requests

    headers = {"PRIVATE-TOKEN": server.token}
    body = {"runner_type": "instance_type", "tag_list": ["official"]}
    made = requests.post(f"{server.url}/api/v4/user/runners", json=body, headers=headers, timeout=60).json()
    arguments = [f"--url={server.url}", f"--token={made['token']}", "--executor=shell", "--max-builds=1"]
    ran = subprocess.run([runner, "run-single", *arguments], cwd=home, capture_output=True, text=True, timeout=300)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        jobs = requests.get(f"{server.url}/api/v4/projects/1/jobs", headers=headers, timeout=60).json()
        if any(job["status"] == "success" for job in jobs):
            print("gitlab-runner: ok, it has run a job")
            return
        time.sleep(0.5)
    raise SystemExit(f"gitlab-runner: no job has succeeded\n{ran.stdout}\n{ran.stderr}")


def main() -> None:
    if shutil.which("go") is None:
        raise SystemExit("Go is needed to build GitLab's programs: https://go.dev/dl")
    CACHE.mkdir(parents=True, exist_ok=True)
    client, glab, runner = build_client(), build_glab(), build_runner()
    with tempfile.TemporaryDirectory(prefix="shipline-conformance-") as scratch:
        server = Server(Path(scratch) / "home")
        try:
            if runner is not None:
                run_runner(runner, server, Path(scratch))
            if glab is not None:
                run_glab(glab, server, Path(scratch))
            ran = subprocess.run([client, server.url, server.token, "root/app"], text=True, capture_output=True)
            steps = ran.stdout.count("ok ")
            print(
                f"the library of glab: {steps} steps" + (", all ok" if ran.returncode == 0 else f": {ran.stderr}")
            )
            if ran.returncode:
                raise SystemExit(1)
        finally:
            server.process.terminate()
            server.process.wait()


if __name__ == "__main__":
    main()
