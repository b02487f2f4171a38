"""Fills a registry with images that the engine has; layers that the registry has already are not sent again."""

from collections.abc import Callable, Mapping

import aiodocker

from shipline.images.errors import ImageError
from shipline.images.recipe import load, names
from shipline.images.supply import silent


def system_images() -> dict[str, str]:
    """Path in a mirror -> recipe, of every system image that a mirror serves."""
    return {recipe.served_as: recipe.name for recipe in map(load, names()) if recipe.served_as}


async def push(
    engine: aiodocker.Docker,
    endpoint: str,
    images: Mapping[str, str],
    login: tuple[str, str] | None = None,
    progress: Callable[[str], None] = silent,
) -> None:
    """Pushes path -> local image to the registry at `endpoint`, which the engine reaches.

    `ImageError` names the image that the engine does not have or the registry does not take.
    """
    auth = {"username": login[0], "password": login[1]} if login else None
    for path, image in images.items():
        repository, _, tag = path.rpartition(":") if ":" in path else (path, "", "latest")
        target = f"{endpoint}/{repository}"
        progress(f"{path}: pushing")
        try:
            await engine.images.tag(image, target, tag=tag)
            try:
                answer = await engine.images.push(target, tag=tag, auth=auth)
            finally:
                await engine.images.delete(f"{target}:{tag}", noprune=True)
        except aiodocker.DockerError as error:
            raise ImageError(f"pushing {image} to the registry as {path} failed: {error.message}") from error
        failed = next((part["error"] for part in answer if "error" in part), "")
        if failed:
            raise ImageError(f"pushing {image} to the registry as {path} failed: {failed}")
