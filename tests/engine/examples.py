"""Pipelines for the tests of this room: compiled from text, or made of job values, in a memory store."""

import msgspec

from shipline.engine.creation import lean
from shipline.engine.live import Live
from shipline.engine.memory_store import MemoryStore
from shipline.engine.pipelines import Pipelines
from shipline.engine.records import Commit, PipelineVariable
from shipline.language import Context, Variable, compile
from shipline.language.pipeline import Job, Pipeline

SHA = "1a2b3c4d" + "0" * 32
COMMIT = Commit(SHA, "0" * 40, "main", False, "A commit", "Ada <ada@example.com>", "2026-01-01T00:00:00Z", "main")


def job(name: str, stage: str = "test", **settings) -> Job:
    return Job(name, stage, 0, script=["true"], **settings)


def create(pipelines: Pipelines, *jobs: Job, **settings) -> int:
    """A pipeline of these jobs, with the stages in the order in which they come; gives its number."""
    stages = list(dict.fromkeys(job.stage for job in jobs))
    placed = [msgspec.structs.replace(job, stage_index=stages.index(job.stage)) for job in jobs]
    project = pipelines.store.project("/project")
    return pipelines.create(project, COMMIT, Pipeline(stages=stages, jobs=placed, **settings)).id


def compiled(text: str, commit: Commit = COMMIT, variables: dict[str, str] | None = None, **circumstances) -> Live:
    """The pipeline that a .gitlab-ci.yml becomes, with what can start pending."""
    given = variables or {}
    context = Context(
        ref=commit.ref,
        tag=commit.is_tag,
        sha=commit.sha,
        before_sha=commit.before_sha,
        default_branch=commit.default_branch,
        commit_message=commit.message,
        project_path="group/app",
        project_name="app",
        variables=[Variable(key, value, "pipeline") for key, value in given.items()],
        **circumstances,
    )
    pipelines = Pipelines(MemoryStore())
    project = pipelines.store.project("/project")
    record = pipelines.create(
        project,
        commit,
        lean(compile(text, context)),
        variables=[PipelineVariable(key, value) for key, value in given.items()],
    )
    return pipelines.live(record.id)
