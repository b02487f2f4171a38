import base64
import json

import pytest
from tests.images.conftest import docker

from shipline.images import ImageError, Registry, push, system_images
from shipline.images.password import line


def registry(name="private-registry.example.com", **more):
    return Registry(name=name, host_port=20555, image="shipline/registry", folder="/srv/layers", user_id=7, **more)


def test_the_objects_of_a_registry_with_a_password():
    namespace, secret, deployment, service = registry(password_file="robot:$2b$hash\n").objects()
    assert namespace["metadata"] == {"name": "shipline-registries"}
    assert base64.b64decode(secret["data"]["htpasswd"]) == b"robot:$2b$hash\n"
    pod = deployment["spec"]["template"]["spec"]
    assert "$2b$hash" not in json.dumps(deployment), "the password file is in the Secret alone"
    assert pod["volumes"][1]["secret"] == {"secretName": secret["metadata"]["name"]}
    assert pod["containers"][0]["ports"] == [
        {"name": "http", "containerPort": 5000, "hostPort": 20555, "hostIP": "127.0.0.1"}
    ]
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": 5000}]


def test_a_new_password_makes_a_new_pod():
    one, two = (
        registry(password_file=text).objects()[2]["spec"]["template"]["metadata"]["annotations"] for text in "ab"
    )
    assert one != two


def test_a_registry_may_carry_a_port_in_its_name():
    mine = registry("registry.local:5000")
    assert mine.objects()[-1]["spec"]["ports"][0]["port"] == 5000
    assert mine.service == "registry-local-5000"


@pytest.mark.parametrize("name", ["3scale.example.com", "10.0.0.7:5000"])
def test_a_registry_whose_name_begins_with_a_digit_has_a_service_all_the_same(name):
    assert registry(name).service.startswith("registry-"), "a Service's name begins with a letter"


def test_the_mapping_tells_one_name_for_two_addresses():
    entries = registry("registry.example.com").mapping("10.96.0.9", also=["docker.io"])
    assert [json.loads(entry) for entry in entries.values()] == [
        {"name": "registry.example.com", "endpoint": "127.0.0.1:20555", "address": "10.96.0.9"},
        {"name": "docker.io", "endpoint": "127.0.0.1:20555", "address": ""},
    ]


@pytest.mark.parametrize("name", ["registry", "Registry.example.com", "http://registry.example.com", "a..b", ""])
def test_what_is_no_registry_name(name):
    with pytest.raises(ImageError, match=r"is no registry name; it has to look like registry\.example\.com"):
        registry(name)


def test_a_mirror_of_the_system_images_serves_the_guides_names():
    assert set(system_images()) == {
        "library/docker:latest",
        "library/docker:dind",
        "bitnami/kubectl:latest",
        "library/python:3.9-slim",
    }


@pytest.fixture
def private(run, tmp_path):
    """A registry with a password, in a plain container; gives its address for the engine."""
    (tmp_path / "htpasswd").write_text(line("robot", "s3cret"))
    made = run(
        *("--publish", "127.0.0.1::5000", "--volume", f"{tmp_path}:/auth:ro"),
        *("--env", "REGISTRY_AUTH=htpasswd", "--env", "REGISTRY_AUTH_HTPASSWD_REALM=test"),
        *("--env", "REGISTRY_AUTH_HTPASSWD_PATH=/auth/htpasswd", "shipline/registry"),
    )
    return docker("port", made, "5000").splitlines()[0]


@pytest.mark.engine
async def test_push_with_the_password(engine, private):
    told = []
    await push(engine, private, {"team/pause:1": "shipline/pause"}, ("robot", "s3cret"), told.append)
    assert told == ["team/pause:1: pushing"]
    assert private not in docker("images"), "the name it was pushed by is gone again"


@pytest.mark.engine
async def test_push_with_a_wrong_password(engine, private):
    with pytest.raises(ImageError, match=r"pushing shipline/pause to the registry as pause failed: .*") as refused:
        await push(engine, private, {"pause": "shipline/pause"}, ("robot", "wr0ng"))
    assert "wr0ng" not in str(refused.value)


@pytest.mark.engine
async def test_push_of_an_image_that_is_not_there(engine):
    with pytest.raises(
        ImageError, match=r"pushing nobody/made-this to the registry as x failed: (?i:no such image)"
    ):
        await push(engine, "127.0.0.1:9", {"x": "nobody/made-this"})
