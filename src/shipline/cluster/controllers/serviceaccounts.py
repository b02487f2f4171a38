"""What every namespace holds from the start: the ServiceAccount `default` and the certificate of the
cluster's authority.

Also deletes the token Secrets of ServiceAccounts that are no more.
"""

from __future__ import annotations

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.controllers.loop import Json, Loop, key_of
from shipline.cluster.controllers.workqueue import Key

ACCOUNT = "default"
AUTHORITY = "kube-root-ca.crt"
TOKEN = "kubernetes.io/service-account-token"
TOKEN_ACCOUNT = "kubernetes.io/service-account.name"
TOKEN_UID = "kubernetes.io/service-account.uid"


class NamespaceFurniture:
    """Puts the default ServiceAccount and the authority's certificate (PEM text) into each namespace."""

    def __init__(self, api: Api, authority: str) -> None:
        self._api = api
        self._authority = authority

    def loop(self) -> Loop:
        return (
            Loop("namespace-furniture", self._api, self.reconcile)
            .follow("namespaces", lambda namespace: [("", namespace["metadata"]["name"])])
            .follow("serviceaccounts", lambda account: _its_namespace(account, ACCOUNT))
            .follow("configmaps", lambda configmap: _its_namespace(configmap, AUTHORITY))
        )

    def reconcile(self, key: Key) -> None:
        """Complete one namespace."""
        name = key[1]
        try:
            namespace = self._api.stored("namespaces", None, name).obj
        except ApiError:
            return
        if namespace["metadata"].get("deletionTimestamp"):
            return
        self._ensure("serviceaccounts", name, {"metadata": {"name": ACCOUNT}})
        data = {"ca.crt": self._authority}
        present = self._ensure("configmaps", name, {"metadata": {"name": AUTHORITY}, "data": data})
        if present.get("data") != data:
            self._api.update("configmaps", name, {**present, "data": data})

    def _ensure(self, resource: str, namespace: str, obj: Json) -> Json:
        try:
            return self._api.get(resource, namespace, obj["metadata"]["name"])
        except ApiError:
            return self._api.create(resource, namespace, obj)


def _its_namespace(obj: Json, name: str) -> list[Key]:
    metadata = obj["metadata"]
    return [("", metadata["namespace"])] if metadata["name"] == name else []


class TokenSecrets:
    """Deletes Secrets that hold a token of a ServiceAccount that has gone."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def loop(self) -> Loop:
        return (
            Loop("token-secrets", self._api, self.reconcile)
            .follow("secrets", lambda secret: [key_of(secret)] if secret.get("type") == TOKEN else [])
            .follow("serviceaccounts", self._of_account)
        )

    def _of_account(self, account: Json) -> list[Key]:
        secrets = self._api.select("secrets", account["metadata"]["namespace"])
        return [key_of(stored.obj) for stored in secrets if stored.obj.get("type") == TOKEN]

    def reconcile(self, key: Key) -> None:
        """Delete one Secret if its ServiceAccount isn't there."""
        try:
            secret = self._api.stored("secrets", *key).obj
        except ApiError:
            return
        annotations = secret["metadata"].get("annotations") or {}
        if secret.get("type") != TOKEN or TOKEN_ACCOUNT not in annotations:
            return
        try:
            account = self._api.stored("serviceaccounts", key[0], annotations[TOKEN_ACCOUNT]).obj
            if annotations.get(TOKEN_UID, account["metadata"]["uid"]) == account["metadata"]["uid"]:
                return
        except ApiError:
            pass
        self._api.delete("secrets", *key)
