"""Base images where no registry answers: what stands in the way is said."""

import os
import sys

import pytest

from shipline.images import ImageError, bootstrap, mirror


async def test_a_mirror_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(mirror, "of_host", lambda: mirror.Mirror("http://127.0.0.1:9/debian"))
    with pytest.raises(ImageError, match="debootstrap of Debian bookworm failed:") as failed:
        await bootstrap.make("bookworm", {}, tmp_path / "root.tar")
    assert "Look at the apt sources of this machine" in str(failed.value)


async def test_without_debootstrap(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "PLACES", (str(tmp_path),))
    with pytest.raises(ImageError, match="debootstrap, which would build the base images, is missing; install it"):
        await bootstrap.make("bookworm", {}, tmp_path / "root.tar")


async def test_on_another_system(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ImageError, match="can only be built on Linux; name a registry that has them"):
        await bootstrap.make("bookworm", {}, tmp_path / "root.tar")


async def test_without_root_and_sudo(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match="needs root: run once as root, or install sudo"):
        await bootstrap.make("bookworm", {}, tmp_path / "root.tar")
