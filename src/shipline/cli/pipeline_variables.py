"""The variables that the command line gives a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipline.cli.options import given_variables

if TYPE_CHECKING:
    from shipline.cli.circumstances import Given
    from shipline.engine.records import PipelineVariable


def pipeline_variables(given: Given, *, protected: bool) -> list[PipelineVariable]:
    """Those of the files, then those of the command line, which win. `protected`: whether the pipeline's ref is;
    else what a file calls protected is left out."""
    import msgspec

    from shipline.engine.records import PipelineVariable, ProjectVariable
    from shipline.engine.variable_rules import check

    found: dict[str, PipelineVariable] = {}
    for path in given.variables_files:
        from shipline.cli.variables_file import entries_of

        for entry in entries_of(path):
            if entry.get("environment_scope", "*") != "*":
                raise click.UsageError(
                    f"{path}: {entry['key']} has an environment scope, which only variables have that are kept: "
                    "`shipline variable import`."
                )
            kept = check(msgspec.convert(entry, ProjectVariable))
            if protected or not kept.protected:
                found[kept.key] = PipelineVariable(kept.key, kept.value, kept.kind == "file", kept.raw, kept.masked)
    return [
        *(found | {key: PipelineVariable(key, value) for key, value in given_variables(given.variables)}).values()
    ]
