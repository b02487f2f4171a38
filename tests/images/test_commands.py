"""`shipline images`, as it is typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shipline.images import recipe_names

SHIPLINE = str(Path(sys.executable).parent / "shipline")


def shipline(*words, **environment):
    return subprocess.run(
        [SHIPLINE, *words], env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.engine
def test_list_names_every_image_and_what_it_is_for():
    done = shipline("images", "list")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[1:]
    assert [line.split(":")[0] for line in lines] == [f"shipline/{name}" for name in recipe_names()]
    assert any(
        line.startswith("shipline/registry:") and line.endswith("Debian's docker-registry") for line in lines
    )


@pytest.mark.engine
def test_make_prints_the_references():
    done = shipline("images", "make", "pause")
    assert done.returncode == 0 and done.stdout.startswith("shipline/pause:"), done.stderr


@pytest.mark.engine
def test_make_of_what_is_none():
    done = shipline("images", "make", "nginx")
    assert done.returncode == 3
    assert done.stderr.startswith("Error: no recipe for a system image 'nginx'; there are: debian, ")


def test_without_a_container_engine(tmp_path):
    done = shipline("images", "make", DOCKER_HOST=f"unix://{tmp_path}/no.sock")
    assert done.returncode == 3
    assert done.stderr.startswith("Error: no container engine answers: ") and done.stderr.count("\n") == 1
    assert "Start Docker or Podman" in done.stderr
