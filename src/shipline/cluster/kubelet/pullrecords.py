"""By which credentials images came onto the node.

An image that was pulled with a password is not for everybody because it is on the node: a pod may use it if
it has a credential that pulled it, else it has to pull it itself, and so to prove its right. Images that were
pulled without a credential, or that were on the engine before, are for all.

The records outlive the daemon in a Secret; passwords are in it as digests only.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api

Json = dict[str, Any]

NAMESPACE, NAME = "kube-system", "shipline-pulled-images"
ANYBODY = "*"
_MOST = 1000
"""The most ids and names that are remembered."""


class PullRecords:
    """What pulled which image, by the image's id and by the name it was pulled under.

    The name counts for an image that we don't know: somebody else has given it that name since.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._records: dict[str, list[str]] | None = None

    def note(self, image: str, name: str, credential: Json | None) -> None:
        """An image was pulled with `credential`, or without any."""
        records = self._load()
        proof = ANYBODY if credential is None else _proof(credential)
        missing = [proofs for key in (image, name) if proof not in (proofs := records.setdefault(key, []))]
        if not missing:
            return
        for proofs in missing:
            proofs.append(proof)
        while len(records) > _MOST:
            del records[next(iter(records))]
        self._store(records)

    def may_use(self, image: str, name: str, credentials: Iterable[Json]) -> bool:
        """Whether a pod with these credentials may use an image that is on the node."""
        records = self._load()
        proofs = records.get(image, records.get(name))
        if proofs is None or ANYBODY in proofs:
            return True
        return any(_proof(credential) in proofs for credential in credentials)

    def _load(self) -> dict[str, list[str]]:
        if self._records is None:
            try:
                data = self._api.get("secrets", NAMESPACE, NAME).get("data") or {}
                self._records = dict(json.loads(base64.b64decode(data.get("images", "e30="))))
            except (ApiError, ValueError):
                self._records = {}
        return self._records

    def _store(self, records: dict[str, list[str]]) -> None:
        text = base64.b64encode(json.dumps(records).encode()).decode()
        secret = {"metadata": {"name": NAME, "namespace": NAMESPACE}, "data": {"images": text}}
        try:
            self._api.update("secrets", NAMESPACE, secret)
        except ApiError as error:
            if error.status_code != 404:
                raise
            self._api.create("secrets", NAMESPACE, secret)


def _proof(credential: Json) -> str:
    """A digest that two equal credentials have in common and from which neither is to be had cheaply."""
    text = json.dumps(credential, sort_keys=True).encode()
    return hashlib.scrypt(text, salt=NAME.encode(), n=2**10, r=8, p=1, dklen=16).hex()
