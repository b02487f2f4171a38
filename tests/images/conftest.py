import shutil
import subprocess
from pathlib import Path

import pytest

from shipline.images import connect, recipe


@pytest.fixture
async def engine():
    async with connect() as docker:
        yield docker


@pytest.fixture
def recipes(tmp_path, monkeypatch):
    """A folder of recipes to add to; it has the real Debian base, so that this is not made again."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    shutil.copytree(recipe.RECIPES / "debian", folder / "debian")
    shutil.copy(recipe.RECIPES / "bootstrap.sh", folder)
    monkeypatch.setattr(recipe, "RECIPES", folder)
    recipe.load.cache_clear()
    recipe.names.cache_clear()
    yield folder
    recipe.load.cache_clear()
    recipe.names.cache_clear()


@pytest.fixture
def write(recipes):
    """Writes a recipe and returns its folder."""

    def write_recipe(name: str, text: str) -> Path:
        (recipes / name).mkdir()
        (recipes / name / "recipe.toml").write_text(text)
        recipe.names.cache_clear()
        return recipes / name

    return write_recipe


def docker(*arguments: str, check: bool = True) -> str:
    """Docker's own command line, to look at what was made with other eyes."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert not check or done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).strip()


@pytest.fixture
def run():
    """Starts containers; they are removed at the end."""
    started = []

    def start(*arguments: str) -> str:
        started.append(docker("run", "--detach", *arguments))
        return started[-1]

    yield start
    if started:
        docker("rm", "--force", "--volumes", *started)
