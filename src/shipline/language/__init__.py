"""From the text of a `.gitlab-ci.yml` to one compiled pipeline.

Pure: text and facts go in, a value or positioned errors come out. Nothing here touches the network, a clock,
the environment or a process; what has to be read (includes) comes through a loader that the caller gives.
"""

from shipline.language.compiler import compile
from shipline.language.context import Context, ExternalPullRequest, MergeRequest
from shipline.language.explain import Explanation, explain
from shipline.language.findings import Finding, LanguageError
from shipline.language.lint import lint
from shipline.language.loader import Loaded, Loader, MemoryLoader, NotLoaded, Origin
from shipline.language.merge import merged
from shipline.language.pipeline import Image, Job, Need, Pipeline, Service, Variable

__all__ = [
    "Context",
    "Explanation",
    "ExternalPullRequest",
    "Finding",
    "Image",
    "Job",
    "LanguageError",
    "Loaded",
    "Loader",
    "MemoryLoader",
    "MergeRequest",
    "Need",
    "NotLoaded",
    "Origin",
    "Pipeline",
    "Service",
    "Variable",
    "compile",
    "explain",
    "lint",
    "merged",
]
