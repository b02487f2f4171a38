"""`shipline runner`: serves a server's jobs, this one's or a GitLab's, as the config.toml of gitlab-runner says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shipline.cli.options import Where, where_jobs_run

if TYPE_CHECKING:
    from shipline.runner import RunnerConfig
    from shipline.runner.http_coordinator import HttpCoordinator

CREATED = "glrt-"
"""How the token of a runner begins that was made at the server."""


@click.group()
def runner() -> None:
    """Serve a server's jobs: a Shipline server's, or a GitLab's."""


def config_option(command: click.decorators.FC) -> click.decorators.FC:
    file = click.Path(dir_okay=False, path_type=Path)
    return click.option("--config", type=file, help="The runner's config.toml.")(command)


@runner.command()
@click.option("--url", required=True, envvar="CI_SERVER_URL", help="The server.")
@click.option("--token", envvar="CI_SERVER_TOKEN", help="Better left to the prompt, or given on standard input.")
@click.option("--name", default="", help="What the runner is called here.")
@click.option("--executor", type=click.Choice(["auto", "kubernetes", "shell"]), default="auto", show_default=True)
@click.option("--tag-list", default="", help="Tags, with commas; for a registration token.")
@click.option("--run-untagged/--no-run-untagged", default=True, help="For a registration token.")
@config_option
def register(
    url: str, token: str | None, name: str, executor: str, tag_list: str, run_untagged: bool, config: Path | None
) -> None:
    """Add a runner to config.toml, with a runner's token (glrt-...) or a registration token."""
    from shipline.cli.typed import secret
    from shipline.runner import RunnerConfig, RunnerError

    path = _path(config)
    name = name or _host_name()
    given = token or secret("Token")

    async def registered() -> str:
        entry = RunnerConfig(name=name, url=url, token=given)
        coordinator = _coordinator(entry, path)
        try:
            if not given.startswith(CREATED):
                tags = [tag.strip() for tag in tag_list.split(",") if tag.strip()]
                return await coordinator.register(description=name, tag_list=tags, run_untagged=run_untagged)
            if tag_list:
                raise RunnerError("--tag-list: the tags of a runner that was made at the server are set there.")
            if not await coordinator.verify():
                raise RunnerError(f"{url} does not know this token. Make a runner there, and use its token.")
            return given
        finally:
            await coordinator.close()

    from shipline.cli.runner_file import add

    add(path, name=name, url=url, token=asyncio.run(registered()), executor=executor)
    click.echo(f"The runner {name} is in {path}. `shipline runner run` serves its jobs.")


@runner.command()
@config_option
def verify(config: Path | None) -> int:
    """Ask the servers whether they know the runners of config.toml."""
    path = _path(config)

    async def known(entry: RunnerConfig) -> bool:
        coordinator = _coordinator(entry, path)
        try:
            return await coordinator.verify()
        finally:
            await coordinator.close()

    missing = 0
    for entry in _entries(path):
        alive = asyncio.run(known(entry))
        missing += not alive
        click.echo(f"{entry.name} at {entry.url}: {'is known' if alive else 'is not known any more'}")
    return 1 if missing else 0


@runner.command()
@click.argument("name")
@config_option
def unregister(name: str, config: Path | None) -> None:
    """Take the runner NAME off its server and out of config.toml."""
    from shipline.cli.runner_file import remove

    path = _path(config)
    found = [entry for entry in _entries(path) if entry.name == name]
    if not found:
        raise click.UsageError(f"{path} has no runner '{name}'.")

    async def gone(entry: RunnerConfig) -> None:
        coordinator = _coordinator(entry, path)
        try:
            await coordinator.unregister()
        finally:
            await coordinator.close()

    for entry in found:
        asyncio.run(gone(entry))
        remove(path, entry.token)
    click.echo(f"The runner {name} is gone.")


@runner.command()
@click.option("--listen-address", metavar="HOST:PORT", help="Where /metrics and /healthz are; as in config.toml.")
@where_jobs_run
def run(listen_address: str | None, where: Where) -> int:
    """Serve jobs until told to stop.

    config.toml is read again when it changes. The first Ctrl-C (or SIGQUIT) lets running jobs end; the second, or
    SIGTERM, aborts them.
    """
    from shipline.cli.runner_loop import Settings, serve_jobs
    from shipline.cli.runners import Hands, runners
    from shipline.runner import ConfigFile

    path = _path(where.config)
    _entries(path)

    def read() -> Hands:
        entries = [entry for entry in ConfigFile.load(path).runners if entry.url]
        pods = any(entry.executor != "shell" for entry in entries)
        return runners(where._replace(config=path), pods, lambda line: click.echo(line, err=True))

    hands = read()
    address = listen_address or ConfigFile.load(path).listen_address
    return asyncio.run(serve_jobs(Settings(path, read, address), hands))


def _path(config: Path | None) -> Path:
    from shipline.cli.state import config_path

    return (config or config_path()).absolute()


def _entries(path: Path) -> list[RunnerConfig]:
    """The runners of config.toml that belong to a server."""
    from shipline.runner import ConfigFile

    if not path.exists():
        raise click.UsageError(f"There is no {path}. `shipline runner register` makes it.")
    entries = [entry for entry in ConfigFile.load(path).runners if entry.url and entry.token]
    if not entries:
        raise click.UsageError(f"{path} has no runner with a url and a token. `shipline runner register` adds one.")
    return entries


def _coordinator(entry: RunnerConfig, path: Path) -> HttpCoordinator:
    from shipline.runner.http_coordinator import HttpCoordinator
    from shipline.runner.system_id import system_id
    from shipline.runner.tls import Tls

    own = system_id(path.parent / ".runner_system_id")
    return HttpCoordinator(entry.url, entry.token, own, executor=entry.executor, tls=Tls.of(entry))


def _host_name() -> str:
    import socket

    return socket.gethostname()
