"""What is known of one container of a pod, in the shape that its status shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class ContainerState:
    """A container over all its attempts. Exactly one of waiting, running_since and terminated says where it is.

    `attempt` is the restart count; `last` how the attempt before ended.
    """

    spec: Json
    init: bool = False
    attempt: int = 0
    id: str = ""
    image: str = ""
    image_id: str = ""
    waiting: tuple[str, str] | None = ("ContainerCreating", "")
    running_since: str = ""
    terminated: Json | None = None
    last: Json | None = None
    ready: bool = False
    started: bool = False

    @property
    def name(self) -> str:
        """The container's name in the pod."""
        return str(self.spec["name"])

    @property
    def sidecar(self) -> bool:
        """An init container that goes on beside the others."""
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def running(self) -> bool:
        """It runs now."""
        return bool(self.running_since)

    @property
    def succeeded(self) -> bool:
        """It has ended with exit status 0."""
        return self.terminated is not None and self.terminated["exitCode"] == 0

    @property
    def passed(self) -> bool:
        """As an init container: the next one may start."""
        return self.started if self.sidecar else self.succeeded

    def waits(self, reason: str, message: str = "") -> None:
        """It does not run, for this reason. What has ended becomes the last state."""
        if self.terminated is not None:
            self.last, self.terminated = self.terminated, None
        self.waiting, self.running_since = (reason, message), ""
        self.ready = self.started = False

    def runs(self, since: str) -> None:
        """It has started."""
        if self.terminated is not None:
            self.last, self.terminated = self.terminated, None
        self.waiting, self.running_since = None, since

    def ended(self, terminated: Json) -> None:
        """It has ended: the content of `state.terminated`."""
        self.waiting, self.running_since, self.terminated = None, "", terminated
        self.ready = self.init and not self.sidecar and terminated["exitCode"] == 0
        self.started = False

    def status(self) -> Json:
        """The entry of containerStatuses or initContainerStatuses."""
        spec = self.spec
        status: Json = {
            "name": self.name,
            "image": self.image or spec["image"],
            "imageID": self.image_id,
            "lastState": {"terminated": self.last} if self.last else {},
            "ready": self.ready,
            "restartCount": self.attempt,
            "started": self.started,
            "state": self._state(),
        }
        if self.id:
            status["containerID"] = f"docker://{self.id}"
            status["resources"] = spec.get("resources") or {}
            if requests := (spec.get("resources") or {}).get("requests"):
                status["allocatedResources"] = requests
        if mounts := spec.get("volumeMounts"):
            status["volumeMounts"] = [_mount(mount) for mount in mounts]
        return status

    def _state(self) -> Json:
        if self.terminated is not None:
            return {"terminated": self.terminated}
        if self.running_since:
            return {"running": {"startedAt": self.running_since}}
        reason, message = self.waiting or ("ContainerCreating", "")
        return {"waiting": {"reason": reason} | ({"message": message} if message else {})}

    def remember(self, status: Json) -> None:
        """Take over what an earlier kubelet has written of this container."""
        self.attempt = status.get("restartCount", 0)
        self.image, self.image_id = status.get("image", ""), status.get("imageID", "")
        self.id = status.get("containerID", "").removeprefix("docker://")
        self.last = (status.get("lastState") or {}).get("terminated")
        self.terminated = (status.get("state") or {}).get("terminated")
        if self.terminated is not None:
            self.ended(self.terminated)


def _mount(mount: Json) -> Json:
    shown: Json = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        shown |= {"readOnly": True, "recursiveReadOnly": mount.get("recursiveReadOnly", "Disabled")}
    return shown
