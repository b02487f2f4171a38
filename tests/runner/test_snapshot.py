"""Copies of a folder, made fast."""

import os

from shipline.runner.local import snapshot
from shipline.runner.local.snapshot import Snapshot


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
