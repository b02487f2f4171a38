"""GitLab's own programs against this server, as far as they can be had: conformance_runner/README.md. And two of
other people's: conformance_peers.py.

Built and run: GitLab's runner with its shell and its Kubernetes executor, the latter on an embedded cluster; a
program of the library that glab is built on (`conformance_client`); glab itself. What cannot be had
is said by name, and is no failure: nothing of Shipline needs it. Each step is a line; the last counts them.

    script/conformance [shell|files|kubernetes|client|glab|peers]...      all of them without a word
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from conformance_build import CACHE, build_client, build_glab, build_runner
from conformance_files import try_files
from conformance_glab import try_glab
from conformance_kubernetes import try_kubernetes
from conformance_peers import try_peers
from conformance_server import Server
from conformance_shell import try_shell
from conformance_steps import Steps, expect

PIPELINE = """\
build-job:
  tags: [official]
  script: [echo "built $COLOUR"]
deploy-job:
  stage: deploy
  when: manual
  script: [echo deployed]
"""
PARTS = ("shell", "files", "kubernetes", "client", "glab", "peers")


def try_library(steps: Steps, home: Path) -> None:
    """The library of glab, which makes and looks at nearly everything."""
    client = build_client()
    server = Server(home / "home")
    try:
        server.push("app", {".gitlab-ci.yml": PIPELINE, "README.md": "hello\n"})
        ran = subprocess.run([client, server.url, server.token, "root/app"], text=True, capture_output=True)
        for line in ran.stdout.splitlines():
            if line.startswith("ok "):
                with steps.step("the library of glab", line.removeprefix("ok ")):
                    pass
        if ran.returncode:
            with steps.step("the library of glab", "the next step"):
                expect(False, ran.stderr)
    finally:
        server.close()


def main() -> None:
    parts = sys.argv[1:] or PARTS
    if not set(parts) <= set(PARTS):
        raise SystemExit(f"There are {', '.join(PARTS)}.")
    if shutil.which("go") is None and set(parts) != {"peers"}:
        raise SystemExit("Go is needed to build GitLab's programs: https://go.dev/dl")
    CACHE.mkdir(parents=True, exist_ok=True)
    programs = build_runner() if {"shell", "files", "kubernetes"} & set(parts) else None
    steps = Steps()
    with tempfile.TemporaryDirectory(prefix="shipline-conformance-") as scratch:
        for part in parts:
            home = Path(scratch) / part
            home.mkdir()
            if part == "client":
                try_library(steps, home)
            elif part == "peers":
                try_peers(steps, home)
            elif part == "glab" and (glab := build_glab()) is not None:
                try_glab(steps, glab, home)
            elif programs is not None and part == "shell":
                try_shell(steps, programs[0], home)
            elif programs is not None and part == "files":
                try_files(steps, programs[0], home)
            elif programs is not None and part == "kubernetes":
                try_kubernetes(steps, *programs, home)
    for name in steps.failed:
        print(f"failed: {name}")
    print(f"{steps.passed} passed, {len(steps.failed)} failed")
    raise SystemExit(1 if steps.failed else 0)


if __name__ == "__main__":
    main()
