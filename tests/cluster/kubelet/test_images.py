"""Where images come from: pull policies, mapped registries, credentials, and what is said when there are none."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest
from tests.cluster.live import IMAGE, Live, pod

pytestmark = pytest.mark.engine

NAME = "private.example.com"
HTPASSWD = "robot:$2b$05$Mna2kOHZpan4magzkBVo5euFg9IvDE1QpNzFcme9aR726QEBt8vrC\n"  # of s3cret


def docker(*arguments: str, given: str = "") -> str:
    done = subprocess.run(["docker", *arguments], input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with a password on the loopback that holds `app:1`."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / "htpasswd").write_text(HTPASSWD)
    name = f"test-registry-{secrets.token_hex(3)}"
    environment = ("-e", "REGISTRY_AUTH=htpasswd", "-e", "REGISTRY_AUTH_HTPASSWD_REALM=r")
    path = ("-e", "REGISTRY_AUTH_HTPASSWD_PATH=/htpasswd", "-v", f"{folder}/htpasswd:/htpasswd:ro")
    docker("run", "-d", "--name", name, "-p", "127.0.0.1::5000", *environment, *path, "shipline/registry")
    try:
        address = docker("port", name, "5000/tcp").splitlines()[0]
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://{address}/v2/", timeout=2)
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        config = ("--config", str(folder))
        docker(*config, "login", "-u", "robot", "--password-stdin", address, given="s3cret")
        # An image of its own: one that was pulled with a password is guarded by it under every name.
        made = docker("create", IMAGE, "sh")
        docker("commit", "-c", f"LABEL test={name}", made, f"{address}/app:1")
        docker("rm", made)
        docker(*config, "push", "-q", f"{address}/app:1")
        docker("rmi", f"{address}/app:1")
        yield address
    finally:
        docker("rm", "-f", "-v", name)


@pytest.fixture(autouse=True)
def mapped(live: Live, endpoint: str) -> None:
    """The cluster knows the registry by another name."""
    entry = json.dumps({"name": NAME, "endpoint": endpoint, "address": "10.9.9.9"})
    patch = json.dumps({"data": {"test": entry}})
    live.kubectl("-n", "kube-system", "patch", "configmap", "shipline-registries", "--type=merge", "-p", patch)


def pull_secret(live: Live, name: str, password: str) -> list[dict[str, str]]:
    auth = base64.b64encode(f"robot:{password}".encode()).decode()
    config = json.dumps({"auths": {f"https://{NAME}/v2/": {"auth": auth}}})
    live.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": config},
        }
    )
    return [{"name": name}]


def test_an_image_is_pulled_from_a_mapped_registry_with_the_pod_s_secret(live: Live, endpoint: str) -> None:
    spec = pod(image=f"{NAME}/app:1", imagePullPolicy="Always") | {
        "imagePullSecrets": pull_secret(live, "right", "s3cret")
    }
    name = live.run(spec)
    status = live.state(name)
    assert status["image"] == f"{NAME}/app:1"
    assert status["imageID"].startswith(f"{NAME}/app@sha256:")
    events = live.events(name)
    assert f'Pulling: Pulling image "{NAME}/app:1"' in events
    assert any(event.startswith(f'Pulled: Successfully pulled image "{NAME}/app:1" in ') for event in events)
    assert docker("images", "-q", f"{NAME}/app:1")
    assert not docker("images", "-q", f"{endpoint}/app:1")
    docker("rmi", "-f", f"{NAME}/app:1")


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_pull_without_the_right_password_is_told(live: Live, password: str | None) -> None:
    spec = pod(image=f"{NAME}/app:1", imagePullPolicy="Always")
    spec["imagePullSecrets"] = pull_secret(live, "wrong", password) if password else [{"name": "absent"}]
    name = live.start(spec)
    waiting = live.until(lambda: live.state(name)["state"].get("waiting", {}).get("message"))
    assert "unauthorized" in waiting or "no basic auth credentials" in waiting
    assert live.state(name)["state"]["waiting"]["reason"] == "ErrImagePull"
    events = live.events(name)
    assert "Failed: Error: ErrImagePull" in events
    assert f'BackOff: Back-off pulling image "{NAME}/app:1"' in events
    if password is None:
        text = "Unable to retrieve some image pull secrets (absent); attempting to pull the image may not succeed."
        assert f"FailedToRetrieveImagePullSecret: {text}" in events


def test_an_image_that_must_not_be_pulled(live: Live) -> None:
    name = live.start(pod(image="absent:1", imagePullPolicy="Never"))
    message = 'Container image "absent:1" is not present with pull policy of Never'
    waiting = {"reason": "ErrImageNeverPull", "message": message}
    live.until(lambda: live.state(name)["state"] == {"waiting": waiting})


def test_a_name_that_is_none(live: Live) -> None:
    name = live.start(pod(image="UPPER//x"))
    live.until(lambda: live.state(name)["state"].get("waiting", {}).get("reason") == "InvalidImageName")
    assert "Failed: Error: InvalidImageName" in live.events(name)


def test_the_mapped_name_resolves_inside_pods(live: Live) -> None:
    name = live.run(pod())
    live.until(lambda: "10.9.9.9" in live.attempt("exec", name, "--", "nslookup", NAME).stdout)
