"""The jobs of a file whatever its rules say: what GitLab's linter lists where it simulates no pipeline."""

from __future__ import annotations

import msgspec

from shipline.language.compiler import Compilation, run
from shipline.language.conditions import Repository
from shipline.language.context import Context
from shipline.language.findings import LanguageError
from shipline.language.jobs import Builder
from shipline.language.keywords.rules import Rule
from shipline.language.loader import Loader, MemoryLoader
from shipline.language.pipeline import Job


class StaticJob(msgspec.Struct, frozen=True):
    """A job as it is without any rule; `only` and `except_` as they are written in full, None without."""

    job: Job
    only: dict[str, object] | None
    except_: dict[str, object] | None
    has_rules: bool


def static_jobs(text: str, context: Context, loader: Loader | None = None) -> list[StaticJob]:
    """Every job of a file, in its order, without variables. Raises LanguageError for a wrong file."""
    loader = loader or MemoryLoader()
    done = Compilation(context)
    run(done, text, loader)
    if done.root is None:
        raise LanguageError([])
    builder = done.builder or Builder(done.root, context, Repository(loader, None, None), [], {})
    found = []
    for config in done.root.jobs:
        for instance in builder.graph.instances[config.name]:
            when = config.get("when") or "on_success"
            job = builder.made(config, instance, builder.values(config), Rule(config.source.place), when, [])
            has_rules = config.rules is not None
            found.append(StaticJob(job, config.get("only"), config.get("except"), has_rules))
    return found
