"""The connection to the container engine that images are made on."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiodocker

from shipline.images.errors import ImageError


@asynccontextmanager
async def connect() -> AsyncIterator[aiodocker.Docker]:
    """The engine that DOCKER_HOST names, else the one on this machine; `ImageError` when none answers."""
    try:
        docker = aiodocker.Docker(url=os.environ.get("DOCKER_HOST") or None)
    except (AssertionError, ValueError, aiodocker.DockerError) as error:
        raise _nobody(str(error) or "there is no socket of one") from None
    async with docker:
        try:
            await docker.version()
        except (aiodocker.DockerError, OSError) as error:
            raise _nobody(getattr(error, "message", None) or str(error)) from None
        yield docker


def _nobody(why: str) -> ImageError:
    return ImageError(
        f"no container engine answers: {why}. Start Docker or Podman (Debian: apt-get install docker.io), or name "
        "one with DOCKER_HOST"
    )
