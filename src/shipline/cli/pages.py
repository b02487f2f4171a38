"""`shipline pages`: the sites that jobs have published here, listed and served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shipline.engine.possessions import Site


@click.group(invoke_without_command=True)
@click.pass_context
def pages(ctx: click.Context) -> None:
    """List the sites that jobs with `pages:` have published for the repository you are in.

    `shipline pages serve` shows them.
    """
    if ctx.invoked_subcommand is not None:
        return
    from datetime import datetime

    found = _sites()[1]
    for site in found:
        when = datetime.fromtimestamp(site.created_at).strftime("%Y-%m-%d %H:%M")
        line = (
            f"/{site.prefix}".ljust(max(len(each.prefix) for each in found) + 1) + f"  {when}  (job {site.job_id})"
        )
        if site.expires_at is not None:
            line += f"  until {datetime.fromtimestamp(site.expires_at).strftime('%Y-%m-%d %H:%M')}"
        click.echo(line)
    if not found:
        click.echo("There are no pages: a job with `pages:` publishes some.", err=True)


@pages.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), default=8931, show_default=True)
def serve(port: int) -> None:
    """Serve the sites on loopback until Ctrl-C: the main one at /, the others under their prefixes."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from urllib.parse import unquote

    from shipline.cli.state import home
    from shipline.engine.errors import EngineError
    from shipline.engine.sites import look_up

    path = _sites()[0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = unquote(self.path.partition("?")[0]).lstrip("/")
            page = look_up(_sites(path)[1], home() / "pages", wanted)
            self.send_response(page.status)
            if page.location:
                self.send_header("Location", page.location)
            text = "; charset=utf-8" if page.media_type.startswith("text/") else ""
            self.send_header("Content-Type", page.media_type + text)
            self.send_header("Content-Length", str(len(page.content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(page.content)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise EngineError(f"The port {port} cannot be used: {error.strerror}. Name another with --port.") from None
    click.echo(f"The pages are at http://127.0.0.1:{server.server_port}/ (Ctrl-C ends)")
    with server:
        server.serve_forever()


@pages.command("remove")
@click.argument("prefix", default="")
def remove(prefix: str) -> None:
    """Take the site under PREFIX back; without PREFIX, the main one."""
    from shipline.cli.state import home, opened_pipelines, opened_repository
    from shipline.engine import sites
    from shipline.engine.errors import EngineError

    with opened_repository() as repository, opened_pipelines() as pipelines:
        project = pipelines.store.project(str(repository.path))
        for site in sites.current(pipelines.store, project.id, pipelines.clock()):
            if site.prefix == prefix.strip("/"):
                sites.remove(pipelines.store, home() / "pages", project.id, site)
                return
    raise EngineError(f"There are no pages under '/{prefix}': `shipline pages` lists them.")


def _sites(path: str | None = None) -> tuple[str, list[Site]]:
    """The path of the repository, by default the one we are in, and its sites that have not expired."""
    from shipline.cli.state import home, opened_pipelines, opened_repository
    from shipline.engine import sites

    if path is None:
        with opened_repository() as repository:
            path = str(repository.path)
    with opened_pipelines() as pipelines:
        project = pipelines.store.project(path)
        sites.expire(pipelines.store, home() / "pages", pipelines.clock())
        return path, sites.current(pipelines.store, project.id, pipelines.clock())
