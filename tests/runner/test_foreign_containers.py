"""Containers that others put into job pods, as webhooks of service meshes do; accounts that may do too little."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml
from tests.runner.desk import job
from tests.runner.test_pods import kubectl, pods_of, ran

from shipline.protocol.payload import Variable
from shipline.runner.config import PodSpecPatch

pytestmark = pytest.mark.engine


def with_more(pods, patch):
    patches = [PodSpecPatch(name="mesh", patch=json.dumps(patch), patch_type="strategic")]
    return msgspec.structs.replace(pods, kubernetes=msgspec.structs.replace(pods.kubernetes, pod_spec=patches))


def container(*command):
    return {"name": "mesh", "image": "shipline/pause", "imagePullPolicy": "IfNotPresent", "command": list(command)}


async def test_a_sidecar_that_does_not_end_does_not_hold_the_job(pods, source):
    sidecar = {"containers": [container("sleep", "1000")]}
    payload = job(source, "cat hello.txt")
    log, result = await ran(with_more(pods, sidecar), payload)
    assert result.state == "success", log
    assert pods_of(pods, payload) == []


async def test_an_init_container_that_fails_shows_what_it_wrote(pods, source):
    broken = {"initContainers": [container("sh", "-c", "echo the mesh is not configured; exit 3")]}
    payload = job(source, "true")
    log, result = await ran(with_more(pods, broken), payload)
    assert result.failure_reason == "runner_system_failure"
    assert "\n  mesh | the mesh is not configured\n" in log
    assert "init container mesh (shipline/pause) of pod" in log and "exit code: 3" in log
    assert pods_of(pods, payload) == []


RIGHTS = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "create", "delete"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "list", "delete"]},
]


@pytest.fixture
def hindered(pods, tmp_path):
    """A runner whose account may not patch Secrets."""
    of = ("-n", "default")
    made = [
        {"kind": "ServiceAccount", "metadata": {"name": "hindered"}},
        {"kind": "Role", "metadata": {"name": "hindered"}, "rules": RIGHTS},
        {
            "kind": "RoleBinding",
            "metadata": {"name": "hindered"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hindered"},
            "subjects": [{"kind": "ServiceAccount", "name": "hindered", "namespace": "default"}],
        },
    ]
    for each in made:
        each["apiVersion"] = "v1" if each["kind"] == "ServiceAccount" else "rbac.authorization.k8s.io/v1"
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    apply = ["kubectl", "--kubeconfig", pods.kubeconfig, *of, "apply", "-f", "-"]
    subprocess.run(apply, input=listed, text=True, check=True, capture_output=True)
    config = yaml.safe_load(Path(pods.kubeconfig).read_text())
    config["users"][0]["user"] = {"token": kubectl(pods, *of, "create", "token", "hindered")}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return msgspec.structs.replace(pods, kubeconfig=str(path))


async def test_a_pod_whose_secret_could_not_be_given_to_it_is_removed(hindered, pods, source):
    logins = json.dumps({"auths": {"registry.example.com": {"auth": "YTpi"}}})
    payload = job(source, "true", variables=[Variable("DOCKER_AUTH_CONFIG", logins)])
    log, result = await ran(hindered, payload)
    assert result.failure_reason == "runner_system_failure"
    assert 'cannot patch resource "secrets"' in log and "needs a Role in the namespace default" in log
    assert pods_of(pods, payload) == []
    assert "-secrets" not in kubectl(pods, "get", "secrets", "-o", "name")
