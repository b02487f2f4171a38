"""Going into a job's site, and removing one: what `shipline shell` and `shipline cleanup` do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from shipline.runner.config import RunnerConfig
from shipline.runner.errors import RunnerError
from shipline.runner.script.entry import entry
from shipline.runner.sites import Site, Sites
from shipline.runner.workspace import end_processes, remove_tree


def enter_shell(site: Site, command: tuple[str, ...]) -> int:
    """A shell in a shell job's folder; this process becomes it. RunnerError when the folder is gone."""
    from shipline.runner.local.executor import job_environment

    if not Path(site.folder).is_dir():
        raise RunnerError(f"{site.folder} is gone: nothing is left of job {site.job}. Run it again.")
    words = entry(site.scripts, site.project, site.name, os.environ.get("TERM", "dumb"), command)
    sys.stdout.flush()
    os.chdir(site.folder)
    os.execve(site.shell, [site.shell, *words], job_environment())


async def enter_pod(site: Site, config: RunnerConfig, command: tuple[str, ...]) -> int:
    """A shell in the container of a job's script. Gives its exit status; RunnerError when the pod is gone."""
    from shipline.runner.kubernetes.client import Client
    from shipline.runner.kubernetes.errors import ApiError, Unreachable
    from shipline.runner.pod.cluster import access
    from shipline.runner.pod.terminal import enter

    client = Client(access(_aimed(site, config)))
    try:
        try:
            pod = await client.get(f"/api/v1/namespaces/{site.namespace}/pods/{site.pod}")
        except ApiError as error:
            if error.code != 404:
                raise RunnerError(f"the pod {site.pod} cannot be looked at: {error}") from None
            raise RunnerError(f"the pod {site.pod} of job {site.job} is gone. Run the job again.") from None
        except Unreachable as error:
            raise RunnerError(f"the cluster of job {site.job} cannot be reached: {error}") from None
        if pod.get("status", {}).get("phase") != "Running":
            raise RunnerError(
                f"the pod {site.pod} does not run any more: nobody can go in. "
                f"`shipline cleanup {site.job}` removes it."
            )
        words = entry(site.scripts, site.project, site.name, os.environ.get("TERM", "dumb"), command)
        return await enter(client, site.namespace, site.pod, "build", ["sh", *words])
    finally:
        await client.close()


async def remove(sites: Sites, site: Site, config: RunnerConfig) -> None:
    """Removes what a site names, then forgets it. RunnerError when a cluster does not answer: it is still known."""
    if site.executor == "shell":
        end_processes(Path(site.folder))
        remove_tree(Path(site.folder))
    else:
        await _remove_pod(site, config)
    sites.forget(site.job)


async def _remove_pod(site: Site, config: RunnerConfig) -> None:
    from shipline.runner.kubernetes.client import Client
    from shipline.runner.kubernetes.errors import ApiError, Unreachable
    from shipline.runner.pod.cluster import access

    if site.kubeconfig and not os.path.exists(site.kubeconfig):  # noqa: ASYNC240, PTH110 - once, a local file
        return  # an embedded cluster that has been deleted, with its pods
    client = Client(access(_aimed(site, config)))
    try:
        await client.delete(f"/api/v1/namespaces/{site.namespace}/pods/{site.pod}", grace=1)
    except (ApiError, Unreachable) as error:
        raise RunnerError(f"the pod {site.pod} of job {site.job} could not be removed: {error}") from None
    finally:
        await client.close()


def _aimed(site: Site, config: RunnerConfig) -> RunnerConfig:
    """The configuration, for the cluster that the job ran in."""
    import msgspec

    if not (site.kubeconfig or site.context):
        return config
    return msgspec.structs.replace(config, kubeconfig=site.kubeconfig, context=site.context)
