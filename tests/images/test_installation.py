"""Registries in a real embedded cluster, as `shipline registry` puts them there."""

import os
import re
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from tests.images.conftest import docker

pytestmark = pytest.mark.engine
SHIPLINE = str(Path(sys.executable).parent / "shipline")
NAME = "private-registry.example.com"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Runs `shipline` with a cluster of its own; what it gives is (exit code, both outputs)."""
    name, home = f"registries-{uuid.uuid4().hex[:6]}", tmp_path_factory.mktemp("registries")

    def shipline(*words, given="", named=True):
        done = subprocess.run(
            [SHIPLINE, *words, *(["--cluster", name] if named else [])],
            env=os.environ | {"SHIPLINE_HOME": str(home)},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    code, told = shipline("cluster", "start", name, named=False)
    assert code == 0, told
    yield shipline
    shipline("cluster", "delete", name, named=False)


def endpoint(output):
    return re.search(r"reaches it at (127\.0\.0\.1:\d+)", output)[1]


def login(address, password):
    done = subprocess.run(
        ["docker", "login", "--username", "robot", "--password-stdin", address],
        input=password,
        capture_output=True,
        text=True,
        check=False,
    )
    docker("logout", address)
    return done.stdout + done.stderr


def test_a_registry_lets_its_user_in_and_nobody_else(cluster):
    code, told = cluster("registry", "add", NAME, "--user", "robot", given="s3cret\n")
    assert code == 0, told
    address = endpoint(told)
    assert "Login Succeeded" in login(address, "s3cret")
    assert "401 Unauthorized" in login(address, "wrong")

    again = cluster("registry", "add", NAME, "--user", "robot", given="s3cret\n")
    assert again == (0, told), "the same wish changes nothing"

    code, told = cluster("registry", "add", NAME, "--user", "robot", given="an0ther\n")
    assert code == 0 and endpoint(told) == address
    assert "Login Succeeded" in login(address, "an0ther")
    assert "401 Unauthorized" in login(address, "s3cret")
    assert re.search(rf"{re.escape(NAME)} +{address} +10\.", cluster("registry", "list")[1])


def test_what_is_pushed_outlives_the_pod(cluster):
    code, told = cluster("registry", "add", "open.example.com", "--image", "team/pause:1=shipline/pause")
    assert code == 0, told
    cluster("registry", "add", "open.example.com", "--user", "robot", given="now with a password\n")
    code, told = cluster("registry", "add", "open.example.com")
    image = f"{endpoint(told)}/team/pause:1"
    docker("pull", image)
    docker("rmi", image)


def test_removed_with_all_that_it_kept(cluster):
    cluster("registry", "add", "gone.example.com")
    assert cluster("registry", "remove", "gone.example.com") == (0, "gone.example.com is gone.\n")
    assert "gone.example.com" not in cluster("registry", "list")[1]
    code, told = cluster("registry", "remove", "gone.example.com")
    assert code == 3 and "there is no registry 'gone.example.com' in this cluster" in told


def test_a_port_that_is_taken(cluster):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        code, told = cluster("registry", "add", "late.example.com", "--port", port)
    assert code == 3
    why = f"port {port} of 127.0.0.1 is taken; choose another with --port"
    assert told == f"Error: the registry late.example.com cannot start: {why}\n"


@pytest.mark.parametrize(
    "words, given, message",
    [
        (["add", "localhost"], "", "'localhost' is no registry name"),
        (["add", NAME, "--user", "a:b"], "x\n", "'a:b' cannot be a registry's user name"),
        (["add", NAME, "--user", "robot"], "", "Password of robot: nothing came on standard input"),
        (["add", "x.example.com", "--image", "nonsense"], "", "write PATH=IMAGE"),
        (["add", "x.example.com", "--image", "a=no/such-image"], "", "pushing no/such-image to the registry as a"),
    ],
)
def test_bad_input_is_told_in_a_line(cluster, words, given, message):
    code, told = cluster("registry", *words, given=given)
    assert code in (2, 3) and message in told and "Traceback" not in told


def test_without_a_cluster():
    done = subprocess.run(
        [SHIPLINE, "registry", "list", "--cluster", "nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr == "Error: there is no cluster 'nowhere'; `shipline cluster start nowhere` starts it\n"
