"""Lasting tokens: a Secret of type `kubernetes.io/service-account-token` is filled for the account it names.

Such a token has no end of its own. It is good as long as its Secret holds it and its service account lives.
"""

from __future__ import annotations

import base64
from typing import Any

from shipline.cluster.api.call import Call, User
from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.tokens import LASTING_ISSUER, Lookup, TokenKey

Json = dict[str, Any]

TYPE = "kubernetes.io/service-account-token"
_ACCOUNT = "kubernetes.io/service-account.name"
_UID = "kubernetes.io/service-account.uid"
_CLAIM = "kubernetes.io/serviceaccount/"
_CALL = Call(manager="kube-controller-manager")


async def fill_secrets(api: Api, key: TokenKey, authority: str) -> None:
    """Fill the Secrets that there are and those to come, for ever. `authority` is the CA's certificate as PEM."""
    while True:
        watch = api.watch("secrets", field_selector=f"type={TYPE}")
        try:
            async for kind, secret in watch:
                if kind != "DELETED":
                    _fill(api, key, authority, secret)
        except ApiError:
            continue  # Too far behind: begin with what is there now.


def _fill(api: Api, key: TokenKey, authority: str, secret: Json) -> None:
    metadata = secret["metadata"]
    annotations = metadata.setdefault("annotations", {})
    namespace = metadata["namespace"]
    account = api.look_up("serviceaccounts", namespace, annotations.get(_ACCOUNT, ""))
    if account is None or metadata.get("deletionTimestamp"):
        return
    data = secret.setdefault("data", {})
    wanted = {"ca.crt": authority, "namespace": namespace}
    if "token" not in data:
        wanted["token"] = key.sign(_claims(secret, account))
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in wanted.items()}
    if annotations.get(_UID) == account["metadata"]["uid"] and encoded.items() <= data.items():
        return
    data.update(encoded)
    annotations[_UID] = account["metadata"]["uid"]
    try:
        api.update("secrets", namespace, secret, _CALL)
    except ApiError:
        return  # It has changed meanwhile; the watch brings it again.


def _claims(secret: Json, account: Json) -> Json:
    namespace, name = account["metadata"]["namespace"], account["metadata"]["name"]
    return {
        "iss": LASTING_ISSUER,
        f"{_CLAIM}namespace": namespace,
        f"{_CLAIM}secret.name": secret["metadata"]["name"],
        f"{_CLAIM}service-account.name": name,
        f"{_CLAIM}service-account.uid": account["metadata"]["uid"],
        "sub": f"system:serviceaccount:{namespace}:{name}",
    }


def user_of(claims: Json, token: str, look_up: Lookup) -> User | None:
    """Whom a verified lasting token names; None when its Secret or its account no longer stands for it."""
    namespace = claims.get(f"{_CLAIM}namespace", "")
    secret = look_up("secrets", namespace, claims.get(f"{_CLAIM}secret.name", ""))
    account = look_up("serviceaccounts", namespace, claims.get(f"{_CLAIM}service-account.name", ""))
    uid = claims.get(f"{_CLAIM}service-account.uid")
    if secret is None or account is None or account["metadata"]["uid"] != uid:
        return None
    held = base64.b64decode((secret.get("data") or {}).get("token", ""))
    if held != token.encode() or secret["metadata"].get("deletionTimestamp"):
        return None
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(claims["sub"], groups, uid)
