"""GitLab's programs, built from their sources: needs Go and its module proxy.

The proxy refuses glab's own module, but none that it needs: its sources are Debian's then, checked by their digest.
The proxy refuses some of the runner's modules, too. What a shell or Kubernetes runner needs of these is stood in
for by `conformance_runner`, whose README says what; everything that talks to the server is GitLab's own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import requests

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shipline-conformance"
GLAB = "gitlab.com/gitlab-org/cli/cmd/glab@latest"
GLAB_SOURCES = "http://deb.debian.org/debian/pool/main/g/glab/glab_1.53.0.orig.tar.bz2"
GLAB_DIGEST = "333b252b1f5e3e8c1076fdeb0145cccfceb648808c5b5ca899c9719be0f37760"
"""SHA-256, as Debian's index of sources has it."""
RUNNER = "gitlab.com/gitlab-org/gitlab-runner"
STOOD_IN = HERE / "conformance_runner"
WRAPPER = f"{RUNNER}/helpers/runner_wrapper/api"


def go(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "GOBIN": str(CACHE),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-buildvcs=false -mod=mod -trimpath",
        "CGO_ENABLED": "0",
    }
    return subprocess.run(["go", *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=3600)


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
    """glab from its module, else from the sources that Debian keeps; None when neither can be had."""
    made = go("install", GLAB)
    if made.returncode == 0:
        print("glab, built from its module", flush=True)
        return CACHE / "glab"
    why = f"the module proxy does not give {refused(made.stderr)}"
    try:
        sources = glab_sources()
    except requests.RequestException as error:
        print(f"glab: not built, {why}, and Debian's mirror does not give its sources: {error}", flush=True)
        return None
    made = go("build", "-ldflags", "-s -w", "-o", str(CACHE / "glab"), "./cmd/glab", cwd=sources)
    if made.returncode:
        raise SystemExit(f"glab cannot be built: {refused(made.stderr)}\n{made.stderr[-2000:]}")
    print(f"glab ({sources.name}), built from the sources that Debian keeps: {why}", flush=True)
    return CACHE / "glab"


def glab_sources() -> Path:
    """Debian's archive of glab's sources, unpacked; it is fetched once."""
    archive = CACHE / GLAB_SOURCES.rpartition("/")[2]
    if not archive.exists():
        answer = requests.get(GLAB_SOURCES, timeout=300)
        answer.raise_for_status()
        archive.write_bytes(answer.content)
    if hashlib.sha256(archive.read_bytes()).hexdigest() != GLAB_DIGEST:
        archive.unlink()
        raise SystemExit(f"{GLAB_SOURCES} is not what is known of it: its SHA-256 is another.")
    folder = CACHE / "glab-sources"
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return next(folder.iterdir())


def build_runner() -> tuple[Path, Path] | None:
    """The runner and its helper; None when its module cannot be had. What is GitLab's in them is said."""
    found = go("mod", "download", "-json", f"{RUNNER}@latest")
    folder = re.search(r'"Dir": "([^"]+)"', found.stdout)
    if folder is None:
        print(f"gitlab-runner: not built, the module proxy does not give {refused(found.stdout + found.stderr)}")
        return None
    sources = CACHE / "gitlab-runner-sources"
    shutil.rmtree(sources, ignore_errors=True)
    shutil.copytree(folder[1], sources, copy_function=shutil.copyfile)
    for each in (sources, *sources.rglob("*")):
        if each.is_dir():
            each.chmod(0o755)  # The module cache's folders cannot be written to.
    version = (sources / "VERSION").read_text().strip()
    modules = stand_in(sources)
    flags = f"-s -w -X {RUNNER}/common.VERSION={version}"
    for name, package in (("gitlab-runner", "."), ("gitlab-runner-helper", "./apps/gitlab-runner-helper")):
        made = go("build", "-ldflags", flags, "-o", str(CACHE / name), package, cwd=sources)
        if made.returncode:
            raise SystemExit(f"{name} cannot be built: {refused(made.stderr)}\n{made.stderr[-2000:]}")
    print(
        f"gitlab-runner {version}, built from its module; {len(modules)} modules that the proxy refuses are "
        f"replaced by ours: {', '.join(modules)}; left out: what scales machines, and `wrapper`",
        flush=True,
    )
    return CACHE / "gitlab-runner", CACHE / "gitlab-runner-helper"


def stand_in(sources: Path) -> list[str]:
    """Puts our modules in the place of those that cannot be had, in a copy of the sources; gives their names."""
    shutil.copyfile(STOOD_IN / "main" / "main.go", sources / "main.go")
    (sources / "commands" / "wrapper.go").unlink()
    edits, names = [f"-dropreplace={WRAPPER}"], []
    for file in sorted(STOOD_IN.glob("*/go.mod")):
        name = file.read_text().split()[1]
        names.append(name)
        edits.append(f"-replace={name}={file.parent}")
    done = go("mod", "edit", *edits, cwd=sources)
    if done.returncode:
        raise SystemExit(done.stderr)
    return names
