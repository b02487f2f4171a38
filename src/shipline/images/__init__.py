"""Recipes of the system images, and how they are pulled, mirrored or built without a public registry.

`ensure` puts images on a container engine; `registries` describes registries that run in a cluster. This room
knows the engine and nothing of pipelines, runners or clusters: what it needs of them it is given.
"""

from shipline.images.connection import connect
from shipline.images.errors import ImageError
from shipline.images.fill import push, system_images
from shipline.images.installation import Installation, Wish
from shipline.images.inventory import clean, overview
from shipline.images.recipe import names as recipe_names
from shipline.images.registry import Registry
from shipline.images.supply import ensure

__all__ = [
    "ImageError",
    "Installation",
    "Registry",
    "Wish",
    "clean",
    "connect",
    "ensure",
    "overview",
    "push",
    "recipe_names",
    "system_images",
]
