"""A real cluster for tests: its daemon, kubectl and the container engine of this machine."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shipline import cluster
from shipline.cluster.config import ClusterConfig

Json = dict[str, Any]

IMAGE = "shipline/pause"
"""A busybox."""

KUBECTL = str(Path(sysconfig.get_path("scripts")) / "kubectl")


class Live:
    """A running cluster."""

    def __init__(self, name: str, kubeconfig: Path) -> None:
        self.name = name
        self.kubeconfig = kubeconfig

    def kubectl(self, *arguments: str, given: str = "", status: int = 0) -> str:
        """What kubectl prints; asserts its exit status."""
        done = self.attempt(*arguments, given=given)
        assert done.returncode == status, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl, whatever comes of it."""
        return subprocess.run(
            [KUBECTL, *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a kubectl that goes on: a followed log, a forwarded port."""
        return subprocess.Popen(
            [KUBECTL, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )

    def apply(self, *objects: Json) -> None:
        """Create or change objects."""
        self.kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def run(self, spec: Json, name: str = "", **metadata: Any) -> str:
        """Create a pod and wait until it is ready; its name."""
        name = self.start(spec, name, **metadata)
        self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")
        return name

    def start(self, spec: Json, name: str = "", **metadata: Any) -> str:
        """Create a pod; its name."""
        name = name or f"pod-{secrets.token_hex(3)}"
        spec = {"terminationGracePeriodSeconds": 0} | spec
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec})
        return name

    def get(self, kind: str, name: str) -> Json:
        """An object."""
        return json.loads(self.kubectl("get", kind, name, "-o", "json"))  # type: ignore[no-any-return]

    def state(self, pod: str) -> Json:
        """The status of a pod's first container."""
        statuses = self.get("pod", pod)["status"].get("containerStatuses") or [{"state": {}}]
        return statuses[0]  # type: ignore[no-any-return]

    def sh(self, pod: str, script: str, container: str = "c") -> str:
        """What a shell script prints inside a container."""
        return self.kubectl("exec", pod, "-c", container, "--", "sh", "-c", script)

    def events(self, about: str) -> list[str]:
        """`Reason: message` of all Events about an object, the first first."""
        found = json.loads(
            self.kubectl("get", "events", "--field-selector", f"involvedObject.name={about}", "-o", "json")
        )
        items = sorted(found["items"], key=lambda event: event["metadata"]["creationTimestamp"])
        return [f"{event['reason']}: {event.get('message', '')}" for event in items]

    def until(self, what: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Wait until `what` gives something true, and return that."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, "it has not come about"
            time.sleep(0.1)
        return found


def container(script: str = "sleep 1000", **more: Any) -> Json:
    """A container `c` that runs a shell script."""
    return {
        "name": "c",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        **more,
    }


def pod(script: str = "sleep 1000", **more: Any) -> Json:
    """The spec of a pod with one such container; `more` is the container's."""
    return {"containers": [container(script, **more)]}


def images() -> None:
    """Have the images that a cluster runs on."""
    from shipline.images import connect, ensure

    async def make() -> None:
        async with connect() as engine:
            await ensure(engine, ["pause", "node"])

    asyncio.run(make())


@contextmanager
def running(home: Path, **config: Any) -> Iterator[Live]:
    """A cluster of its own below `home`, deleted afterwards."""
    images()
    name = f"test-{secrets.token_hex(3)}"
    before = os.environ.get("SHIPLINE_HOME")
    os.environ["SHIPLINE_HOME"] = str(home)
    try:
        yield Live(name, cluster.start(name, ClusterConfig(name=name, log_level="DEBUG", **config)))
    finally:
        cluster.delete(name)
        os.environ.pop("SHIPLINE_HOME")
        if before is not None:
            os.environ["SHIPLINE_HOME"] = before
