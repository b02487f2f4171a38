"""`shipline explain`: why a job is, or is not, in the pipeline, and where each of its values came from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from shipline.cli.circumstances import Given, circumstances
from shipline.cli.configuration import finish, opened

if TYPE_CHECKING:
    from shipline.language import Explanation
    from shipline.language.conditions import Verdict
    from shipline.language.explain import VariableTrace
    from shipline.language.values import Place


@click.command()
@click.argument("job")
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True, help="How."
)
@click.option("--all", "everything", is_flag=True, help="Show the predefined variables too.")
@circumstances
def explain(job: str, form: str, everything: bool, given: Given) -> int:
    """Say why a job is, or is not, in the pipeline.

    Shows each value of the job with the place that it came from, every rule with why it matched or not, and every
    variable with its level and what it won over. `--variable NAME` (without a value) draws how that one variable
    gets its value and where the job uses it.

    Exit codes: 0 fine, 2 wrong usage, an invalid configuration, or no such job.
    """
    from shipline.cli import explanations
    from shipline.language import explain as look_into

    traced = [text for text in given.variables if "=" not in text]
    given = given._replace(variables=tuple(text for text in given.variables if "=" in text))
    configuration = opened(given, mend=True)
    found = look_into(configuration.text, configuration.context, job, configuration.loader)
    finish(given, configuration)
    if form == "json":
        click.echo(json.dumps(as_data(found, traced), indent=2, ensure_ascii=False))
    elif traced:
        click.echo("\n\n".join(explanations.flow(found, name) for name in traced))
    else:
        click.echo(explanations.as_text(found, everything))
    return 0


def as_data(found: Explanation, traced: list[str]) -> dict[str, Any]:
    """An explanation for programs."""
    return {
        "job": found.name,
        "added": found.added,
        "why": found.why,
        **where(found.place),
        "extends": found.bases,
        "values": [
            {"key": item.key, "value": item.value, "from": item.via, **where(item.place)} for item in found.values
        ],
        "workflow": [verdict(item) for item in found.workflow],
        "rules": [verdict(item) for item in found.rules],
        "variables": [variable(item) for item in found.variables if not traced or item.key in traced],
    }


def verdict(item: Verdict) -> dict[str, Any]:
    return {"matched": item.matched, "tried": item.tried, "why": item.why, **where(item.rule.place)}


def where(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column}


def variable(item: VariableTrace) -> dict[str, Any]:
    return {
        "key": item.key,
        "value": item.value,
        "written": item.written,
        "level": item.level,
        **where(item.place),
        "overridden": [
            {"level": other.level, "value": "[MASKED]" if other.masked else other.value}
            for other in item.overridden
        ],
        "reads": item.reads,
    }
