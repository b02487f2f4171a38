"""Image references, and whose credentials are for them."""

import base64
import json

import pytest

from shipline.cluster.kubelet.credentials import matching
from shipline.cluster.kubelet.reference import InvalidReference, parse


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("bitnami/kubectl", "docker.io/bitnami/kubectl:latest", "bitnami/kubectl:latest"),
        ("localhost/x:1", "localhost/x:1", "localhost/x:1"),
        ("registry.example.com:5000/a/b:1", "registry.example.com:5000/a/b:1", "registry.example.com:5000/a/b:1"),
        ("x@sha256:" + "0" * 64, "docker.io/library/x@sha256:" + "0" * 64, "x@sha256:" + "0" * 64),
    ],
)
def test_short_names_are_completed(text: str, full: str, familiar: str) -> None:
    assert (str(parse(text)), parse(text).familiar()) == (full, familiar)


@pytest.mark.parametrize("text", ["UPPER//x", "", "a b", "x:", "x:y:z", "-x"])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(InvalidReference):
        parse(text)


def secret(**servers: tuple[str, str]) -> dict[str, object]:
    auths = {
        server.replace("__", "/").replace("_", "."): {"username": user, "password": word}
        for server, (user, word) in servers.items()
    }
    config = base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
    return {"data": {".dockerconfigjson": config}}


def test_the_most_specific_credentials_come_first() -> None:
    secrets = [
        secret(r_example_com=("all", "1")),
        secret(r_example_com__team=("team", "2")),
        secret(other=("no", "3")),
    ]
    found = matching(secrets, parse("r.example.com/team/app:1"))
    assert [one["username"] for one in found] == ["team", "all"]
    assert [one["username"] for one in matching(secrets, parse("r.example.com/teams/app:1"))] == ["all"]


def test_old_and_broken_secrets() -> None:
    auth = base64.b64encode(b"me:pa:ss").decode()
    old = {
        "data": {
            ".dockercfg": base64.b64encode(json.dumps({"https://index.docker.io/v1/": {"auth": auth}}).encode())
        }
    }
    broken = {"data": {".dockerconfigjson": base64.b64encode(b"no json").decode()}}
    assert matching([broken, old, {}], parse("busybox")) == [{"username": "me", "password": "pa:ss"}]
