"""The bare API's answers, against those recorded from a real Kubernetes (`data/recorded-api.jsonl`)."""

import json
import re
from pathlib import Path
from typing import Any

from tests.cluster.api.clients import client
from tests.cluster.api.conftest import Cluster

from shipline.cluster.api.call import Call

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "data/recorded-api.jsonl").open()]


def comparable(value: Any) -> Any:
    """An answer without what differs from run to run: uids, versions, times, random ends, our own texts."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>", text)
    text = re.sub(r'(resourceVersion"?: )"\d+"', r'\1"<version>"', text)
    text = re.sub(r'"continue": "[^"]+"', '"continue": "<more>"', text)
    text = re.sub(r'"\d+s"', '"<age>"', text)
    text = re.sub(r'"description": "[^"]+", ', "", text)
    return re.sub(r'"gen-[a-z0-9]{5}"', '"gen-<end>"', text)


def body(exchange: dict[str, Any]) -> str | None:
    request = exchange["request"]
    return request if request is None or isinstance(request, str) else json.dumps(request)


async def test_every_answer_is_the_recorded_one(cluster: Cluster) -> None:
    by_kubectl = Call(manager="kubectl-create")
    maps = [{"metadata": {"name": f"cm-{n}"}, "data": {"n": str(n)}} for n in range(1, 6)]
    for obj in [*maps, {"metadata": {"name": "kube-root-ca.crt"}}]:
        cluster.api.create("configmaps", "default", obj, by_kubectl)
    async with client(cluster) as session:
        for number, exchange in enumerate(RECORDED):
            if number == 5:
                label = {"metadata": {"labels": {"a": "b"}}}
                cluster.api.patch("configmaps", "default", "cm-1", label, call=Call(manager="kubectl-label"))
            async with session.request(
                exchange["method"], exchange["path"], headers=exchange["headers"], data=body(exchange)
            ) as answer:
                said = await answer.text()
                where = f"{exchange['method']} {exchange['path']} {body(exchange)}"
                assert answer.status == exchange["status"], where
                assert answer.content_type == exchange["content_type"], where
            recorded = exchange["response"]
            if isinstance(recorded, dict):
                assert comparable(json.loads(said)) == comparable(recorded), where
            elif recorded is not None:
                assert comparable(said) == comparable(recorded), where
