"""Images as they come out: made once, found again, right inside."""

import json
import time
import uuid

import pytest
from tests.images.conftest import docker

from shipline.images import ImageError, clean, ensure, recipe
from shipline.images.workshop import LONGEST_BUILD

pytestmark = pytest.mark.engine


def labels(reference):
    return json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", reference))


@pytest.fixture
def remove():
    """Removes images of a recipe at the end."""
    names = []
    yield names.append
    for name in names:
        for reference in docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"shipline/{name}").split():
            docker("rmi", "--force", reference)


async def test_what_is_there_costs_nothing(engine):
    await ensure(engine, ["pause", "node"])
    told = []
    began = time.monotonic()
    made = await ensure(engine, ["pause", "node"], told.append)
    assert time.monotonic() - began < 1 and told == []
    assert docker("image", "inspect", "--format", "{{.Id}}", made["pause"]) == docker(
        "image", "inspect", "--format", "{{.Id}}", "shipline/pause"
    )


async def test_built_upon_its_base_and_checked(engine, write, remove, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.invalid:1")
    name = f"test-{uuid.uuid4().hex[:8]}"
    remove(name)
    folder = write(
        name,
        'about = "x"\nbase = "debian"\nrun = ["echo $https_proxy >/seen"]\nentrypoint = ["/tool"]\n'
        'volumes = ["/data"]\nenv = {A = "b c"}\nfiles = {"/tool" = "tool"}\ncheck = ["test", "-x", "/tool"]\n',
    )
    (folder / "tool").write_text('#!/bin/sh\necho "$A" "$@" "$(cat /seen)"\n')
    made = await ensure(engine, [name])
    assert docker("run", "--rm", made[name], "d") == "b c d http://user:secret@proxy.invalid:1"
    config = docker("image", "inspect", "--format", "{{json .Config}}", made[name])
    assert "proxy" not in config, "how the build reached the network is no part of the image's settings"
    assert labels(made[name]) == {"shipline.recipe": name, "shipline.origin": "built"}


def builds():
    """The containers in which an image is being made, of all that this machine has."""
    of_debian = ("--filter", "ancestor=shipline/debian")
    made = docker("ps", "--all", "--no-trunc", *of_debian, "--format", "{{.ID}} {{.Command}}")
    return {line.split()[0] for line in made.splitlines() if f"sleep {LONGEST_BUILD}" in line}


async def test_a_build_that_fails_says_where_and_leaves_nothing(engine, write):
    before = builds()
    write("broken", 'about = "x"\nbase = "debian"\nrun = ["echo no luck today; exit 3"]\ncheck = ["true"]\n')
    with pytest.raises(ImageError, match=r"'broken' failed at `echo .*exit 3.*\n  no luck today"):
        await ensure(engine, ["broken"])
    assert docker("images", "--quiet", "shipline/broken") == ""
    assert builds() == before


async def test_a_check_that_fails_is_no_image(engine, write):
    write("unfit", 'about = "x"\nbase = "debian"\ncheck = ["test", "-e", "/missing"]\n')
    with pytest.raises(ImageError, match="'unfit' failed at `test -e /missing`"):
        await ensure(engine, ["unfit"])
    assert docker("images", "--quiet", "shipline/unfit") == ""


async def test_pulled_from_the_registry_that_is_named(engine, run, write, remove, monkeypatch):
    """A registry on this machine stands for the public one."""
    address = docker("port", run("--publish", "127.0.0.1::5000", "shipline/registry"), "5000").splitlines()[0]
    upstream = f"{address}/library/upstream:1"
    docker("tag", "shipline/debian", upstream)
    docker("push", upstream)
    docker("rmi", upstream)
    name = f"test-{uuid.uuid4().hex[:8]}"
    remove(name)
    write(name, 'about = "x"\nupstream = "upstream:1"\nsuite = "bookworm"\ncheck = ["true"]\n')
    monkeypatch.setenv("SHIPLINE_IMAGE_REGISTRY", address)
    told = []
    try:
        made = await ensure(engine, [name], told.append)
    finally:
        docker("rmi", "--force", upstream)
    assert told == [f"{name}: pulling {upstream}"]
    assert labels(made[name])["shipline.origin"] == "pulled"
    assert docker("run", "--rm", made[name], "cat", "/etc/debian_version").startswith("12.")


async def test_clean_takes_what_no_recipe_describes(engine, write, remove):
    name = f"test-{uuid.uuid4().hex[:8]}"
    remove(name)
    folder = write(name, 'about = "x"\nbase = "debian"\nrun = ["touch /one"]\ncheck = ["true"]\n')
    first = (await ensure(engine, [name]))[name]
    (folder / "recipe.toml").write_text('about = "x"\nbase = "debian"\nrun = ["touch /two"]\ncheck = ["true"]\n')
    recipe.load.cache_clear()
    second = (await ensure(engine, [name]))[name]
    assert docker("images", "--quiet", first) and first != second
    removed = await clean(engine, only={name})
    assert first in removed and second not in removed
