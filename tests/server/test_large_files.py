"""Git LFS: what git-lfs brings with a push, what a clone and a job get, and what is refused."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
import requests

CONTENT = b"the large content\n" * 50_000
NAME = hashlib.sha256(CONTENT).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
JOB = "job:\n  script: [sha256sum data.bin]\n"


def git(folder, *words: str) -> str:
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "HOME": str(folder)}
    environment |= {f"GIT_{who}_{what}": "t@e" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(["git", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def pushed(server, tmp_path_factory):
    """A push of a repository with a large file; gives what the pusher was told."""
    folder = tmp_path_factory.mktemp("app")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "lfs", "install", "--local")
    git(folder, "lfs", "track", "*.bin")
    (folder / "data.bin").write_bytes(CONTENT)
    (folder / ".gitlab-ci.yml").write_text(JOB)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    return git(folder, "push", server.remote("root/app"), "main")


def batch(server, operation: str, *objects: dict, path: str = "root/app", **login) -> requests.Response:
    url = f"{server.url}/{path}.git/info/lfs/objects/batch"
    return requests.post(url, json={"operation": operation, "objects": objects}, timeout=30, **login)


def test_a_push_brings_the_object_and_a_clone_gets_it(server, pushed, tmp_path):
    assert "Pipeline #1 for main" in pushed and "lock" not in pushed.lower()
    git(tmp_path, "-c", "filter.lfs.smudge=git-lfs smudge -- %f", "clone", "-q", server.remote("root/app"), "clone")
    assert (tmp_path / "clone" / "data.bin").read_bytes() == CONTENT


def test_a_job_gets_the_object_with_its_token(server, pushed):
    job = server.runner(run_untagged=True).job()
    login = {"auth": ("gitlab-ci-token", job["token"])}
    (found,) = batch(server, "download", {"oid": NAME, "size": len(CONTENT)}, **login).json()["objects"]
    action = found["actions"]["download"]
    assert requests.get(action["href"], headers=action["header"], timeout=30).content == CONTENT
    rest = action["header"] | {"Range": f"bytes={len(CONTENT) - 8}-"}
    assert requests.get(action["href"], headers=rest, timeout=30).content == b"content\n"
    assert batch(server, "upload", {"oid": OTHER, "size": 5}, **login).status_code == 403


def test_the_files_api_gives_the_object_or_its_pointer(server, pushed):
    raw = "/projects/root%2Fapp/repository/files/data.bin/raw"
    assert server.api("GET", raw).text.startswith("version https://git-lfs.github.com/spec/v1\n")
    assert server.api("GET", raw, params={"lfs": "true"}).content == CONTENT


def test_a_fork_has_the_objects_too(server, pushed):
    forked = server.api("POST", "/projects/root%2Fapp/fork", data={"path": "mine"})
    assert forked.status_code == 201
    login = {"auth": ("root", server.token)}
    (found,) = batch(server, "download", {"oid": NAME, "size": 1}, path="root/mine", **login).json()["objects"]
    assert "error" not in found


def test_what_is_missing_or_no_name_is_told_of_each_object(server, pushed):
    asked = ({"oid": OTHER, "size": 5}, {"oid": "../../key", "size": 1})
    missing, wrong = batch(server, "download", *asked, auth=("root", server.token)).json()["objects"]
    assert missing["error"]["code"] == 404
    assert wrong["error"]["code"] == 422


def test_content_that_is_not_what_it_is_called_is_not_taken(server, pushed):
    login = {"auth": ("root", server.token), "timeout": 30}
    place = f"{server.url}/root/app.git/gitlab-lfs/objects"
    assert requests.put(f"{place}/{OTHER}/5", data=b"false", **login).status_code == 422
    assert requests.put(f"{place}/{OTHER}/5", data=b"other and more", **login).status_code == 413
    assert requests.get(f"{place}/{OTHER}", **login).status_code == 404
    folder = server.inside(lambda instance: instance.projects.find("root/app").path)
    assert list(Path(folder, "lfs", "tmp").iterdir()) == []
    assert requests.put(f"{place}/{OTHER}/5", data=b"other", **login).status_code == 200
    assert requests.get(f"{place}/{OTHER}", **login).content == b"other"


def test_strangers_get_nothing(server, pushed):
    assert batch(server, "download", {"oid": NAME, "size": 1}).status_code == 401
    assert requests.get(f"{server.url}/root/app.git/gitlab-lfs/objects/{NAME}", timeout=30).status_code == 401


def test_what_is_no_batch_is_refused(server, pushed):
    url = f"{server.url}/root/app.git/info/lfs/objects/batch"
    assert requests.post(url, data="[", timeout=30).status_code == 422
    assert requests.post(url, json={"operation": "steal", "objects": []}, timeout=30).status_code == 422
