"""Takes a job payload, runs it, streams the log and reports the result.

Knows the payload and an executor (`kubernetes`, `shell`), never the pipeline that the job came from.

    runner = Runner(RunnerConfig(tags=["kubernetes"], kubeconfig="..."), coordinator)
    await runner.run(until=stop)        # an asyncio.Event; set it to finish the running jobs and return
    runner_task.cancel()                # or cancel the task: running jobs are aborted, their pods are removed
"""

from shipline.runner.config import ConfigFile, KubernetesConfig, RunnerConfig
from shipline.runner.errors import RunnerError
from shipline.runner.runner import Runner

__all__ = ["ConfigFile", "KubernetesConfig", "Runner", "RunnerConfig", "RunnerError"]
