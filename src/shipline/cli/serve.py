"""`shipline serve`: the server."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--home", type=click.Path(path_type=Path), help="Where the server keeps everything it has.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8929, show_default=True, help="The port to listen on.")
@click.option("--external-url", default="", help="What browsers, git and runners call the server.")
@click.option("--registry", default="", metavar="HOST[:PORT]", help="The container registry of this server.")
@click.option(
    "--objects", default="", envvar="SHIPLINE_OBJECTS", help="Where finished logs and artifacts live: s3://..."
)
@click.option("--keep-pipelines", default="", metavar="TIME", help="For how long after their end, as 90 days.")
@click.option("--keep-logs", default="", metavar="TIME", help="The same for the logs of jobs.")
@click.option(
    "--max-artifacts-size",
    default=100,
    show_default=True,
    metavar="MIB",
    type=click.IntRange(min=1),
    help="Of one file that a job leaves, where its project does not say.",
)
@click.option(
    "--expire-artifacts", default="30 days", show_default=True, metavar="TIME", help="Where a job does not say."
)
@click.option(
    "--allow-local-requests", is_flag=True, help="Let include: remote name this machine and private networks."
)
@click.option(
    "--database", default="", envvar="SHIPLINE_DATABASE", help="A PostgreSQL URL; without it, SQLite in the home."
)
def serve(
    home: Path | None,
    host: str,
    port: int,
    external_url: str,
    registry: str,
    objects: str,
    database: str,
    keep_pipelines: str,
    keep_logs: str,
    expire_artifacts: str,
    max_artifacts_size: int,
    allow_local_requests: bool,
) -> int:
    """Serve projects, pipelines and runners over HTTP, as GitLab does.

    The first start makes the user root and prints its password, once. Nothing listens beyond this machine unless
    --host says so.
    """
    from shipline.cli.state import home as state
    from shipline.server.serving import Serving, listening
    from shipline.server.settings import MIB, Settings

    place = (home or state() / "server").absolute()
    settings = Settings(
        home=place,
        host=host,
        port=port,
        external_url=external_url,
        registry=registry,
        objects=objects,
        database=database,
        keep_pipelines=_seconds("--keep-pipelines", keep_pipelines),
        keep_logs=_seconds("--keep-logs", keep_logs),
        artifacts_expire_in=expire_artifacts,
        artifact_limit=max_artifacts_size * MIB,
        allow_local_requests=allow_local_requests,
    )
    listener = listening(settings)
    serving = Serving(settings, started=lambda password: _say(settings.url, password))
    serving.run(sockets=[listener])
    if serving.failure is not None:
        raise serving.failure
    return 0


def _seconds(option: str, text: str) -> float | None:
    """A length of time as people write it; None for none."""
    from shipline.language.durations import seconds

    if not text or text == "never":
        return None
    if (length := seconds(text)) is None:
        raise click.BadParameter(f"{text} is no length of time. Write it as 90 days, 12 hours.", param_hint=option)
    return length


def _say(url: str, password: str | None) -> None:
    click.echo(f"Serving on {url}")
    if password is not None:
        click.echo(f"First start. User: root  Password: {password}  (shown this once)")
