"""`shipline images`: makes the system images, and says which ones there are."""

from __future__ import annotations

import asyncio

import click


@click.group()
def images() -> None:
    """Build or pull the system images: what the cluster, the runner and the registries run.

    Commands make the ones that they need by themselves; this is for doing it beforehand, and for looking.
    """


@images.command()
@click.argument("names", nargs=-1)
def make(names: tuple[str, ...]) -> None:
    """Make the named system images, or all of them.

    Those that are there by content are left alone; the others are pulled where a public registry (or the one in
    SHIPLINE_IMAGE_REGISTRY; `none` to never pull) can be reached, and built from Debian's packages where not.
    """
    made = asyncio.run(_make(list(names)))
    for reference in made.values():
        click.echo(reference)


async def _make(names: list[str]) -> dict[str, str]:
    from shipline.images import connect, ensure, recipe_names

    async with connect() as engine:
        return await ensure(engine, names or recipe_names(), lambda text: click.echo(text, err=True))


@images.command(name="list")
def list_images() -> None:
    """List the system images: present or not, their size, and what they are for."""
    click.echo(f"{'IMAGE':<42} {'SIZE':>8}  WHAT IT IS")
    for reference, size, about in asyncio.run(_list()):
        click.echo(f"{reference:<42} {f'{size / 1e6:.0f} MB' if size else 'missing':>8}  {about}")


async def _list() -> list[tuple[str, int, str]]:
    from shipline.images import connect, overview

    async with connect() as engine:
        return await overview(engine)


@images.command()
@click.option("--all", "everything", is_flag=True, help="Also those that are in use by this version of Shipline.")
def clean(everything: bool) -> None:
    """Remove system images that an earlier version of Shipline made.

    Images that a container still uses stay.
    """
    for reference in asyncio.run(_clean(everything)):
        click.echo(f"removed {reference}")


async def _clean(everything: bool) -> list[str]:
    from shipline.images import clean, connect

    async with connect() as engine:
        return await clean(engine, everything)
