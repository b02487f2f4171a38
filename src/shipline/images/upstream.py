"""Public images that stand for a recipe, pulled where a registry has them.

The engine is asked, not the network of this process: it is the engine that pulls, and on some machines it sits
elsewhere. Asking costs one request for a manifest, with a short limit.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import aiodocker

from shipline.images.errors import ImageError
from shipline.images.recipe import Recipe

LONGEST_ANSWER = 5.0  # seconds to wait for a registry's first answer


def reference(upstream: str) -> str:
    """Where to pull it: Docker's public registry, or the one in SHIPLINE_IMAGE_REGISTRY (`host[:port]`)."""
    registry = os.environ.get("SHIPLINE_IMAGE_REGISTRY", "").rstrip("/")
    if not registry:
        return upstream
    return f"{registry}/{upstream if '/' in upstream else f'library/{upstream}'}"


async def reachable(engine: aiodocker.Docker, recipe: Recipe) -> bool:
    """Whether the engine gets the manifest of the recipe's upstream image within a few seconds."""
    if not recipe.upstream or os.environ.get("SHIPLINE_IMAGE_REGISTRY") == "none":
        return False
    try:
        async with asyncio.timeout(LONGEST_ANSWER):
            await engine._query_json(f"distribution/{reference(recipe.upstream)}/json")
    except (TimeoutError, aiodocker.DockerError):
        return False
    return True


async def pull(engine: aiodocker.Docker, recipe: Recipe, progress: Callable[[str], None]) -> str:
    """Pulls the recipe's upstream image and returns the name it has on the engine."""
    name = reference(recipe.upstream)
    progress(f"{recipe.name}: pulling {name}")
    try:
        answer: list[dict[str, Any]] = await engine.images.pull(name)
    except aiodocker.DockerError as error:
        raise ImageError(f"pulling {name} for the system image '{recipe.name}' failed: {error.message}") from error
    failed = next((line["error"] for line in answer if "error" in line), "")
    if failed:
        raise ImageError(f"pulling {name} for the system image '{recipe.name}' failed: {failed}")
    return name
