"""Who may do what: certificates, tokens and what they are bound to, roles, speaking for others."""

import asyncio
import base64
import stat
from typing import Any

import pytest
from tests.cluster.api.clients import client
from tests.cluster.api.conftest import Cluster

from shipline.cluster.api.pki import Pki

RBAC = "rbac.authorization.k8s.io"


async def token_for(cluster: Cluster, **spec: Any) -> str:
    """A token of the service account `default`, through the API."""
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    async with client(cluster) as admin, admin.post(path, json={"spec": spec}) as answer:
        assert answer.status == 201
        return str((await answer.json())["status"]["token"])


async def status(cluster: Cluster, path: str, **caller: Any) -> tuple[int, dict[str, Any]]:
    async with client(cluster, **caller) as session, session.get(path) as answer:
        return answer.status, await answer.json() if answer.content_type == "application/json" else {}


async def test_nobody_sees_the_version_and_nothing_else(cluster: Cluster) -> None:
    assert (await status(cluster, "/version", anonymous=True))[0] == 200
    code, refusal = await status(cluster, "/api/v1/namespaces/default/secrets/s", anonymous=True)
    assert (code, refusal["message"]) == (
        403,
        'secrets "s" is forbidden: User "system:anonymous" cannot get resource "secrets" in API group "" in the '
        'namespace "default"',
    )


async def test_a_token_has_the_rights_bound_to_its_account(cluster: Cluster) -> None:
    token = await token_for(cluster)
    assert (await status(cluster, "/api/v1/namespaces/default/pods", token=token))[0] == 403
    reader = {"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]}
    cluster.api.create(f"roles.{RBAC}", "default", reader)
    account = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    reference = {"kind": "Role", "name": "r"}
    binding = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [account]}
    cluster.api.create(f"rolebindings.{RBAC}", "default", binding)
    assert (await status(cluster, "/api/v1/namespaces/default/pods", token=token))[0] == 200
    assert (await status(cluster, "/api/v1/pods", token=token))[0] == 403


async def test_a_token_dies_with_its_pod(cluster: Cluster) -> None:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    cluster.api.create("pods", "default", {"metadata": {"name": "p"}, "spec": spec})
    token = await token_for(cluster, boundObjectRef={"kind": "Pod", "name": "p"})
    review = "/apis/authentication.k8s.io/v1/tokenreviews"
    async with client(cluster) as admin:
        for alive in (True, False):
            async with admin.post(review, json={"spec": {"token": token}}) as answer:
                said = (await answer.json())["status"]
                assert said.get("authenticated", False) is alive
            cluster.api.delete("pods", "default", "p", grace_period=0) if alive else None
    assert (await status(cluster, "/version", token=token))[0] == 401


@pytest.mark.parametrize(
    "change", [lambda t: t[:-4] + "AAAA", lambda t: "nonsense", lambda t: t.replace(".", "..")]
)
async def test_a_tampered_token_is_worth_nothing(cluster: Cluster, change: Any) -> None:
    token = change(await token_for(cluster))
    assert await status(cluster, "/api/v1/pods", token=token) == (
        401,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "Unauthorized",
            "reason": "Unauthorized",
            "code": 401,
        },
    )


async def test_a_token_for_another_audience_opens_nothing_here(cluster: Cluster) -> None:
    token = await token_for(cluster, audiences=["vault"])
    assert (await status(cluster, "/api/v1/pods", token=token))[0] == 401


async def test_speaking_for_an_account_does_not_bring_its_caller_groups(cluster: Cluster) -> None:
    token = await token_for(cluster)
    rule = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}
    cluster.api.create(f"clusterroles.{RBAC}", None, {"metadata": {"name": "speak"}, "rules": [rule]})
    account = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
    binding = {
        "metadata": {"name": "speaks"},
        "roleRef": {"kind": "ClusterRole", "name": "speak"},
        "subjects": [account],
    }
    cluster.api.create(f"clusterrolebindings.{RBAC}", None, binding)
    name = "system:serviceaccount:default:other"
    async with client(cluster, token=token) as session:
        for groups, code in (((), 403), (("system:masters",), 403)):
            headers = [("Impersonate-User", name), *(("Impersonate-Group", group) for group in groups)]
            async with session.get("/api/v1/secrets", headers=headers) as answer:
                refusal = await answer.json()
                assert answer.status == code
                assert ("impersonate" in refusal["message"]) is bool(groups)


def test_keys_are_private_and_made_once(pki: Pki) -> None:
    keys = list(pki.directory.glob("*.key"))
    assert keys and all(stat.S_IMODE(key.stat().st_mode) == 0o600 for key in keys)
    before = {path: path.read_bytes() for path in pki.directory.iterdir()}
    pki.ensure()
    assert before == {path: path.read_bytes() for path in pki.directory.iterdir()}


def test_a_new_name_makes_a_new_certificate_of_the_same_authority(tmp_path: Any) -> None:
    pki = Pki(tmp_path / "pki")
    pki.ensure()
    authority, certificate = pki.authority_pem(), pki.server_certificate.read_bytes()
    pki.ensure(["10.1.2.3"])
    assert pki.authority_pem() == authority
    assert pki.server_certificate.read_bytes() != certificate


async def test_a_lasting_token_lives_with_its_secret(cluster: Cluster) -> None:
    annotation = {"kubernetes.io/service-account.name": "default"}
    secret = {"metadata": {"name": "ci", "annotations": annotation}, "type": "kubernetes.io/service-account-token"}
    cluster.api.create("secrets", "default", secret)
    async with asyncio.timeout(20):
        async for _, found in cluster.api.watch("secrets", "default"):
            if "token" in (data := found.get("data") or {}):
                break
    assert base64.b64decode(data["namespace"]) == b"default"
    assert base64.b64decode(data["ca.crt"]).decode() == cluster.pki.authority_pem()
    token = base64.b64decode(data["token"]).decode()
    assert (await status(cluster, "/api", token=token))[0] == 200
    cluster.api.delete("secrets", "default", "ci")
    assert (await status(cluster, "/api", token=token))[0] == 401
