"""The table of commands: what `shipline --help` lists, without importing any of them.

To add a command: a module beside this one, and a row here. The row's target is `module:attribute`, where the
attribute is a click command or group.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    name: str
    target: str
    help: str


COMMANDS: dict[str, list[Row]] = {
    "Pipelines": [
        Row("run", "run:run", "Run the pipeline of the repository you are in."),
        Row("watch", "watch:watch", "Run the pipelines of a repository that is hosted elsewhere."),
        Row("play", "play:play", "Start a manual job that waits."),
        Row("retry", "retry:retry", "Run a job, or all failed jobs of a pipeline, again."),
        Row("cancel", "cancel:cancel", "Cancel a job or a pipeline that runs in another terminal."),
        Row("status", "status:status", "Show the jobs of a pipeline and how they ended."),
        Row("logs", "logs:logs", "Print the log of a job."),
        Row("shell", "shell:shell", "Open a shell where a job runs, or where a failed one was kept."),
        Row("cleanup", "cleanup:cleanup", "Remove failed jobs that were kept."),
        Row("pipelines", "pipelines:pipelines", "List the pipelines of this project."),
        Row("artifacts", "artifacts:artifacts", "List and get the files that jobs left."),
        Row("environments", "environments:environments", "List what is deployed where."),
        Row("resource-groups", "resource_groups:resource_groups", "Say in which order jobs get a shared resource."),
        Row("releases", "releases:releases", "List what has been released."),
        Row("pages", "pages:pages", "List and serve the sites that jobs have published."),
        Row("id-token", "id_token:id_token", "Show what ID tokens of jobs are signed with."),
        Row("variable", "variable:variable", "Keep the project's CI/CD variables."),
        Row("cache", "cache:cache", "List what jobs left for later ones, or clear it."),
    ],
    "Configuration": [
        Row("lint", "lint:lint", "Check a .gitlab-ci.yml and say what is wrong, and where."),
        Row("list", "list:list_jobs", "List the jobs that a pipeline would have."),
        Row("preview", "preview:preview", "Print the configuration with everything merged in."),
        Row("explain", "explain:explain", "Say why a job is, or is not, in the pipeline."),
    ],
    "Where jobs run": [
        Row("cluster", "cluster:cluster", "Start, inspect and delete the embedded Kubernetes cluster."),
        Row("registry", "registry:registry", "Run private registries inside the embedded cluster."),
        Row("images", "images:images", "Build or pull the system images."),
    ],
    "Server": [
        Row("serve", "serve:serve", "Serve projects, pipelines and runners over HTTP, as GitLab does."),
        Row("server", "server:server", "Back a server up, restore it, and let its people in."),
        Row("runner", "runner:runner", "Serve the jobs of a server, this kind's or a GitLab's."),
    ],
    "This program": [
        Row("completion", "completion:completion", "Print the completion script of a shell."),
    ],
}
