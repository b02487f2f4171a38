"""`shipline status`: how a pipeline and its jobs stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shipline.engine.live import Live
    from shipline.engine.store import Store


@click.command()
@click.argument("pipeline", type=int, required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def status(pipeline: int | None, as_json: bool) -> int:
    """Show pipeline number PIPELINE, or the newest one of this repository: its jobs and how they ended.

    Exit codes: 0 it succeeded, runs or waits, 1 it failed or was cancelled, 2 there is no such pipeline.
    """
    from shipline.cli.exit_codes import exit_code
    from shipline.cli.hierarchy import together
    from shipline.cli.state import chosen_pipeline, opened_pipelines
    from shipline.cli.summary import summary

    with opened_pipelines() as pipelines:
        live = pipelines.live(chosen_pipeline(pipelines, pipeline).id)
        if as_json:
            import msgspec

            first, *others = [_content(each, pipelines.store) for each in together(live, pipelines.store)]
            content = {**first, "downstream": others}
            click.echo(msgspec.json.format(msgspec.json.encode(content)).decode())
        else:
            from shipline.cli.kept import sites, told

            lines = summary(live, pipelines.store, whole=True)
            known = sites()
            kept = told(known.kept()) if known else []
            click.echo("\n".join([*lines, *(["", *kept] if kept else [])]).strip("\n"))
        return exit_code(live)


def _content(live: Live, store: Store) -> dict[str, Any]:
    """A pipeline and its jobs for programs, without the values of variables."""
    import msgspec

    from shipline.engine.running_time import running_time

    plain: dict[str, Any] = msgspec.to_builtins({"pipeline": live.record, "jobs": list(live.jobs.values())})
    plain["pipeline"].pop("variables")
    plain["pipeline"]["duration"] = running_time(store, live.record)
    for job in plain["jobs"]:
        job.pop("variables")
        job.pop("dotenv")
    return plain
