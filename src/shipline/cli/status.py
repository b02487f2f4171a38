"""`shipline status`: how a pipeline and its jobs stand."""

from __future__ import annotations

import click


@click.command()
@click.argument("pipeline", type=int, required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def status(pipeline: int | None, as_json: bool) -> int:
    """Show pipeline number PIPELINE, or the newest one of this repository: its jobs and how they ended.

    Exit codes: 0 it succeeded, runs or waits, 1 it failed or was cancelled, 2 there is no such pipeline.
    """
    from shipline.cli.run import exit_code
    from shipline.cli.state import chosen_pipeline, opened_pipelines
    from shipline.cli.summary import summary

    with opened_pipelines() as pipelines:
        live = pipelines.live(chosen_pipeline(pipelines, pipeline).id)
        if as_json:
            import msgspec

            content = {"pipeline": live.record, "jobs": list(live.jobs.values())}
            plain = msgspec.to_builtins(content)
            plain["pipeline"].pop("variables")
            for job in plain["jobs"]:
                job.pop("variables")
                job.pop("dotenv")
            click.echo(msgspec.json.format(msgspec.json.encode(plain)).decode())
        else:
            from shipline.cli.kept import sites, told

            lines = summary(live, pipelines.store, whole=True)
            known = sites()
            kept = told(known.kept()) if known else []
            click.echo("\n".join([*lines, *(["", *kept] if kept else [])]).strip("\n"))
        return exit_code(live)
