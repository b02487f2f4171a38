"""Where the cluster is and who we are there."""

import base64
import json
import sys

import pytest
import yaml

from shipline.runner import RunnerError
from shipline.runner.kubernetes import kubeconfig
from shipline.runner.kubernetes.credentials import Credentials
from shipline.runner.kubernetes.kubeconfig import Access, load


def written(path, user, cluster=None, current="one"):
    config = {
        "current-context": current,
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "ci"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://k.example.com:6443/"} | (cluster or {})}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_certificates_inline_and_as_files(tmp_path):
    (tmp_path / "ca.pem").write_text("CA")
    user = {
        "client-certificate-data": base64.b64encode(b"CERT").decode(),
        "client-key-data": base64.b64encode(b"KEY").decode(),
    }
    access = load(written(tmp_path / "config", user, {"certificate-authority": "ca.pem"}))
    assert access.server == "https://k.example.com:6443"
    assert (access.authority, access.certificate, access.key, access.namespace) == ("CA", "CERT", "KEY", "ci")


async def test_a_token_and_a_token_file(tmp_path):
    assert await Credentials(load(written(tmp_path / "a", {"token": "abc"}))).headers() == {
        "Authorization": "Bearer abc"
    }
    (tmp_path / "token").write_text("from-file\n")
    access = load(written(tmp_path / "b", {"tokenFile": "token"}))
    assert await Credentials(access).headers() == {"Authorization": "Bearer from-file"}


async def test_a_credential_plugin(tmp_path):
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "made"},
    }
    program = (
        f"import os; assert 'ExecCredential' in os.environ['KUBERNETES_EXEC_INFO']; "
        f"print({json.dumps(json.dumps(answer))})"
    )
    user = {"exec": {"command": sys.executable, "args": ["-c", program], "env": [{"name": "A", "value": "1"}]}}
    assert await Credentials(load(written(tmp_path / "a", user))).headers() == {"Authorization": "Bearer made"}


async def test_a_credential_plugin_that_is_missing_is_named(tmp_path):
    user = {"exec": {"command": "no-such-plugin", "installHint": "get it from the cluster's owner"}}
    with pytest.raises(RunnerError, match=r"no-such-plugin.*get it from"):
        await Credentials(load(written(tmp_path / "a", user))).headers()


def test_what_cannot_be_honoured_is_refused_by_name(tmp_path):
    with pytest.raises(RunnerError, match=r"auth provider 'gcp'.*not supported"):
        load(written(tmp_path / "a", {"auth-provider": {"name": "gcp"}}))


@pytest.mark.parametrize(
    ("context", "words"), [("two", "context 'two' is not there .it has: one."), ("", "has no current context")]
)
def test_a_context_that_is_missing(tmp_path, context, words):
    with pytest.raises(RunnerError, match=words):
        load(written(tmp_path / "a", {}, current=""), context)


def test_a_file_that_is_missing_or_broken(tmp_path):
    with pytest.raises(RunnerError, match="cannot be read"):
        load(str(tmp_path / "none"))
    (tmp_path / "broken").write_text("a: [")
    with pytest.raises(RunnerError, match="not valid YAML"):
        load(str(tmp_path / "broken"))


def test_several_files_are_merged_and_the_first_counts(tmp_path, monkeypatch):
    first = written(tmp_path / "a", {"token": "first"})
    second = written(tmp_path / "b", {"token": "second"})
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
    assert load().token == "first"


def test_the_pods_own_service_account(tmp_path, monkeypatch):
    for name, text in {"token": "t", "ca.crt": "CA", "namespace": "ci"}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(kubeconfig, "IN_CLUSTER", tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    access = load()
    assert (access.server, access.namespace, access.authority) == ("https://10.0.0.1:443", "ci", "CA")


def test_no_cluster_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(kubeconfig, "IN_CLUSTER", tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(RunnerError, match="no Kubernetes cluster is known"):
        load()


def test_tls_can_be_left_unchecked():
    context = Access(server="https://k", insecure=True).tls()
    assert not context.check_hostname
