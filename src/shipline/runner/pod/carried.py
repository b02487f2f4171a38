"""The repositories of this machine that are carried into a job's pod: its own, and those of its submodules."""

from __future__ import annotations

from pathlib import Path

from shipline.protocol.payload import GitInfo
from shipline.runner.job import Job
from shipline.runner.modules import local_modules
from shipline.runner.repository import RepositoryCopies, local_path
from shipline.runner.script.sources import Sources

MODULE = "module"  # the branch that a submodule's copy has its commit on


async def own_sources(job: Job, copies: RepositoryCopies) -> Path | None:
    """A repository of this machine as a tar file; None where the helper fetches the sources itself."""
    sources = Sources(job)
    git = job.payload.git_info
    repository = local_path(git.repo_url)
    if repository is None or not sources.fetches:
        return None
    return await copies.archive(repository, git, sources.depth, sources.large_files)


async def module_sources(
    job: Job, copies: RepositoryCopies
) -> tuple[dict[str, str], dict[str, str], list[tuple[Path, str]]]:
    """The submodules that are repositories of this machine: where their addresses lead in the pod, their paths
    there, and the tar files with the places they go to."""
    sources = Sources(job)
    git = job.payload.git_info
    repository = local_path(git.repo_url)
    if repository is None or not sources.modules:
        return {}, {}, []
    addresses: dict[str, str] = {}
    links: dict[str, str] = {}
    archives: list[tuple[Path, str]] = []
    for each in await local_modules(repository, git.sha, recursive=sources.modules == "recursive"):
        if each.repository is None:
            addresses[each.url] = each.remote
            continue
        place = f"{job.places.builds}/.modules-{job.payload.id}/{len(archives)}.git"
        commit = GitInfo("", MODULE, each.sha, "", repo_object_format=git.repo_object_format)
        wanted = (commit, sources.module_depth, sources.large_files)
        archives.append((await copies.module(each.repository, *wanted), place))
        if each.url.startswith("/"):
            links[each.url] = place
        else:
            addresses[each.url] = f"file://{place}"
    return addresses, links, archives
