"""`shipline registry`: registries that run inside the embedded cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from shipline.cli.state import home

if TYPE_CHECKING:
    from shipline.images import Installation, Wish

cluster_option = click.option(
    "--cluster", default="default", show_default=True, envvar="SHIPLINE_CLUSTER", help="Name of the cluster."
)


@click.group()
def registry() -> None:
    """Run private registries inside the embedded cluster.

    A registry is known by one name everywhere: inside jobs, inside Docker-in-Docker, and to the cluster when it
    pulls an image. No file of this machine is changed for that.
    """


@registry.command()
@click.argument("name")
@click.option("--user", help="Let only this user in. The password comes from standard input or a prompt.")
@click.option("--port", type=click.IntRange(1, 65535), help="The container engine's way in, on 127.0.0.1.")
@click.option("--system-images", is_flag=True, help="Fill it with docker, docker:dind, kubectl and Python.")
@click.option(
    "--image", "images", multiple=True, metavar="PATH=IMAGE", help="Push an image of the engine under this path."
)
@click.option("--mirror-of", multiple=True, metavar="REGISTRY", help="Pull images of that registry from here, too.")
@cluster_option
def add(
    name: str,
    user: str | None,
    port: int | None,
    system_images: bool,
    images: tuple[str, ...],
    mirror_of: tuple[str, ...],
    cluster: str,
) -> None:
    """Start the registry NAME (like registry.example.com), or change it.

    \b
    Examples:
      echo "$PASSWORD" | shipline registry add private-registry.example.com --user robot
      shipline registry add registry.example.com --system-images --mirror-of docker.io
    """
    from shipline.cli.typed import secret
    from shipline.images import Wish

    contents = dict(_pair(text) for text in images)
    login = (user, secret(f"Password of {user}", twice=True)) if user else None
    wish = Wish(name, port or 0, login, mirror_of)
    endpoint = asyncio.run(_add(cluster, wish, contents, system_images))
    click.echo(f"{name} answers; the container engine reaches it at {endpoint}.")


async def _add(cluster: str, wish: Wish, contents: dict[str, str], with_system_images: bool) -> str:
    from shipline.images import connect, ensure, push, system_images

    def tell(text: str) -> None:
        click.echo(text, err=True)

    served = system_images() if with_system_images else {}
    async with connect() as engine:
        made = await ensure(engine, ["registry", *served.values()], tell)
        async with _installation(cluster, made["registry"]) as installation:
            added = await installation.add(wish)
        await push(engine, added.endpoint, {p: made[n] for p, n in served.items()} | contents, wish.login, tell)
    return added.endpoint


@registry.command(name="list")
@cluster_option
def list_registries(cluster: str) -> None:
    """List the registries of the cluster and where they are reached."""
    entries = asyncio.run(_known(cluster))
    if not entries:
        click.echo("There is no registry; `shipline registry add NAME` starts one.", err=True)
        return
    click.echo(f"{'NAME':<32} {'FOR THE ENGINE':<18} FOR PODS")
    for entry in entries:
        click.echo(f"{entry['name']:<32} {entry['endpoint']:<18} {entry['address'] or '-'}")


async def _known(cluster: str) -> list[dict[str, str]]:
    async with _installation(cluster, "") as installation:
        return await installation.known()


@registry.command()
@click.argument("name")
@cluster_option
def remove(name: str, cluster: str) -> None:
    """Stop the registry NAME and delete all that it keeps."""
    asyncio.run(_remove(cluster, name))
    click.echo(f"{name} is gone.")


async def _remove(cluster: str, name: str) -> None:
    async with _installation(cluster, "") as installation:
        await installation.remove(name)


@asynccontextmanager
async def _installation(cluster: str, image: str) -> AsyncIterator[Installation]:
    """The registries of the embedded cluster of that name, by its kubeconfig."""
    from shipline.images import ImageError, Installation
    from shipline.runner.kubernetes.client import Client
    from shipline.runner.kubernetes.errors import ApiError, Unreachable
    from shipline.runner.kubernetes.kubeconfig import load

    folder = home() / "clusters" / cluster
    if not (folder / "kubeconfig").is_file():
        raise ImageError(f"there is no cluster '{cluster}'; `shipline cluster start {cluster}` starts it")
    client = Client(load(str(folder / "kubeconfig")))
    try:
        yield Installation(client, image, folder / "registries")
    except ApiError as error:
        raise ImageError(f"the cluster '{cluster}' refused: {error}") from error
    except Unreachable as error:
        raise ImageError(
            f"the cluster '{cluster}' does not answer: {error}; `shipline cluster start {cluster}` starts it"
        ) from None
    finally:
        await client.close()


def _pair(text: str) -> tuple[str, str]:
    path, equals, image = text.partition("=")
    if not path or not equals or not image:
        raise click.UsageError(f"--image {text}: write PATH=IMAGE, like library/python:3.9-slim=my-python:latest")
    return path, image
