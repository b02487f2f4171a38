"""What the language compiles and this engine does not carry out yet: refused by name, before anything runs.

One table, read by people too: a keyword leaves it when the engine and the runner have learnt it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shipline.engine.errors import EngineError
from shipline.language.pipeline import Job, Pipeline

OTHER_STORES = ("gcp_secret_manager", "azure_key_vault", "aws_secrets_manager", "gitlab_secrets_manager")


def _asks(store: str) -> Callable[[Job], bool]:
    return lambda job: any(store in secret for secret in (job.extra.get("secrets") or {}).values())


NOT_YET: dict[str, tuple[Callable[[Job], bool], str]] = {
    "needs:pipeline": (lambda job: any(need.pipeline for need in job.needs or ()), "other pipelines are not known"),
    "needs:project": (lambda job: any(need.project for need in job.needs or ()), "other projects are not known"),
    "identity": (lambda job: bool(job.extra.get("identity")), "there is no Google Cloud account to log in to"),
    **{f"secrets:{name}": (_asks(name), "Vault is the one secret store that is asked") for name in OTHER_STORES},
}
"""By keyword: whether a job uses it, and why it is refused."""

EXTRA: dict[str, str] = {
    "run": "steps are not run yet",
    "inputs": "a job's inputs are not asked for yet",
    "dast_configuration": "it belongs to a scanner of GitLab's own",
}
"""Keywords that the compiled job carries in `extra`."""

CARRIED_OUT = {"hooks", "coverage", "id_tokens", "secrets", "identity", "release", "pages", "publish"}
"""The keywords of `extra` that are."""


def refuse_unsupported(pipeline: Pipeline) -> None:
    """Raises EngineError that names each keyword that can't be carried out, with its place."""
    refused = [line for job in pipeline.jobs for line in _refusals(job)]
    if refused:
        raise EngineError("\n".join(dict.fromkeys(refused)))


def _refusals(job: Job) -> Iterator[str]:
    for keyword, (used, why) in NOT_YET.items():
        if used(job):
            yield _refusal(job, keyword, why)
    for keyword, value in job.extra.items():
        if value and keyword not in CARRIED_OUT:
            yield _refusal(job, keyword, EXTRA.get(keyword, "it is not known here"))


def _refusal(job: Job, keyword: str, why: str) -> str:
    file, line, _column = job.at(keyword.partition(":")[0])
    where = f"{file}:{line}" if line else file
    return f"{where}: job '{job.name}': `{keyword}` is not supported: {why}."
