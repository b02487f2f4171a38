"""Recipes of the system images, and how they are pulled, mirrored or built without a public registry.

`ensure` puts images on a container engine; `registries` describes registries that run in a cluster. This room
knows the engine and nothing of pipelines, runners or clusters: what it needs of them it is given.
"""

from shipline.images.errors import ImageError
from shipline.images.fill import push, system_images
from shipline.images.registry import Registry
from shipline.images.supply import ensure

__all__ = ["ImageError", "Registry", "ensure", "push", "system_images"]
