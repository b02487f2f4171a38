"""What the language compiles and this engine does not carry out: refused by name, before anything runs.

One table, read by people too. Another holds what changes nothing here and is told as a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shipline.engine.errors import Unsupported
from shipline.engine.run_steps import KINDS, asks_image
from shipline.language.findings import Finding, finding
from shipline.language.pipeline import Job, Pipeline

OTHER_STORES = ("gcp_secret_manager", "azure_key_vault", "aws_secrets_manager", "gitlab_secrets_manager")


def _asks_store(store: str) -> Callable[[Job], bool]:
    return lambda job: any(store in secret for secret in (job.extra.get("secrets") or {}).values())


def _asks_image(kind: str) -> Callable[[Job], bool]:
    return lambda job: asks_image(job, kind)


REFUSED: dict[str, tuple[Callable[[Job], bool], str]] = {
    "identity": (lambda job: bool(job.extra.get("identity")), "there is no Google Cloud account to log in to"),
    **{
        f"run:{kind}": (_asks_image(kind), "functions are taken from folders and git repositories, not from images")
        for kind in KINDS
    },
    **{
        f"secrets:{name}": (_asks_store(name), "Vault is the one secret store that is asked")
        for name in OTHER_STORES
    },
}
"""By keyword: whether a job uses it, and why it is refused."""

WITHOUT_EFFECT: dict[str, tuple[Callable[[Job], bool], str]] = {
    "environment:kubernetes": (
        lambda job: bool(job.environment.get("kubernetes")),
        "GitLab's page shows a cluster through an agent for it; there is no agent here",
    ),
    "dast_configuration": (
        lambda job: bool(job.extra.get("dast_configuration")),
        "it selects profiles of GitLab's own scanner, which are kept in a GitLab",
    ),
}
"""By keyword: whether a job uses it, and why it changes nothing here. The job runs all the same, as it does on a
GitLab without what the keyword is about."""

CARRIED_OUT = frozenset(
    {
        "hooks",
        "coverage",
        "id_tokens",
        "secrets",
        "identity",
        "release",
        "pages",
        "publish",
        "inputs",
        "run",
        "dast_configuration",
    }
)
"""The keywords of `extra` that are carried out, or are in one of the tables."""


def refuse_unsupported(pipeline: Pipeline) -> None:
    """Raises Unsupported that names each keyword that can't be carried out, with its place."""
    refused = [line for job in pipeline.jobs for line in _refusals(job)]
    if refused:
        raise Unsupported("\n".join(dict.fromkeys(refused)))


def cautions(pipeline: Pipeline) -> list[Finding]:
    """A warning for each keyword that changes nothing here."""
    found = []
    for job in pipeline.jobs:
        for keyword, (used, why) in WITHOUT_EFFECT.items():
            if used(job):
                text, place = f"job '{job.name}': `{keyword}` has no effect", job.at(keyword.partition(":")[0])
                found.append(finding(text, place, why, "warning", "no-effect"))
    return found


def _refusals(job: Job) -> Iterator[str]:
    for keyword, (used, why) in REFUSED.items():
        if used(job):
            yield _refusal(job, keyword, why)
    for keyword, value in job.extra.items():
        if value and keyword not in CARRIED_OUT:
            yield _refusal(job, keyword, "it is not known here")


def _refusal(job: Job, keyword: str, why: str) -> str:
    file, line, _column = job.at(keyword.partition(":")[0])
    where = f"{file}:{line}" if line else file
    return f"{where}: job '{job.name}': `{keyword}` is not supported: {why}."
