"""From the text of a `.gitlab-ci.yml` to one compiled pipeline.

Pure: text and facts go in, a value or positioned errors come out. Nothing here touches the network, a clock,
the environment or a process; what has to be read (includes) comes through a loader that the caller gives.

    compile(text, Context(ref="main", source="push"), loader) -> Pipeline      the jobs of one pipeline
    lint(text, context, loader) -> list[Finding]                               errors and warnings as data
    merged(text, context, loader) -> dict                                      the file after all merging
    explain(text, context, "job", loader) -> Explanation                       why a job is what it is

A Context has a default for everything, and without a loader a file may include nothing. `loader.MemoryLoader`
holds files in memory, `loaders.Sources` reads disk, other projects and, through a function it is given, the web.
All but `lint` raise LanguageError, whose `findings` say what, where and what to do.
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
