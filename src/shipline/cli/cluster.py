"""`shipline cluster`: starts, shows, stops and deletes the embedded Kubernetes."""

from __future__ import annotations

import click

_NAME = click.argument("name", default="default")


@click.group()
def cluster() -> None:
    """Start, inspect and delete the embedded Kubernetes cluster.

    Clusters have names; several run side by side. NAME is `default` where none is given.
    """


@cluster.command()
@_NAME
@click.option("--port", type=int, default=None, help="The API's port on 127.0.0.1. [default: a free one]")
@click.option(
    "--subnet", default=None, help="The network of pods and Services, like 10.200.0.0/16. [default: a free one]"
)
@click.option("--node-port-address", default=None, help="Where node ports listen. [default: 127.0.0.1]")
@click.option("--dns", multiple=True, help="A name server for names outside the cluster. [default: the host's]")
def start(
    name: str, port: int | None, subnet: str | None, node_port_address: str | None, dns: tuple[str, ...]
) -> None:
    """Start a cluster, or do nothing where it runs.

    What the options say is kept for later starts.
    """
    import asyncio

    import msgspec

    from shipline import cluster as room
    from shipline.cluster.config import Home

    asyncio.run(_images())
    given = {"port": port, "subnet": subnet, "node_port_address": node_port_address, "dns": list(dns) or None}
    changes = {field: value for field, value in given.items() if value is not None}
    config = msgspec.structs.replace(Home(name).read_config(), **changes) if changes else None
    kubeconfig = room.start(name, config)
    click.echo(f"The cluster '{name}' runs at {room.status(name).server}. To use it:", err=True)
    click.echo(f"export KUBECONFIG={kubeconfig}")


async def _images() -> None:
    """Make the two system images that a cluster itself runs."""
    from shipline.images import connect, ensure

    async with connect() as engine:
        await ensure(engine, ["pause", "node"], lambda text: click.echo(text, err=True))


@cluster.command()
@_NAME
def stop(name: str) -> None:
    """Stop a cluster: the daemon and all containers. Its objects stay for the next start."""
    from shipline import cluster as room

    click.echo(f"The cluster '{name}' has stopped." if room.stop(name) else f"The cluster '{name}' did not run.")


@cluster.command()
@_NAME
def status(name: str) -> None:
    """Say how a cluster is. The exit status is 0 where it runs, 3 where not."""
    from shipline import cluster as room

    found = room.status(name)
    others = [other for other in room.clusters() if other != name]
    if found.state == "running":
        click.echo(f"The cluster '{name}' runs at {found.server} (process {found.pid}).")
        click.echo(f"export KUBECONFIG={found.kubeconfig}")
    elif found.state == "stopped":
        click.echo(f"The cluster '{name}' is stopped; `shipline cluster start {name}` starts it.")
    else:
        click.echo(f"There is no cluster '{name}'; `shipline cluster start {name}` makes it.")
    for other in others:
        click.echo(f"There is also '{other}': {room.status(other).state}.")
    if found.state != "running":
        raise SystemExit(3)


@cluster.command()
@_NAME
def delete(name: str) -> None:
    """Remove a cluster with everything it made: containers, volumes, network, rules and files."""
    from shipline import cluster as room

    click.echo(f"The cluster '{name}' is gone." if room.delete(name) else f"There was no cluster '{name}'.")


@cluster.command()
@_NAME
@click.option("--path", is_flag=True, help="Print where the file is instead of what it holds.")
def kubeconfig(name: str, path: bool) -> None:
    """Print the kubeconfig of a cluster, for kubectl and any other client."""
    from shipline import cluster as room

    found = room.status(name)
    if not found.kubeconfig.is_file():
        raise room.ClusterError(f"there is no cluster '{name}'; `shipline cluster start {name}` makes it")
    click.echo(found.kubeconfig if path else found.kubeconfig.read_text(), nl=path)
