"""Copies of a folder, made fast."""

import os
import subprocess

from tests.runner.desk import repository

from shipline.runner.local import snapshot
from shipline.runner.local.snapshot import Snapshot


def git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def test_files_folders_links_and_permissions_are_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "SMALL_FILE", 10)
    source, target = tmp_path / "source", tmp_path / "a" / "target"
    (source / "deep" / "empty").mkdir(parents=True)
    (source / "small").write_text("small")
    (source / "deep" / "large").write_bytes(b"x" * 5000)
    (source / "run.sh").write_text("echo")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("deep/large")
    made = Snapshot(str(source))
    made.write(str(target))
    assert made.is_large
    assert (target / "small").read_text() == "small"
    assert (target / "link").read_bytes() == b"x" * 5000
    assert (target / "link").is_symlink()
    assert (target / "deep" / "empty").is_dir()
    assert os.access(target / "run.sh", os.X_OK)
    assert not os.access(target / "small", os.X_OK)


def test_what_git_does_in_one_copy_of_a_repository_reaches_no_other(tmp_path):
    source = tmp_path / "source"
    repository(source, {"hello.txt": "hello"})
    git(source, "pack-refs", "--all")
    made = Snapshot(str(source))
    for name in ("one", "other"):
        made.write(str(tmp_path / name))
    (tmp_path / "one" / "new").write_text("new")
    git(tmp_path / "one", "add", "new")
    git(tmp_path / "one", "tag", "v1")
    git(tmp_path / "one", "pack-refs", "--all")
    for untouched in (source, tmp_path / "other"):
        assert git(untouched, "status", "--porcelain") == ""
        assert git(untouched, "tag") == ""
