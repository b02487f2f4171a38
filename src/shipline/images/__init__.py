"""Recipes of the system images, and how they are pulled, mirrored or built without a public registry."""
