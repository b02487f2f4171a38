"""The services of a job: container names, the host names that scripts reach them by, and what they are started
with."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from shipline.protocol.payload import Image
from shipline.runner.config import ServiceConfig
from shipline.runner.job import Job
from shipline.runner.pod.image_names import image_name

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")


class Service(msgspec.Struct):
    """`container` is the name in the pod, `aliases` the host names, `port` what HEALTHCHECK_TCP_PORT asks to
    wait for."""

    container: str
    image: str
    aliases: list[str]
    command: list[str]
    entrypoint: list[str]
    environment: dict[str, str]
    port: int
    pull_policy: list[str]

    @property
    def title(self) -> str:
        """How a log names it."""
        return f"{self.aliases[0] if self.aliases else self.container} ({self.image})"


def services(job: Job) -> list[Service]:
    """The runner's own services, then the job's."""
    images = [*(_configured(service) for service in job.config.kubernetes.services), *job.payload.services]
    return [_service(f"svc-{number}", image, job) for number, image in enumerate(images)]


def _configured(service: ServiceConfig) -> Image:
    return Image(service.name, service.alias or None, service.command or None, service.entrypoint or None)


def _service(container: str, image: Image, job: Job) -> Service:
    own = image.variables or []
    values = job.variables.extended(own).exports()
    environment = job.variables.public() | {each.key: values[each.key] for each in own if each.key in values}
    name = image_name(image.name, job.variables)
    port = environment.get("HEALTHCHECK_TCP_PORT") or job.variables.get("HEALTHCHECK_TCP_PORT")
    return Service(
        container=container,
        image=name,
        aliases=aliases(name, _given(image, job)),
        command=list(image.command or []),
        entrypoint=[word for word in image.entrypoint or [] if word],
        environment=environment,
        port=int(port) if port.isdigit() else 0,
        pull_policy=image.pull_policy or [],
    )


def aliases(image: str, given: Iterable[str]) -> list[str]:
    """The names given, then those made of the image's: its path with a dash, and with two underscores, for each
    slash. What is no host name is left out, since a pod with it would be refused."""
    path = image.partition("@")[0]
    folder, slash, last = path.rpartition("/")
    path = folder + slash + last.partition(":")[0]
    path = re.sub(r":\d+(?=/)", "", path)
    names = [*given, path.replace("/", "__"), path.replace("/", "-")]
    return list(dict.fromkeys(name for name in names if _HOST.match(name)))


def unusable_aliases(job: Job) -> list[str]:
    """Names that were asked for and are no host names."""
    names = [name for image in job.payload.services for name in _given(image, job)]
    return [name for name in names if not _HOST.match(name)]


def _given(image: Image, job: Job) -> list[str]:
    return [name for name in re.split(r"[,\s]+", job.variables.expand(image.alias or "")) if name]
