"""`shipline cache`: what jobs have left for later ones, and throwing it away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

if TYPE_CHECKING:
    from shipline.engine.repository import Repository
    from shipline.objects import Objects, Stored

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def cache() -> None:
    """Look at the caches of this repository's jobs, and clear them.

    They are in the state directory, or where the runner's config.toml says (`cache_dir`, `[runners.cache]`).
    """


@cache.command("list")
@click.option("--config", type=FILE, help="The runner's config.toml.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: keys, bytes, Unix seconds, and where each is.")
def list_caches(config: Path | None, as_json: bool) -> None:
    """List the caches of the repository you are in: key, size, and when each was last used."""
    from shipline.cli.state import opened_repository
    from shipline.objects.folder import age

    with opened_repository() as repository:
        found = asyncio.run(_found(repository, config))
    if as_json:
        rows = [
            {"key": key, "size": stored.size, "used_at": stored.changed, "place": place.place(stored.name)}
            for key, place, stored in found
        ]
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    if not found:
        click.echo("No cache: a job with `cache:` leaves one.", err=True)
        return
    width = max(len(each.key) for each in found)
    for each in sorted(found, key=lambda each: -each.stored.changed):
        stored = each.stored
        click.echo(f"{each.key.ljust(width)}  {_size(stored.size):>10}  {_ago(age(stored))} ago")


@cache.command("clear")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--config", type=FILE, help="The runner's config.toml.")
def clear(keys: tuple[str, ...], config: Path | None) -> None:
    """Remove the caches of the repository you are in: those with these KEYs, or all."""
    from shipline.cli.state import opened_repository

    async def removed() -> list[Cache]:
        found = [each for each in await _found(repository, config) if not keys or each.key in keys]
        for each in found:
            await each.place.remove(each.stored.name)
        return found

    with opened_repository() as repository:
        gone = asyncio.run(removed())
    missing = [key for key in keys if key not in {each.key for each in gone}]
    if missing:
        raise click.UsageError(f"There is no cache {', '.join(missing)}. `shipline cache list` lists them.")
    what = "1 cache" if len(gone) == 1 else f"{len(gone)} caches"
    click.echo(f"Removed {what}, {_size(sum(each.stored.size for each in gone))}.")


class Cache(NamedTuple):
    """One cache, and where it is."""

    key: str
    place: Objects
    stored: Stored


async def _found(repository: Repository, config: Path | None) -> list[Cache]:
    """The repository's caches in each place that a runner here uses."""
    from shipline.cli.runners import settings
    from shipline.cli.state import opened_pipelines
    from shipline.objects.folder import Folder
    from shipline.runner.cache.keys import bucket_folder, disk_folder, shown_key
    from shipline.runner.cache.store import open_cache

    with opened_pipelines() as pipelines:
        number = pipelines.store.project(str(repository.path)).id
    found: dict[str, Cache] = {}
    for runner in settings(config).runners:
        runner = msgspec.structs.replace(runner, url="")  # as in `shipline run`, whose jobs are no server's
        place = open_cache(runner)
        if place is None:
            continue
        is_folder = isinstance(place, Folder)
        below = disk_folder(runner, number) if is_folder else bucket_folder(runner, number, repository.project_path)
        async for stored in place.list(below):
            name = stored.name.removeprefix(f"{below}/")
            found.setdefault(place.place(stored.name), Cache(shown_key(name) if is_folder else name, place, stored))
    return list(found.values())


def _size(size: int) -> str:
    number, unit = float(size), 0
    while number >= 1024 and unit < len(UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{size} B" if unit == 0 else f"{number:.1f} {UNITS[unit]}"


def _ago(seconds: float) -> str:
    for length, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.0f} seconds"
