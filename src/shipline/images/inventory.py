"""What system images the engine has, and which of them nobody needs any more."""

from collections.abc import Collection
from typing import Any

import aiodocker

from shipline.images import authorities
from shipline.images.recipe import lineage, load, names


def current() -> dict[str, str]:
    """Reference by content -> recipe, of every recipe as it is now."""
    trusted = authorities.of_host()
    return {f"shipline/{name}:{load(name).fingerprint(trusted)}": name for name in names()}


async def overview(engine: aiodocker.Docker) -> list[tuple[str, int, str]]:
    """(reference, bytes or 0 when absent, what it is for) of every recipe."""
    sizes = {tag: image["Size"] for image in await _ours(engine) for tag in image["RepoTags"] or []}
    return [(reference, sizes.get(reference, 0), load(name).about) for reference, name in current().items()]


async def clean(engine: aiodocker.Docker, everything: bool = False, only: Collection[str] = ()) -> list[str]:
    """Removes what no recipe describes any more, or all; gives the references. What a container uses stays.

    With `only`, images of other recipes are left alone.
    """
    keep = {} if everything else current()
    removed = []
    # What stands on another image goes before it.
    for image in sorted(await _ours(engine), key=lambda image: -len(lineage_of(image))):
        tags = image["RepoTags"] or []
        if any(tag in keep for tag in tags) or (only and image["Labels"]["shipline.recipe"] not in only):
            continue
        for reference in tags or [image["Id"]]:
            try:
                await engine.images.delete(reference)
            except aiodocker.DockerError as error:
                if error.status not in (404, 409):  # 409: in use
                    raise
                continue
            removed.append(reference)
    return removed


def lineage_of(image: Any) -> list[str]:
    """The recipes an image was made of; of a recipe that is no more, none."""
    name: str = image["Labels"]["shipline.recipe"]
    return lineage(name) if name in names() else []


async def _ours(engine: aiodocker.Docker) -> list[Any]:
    return await engine.images.list(filters={"label": ["shipline.recipe"]})
