"""What GitLab accepts with a warning."""

from __future__ import annotations

from shipline.language.findings import Finding, finding
from shipline.language.keywords.root import Root
from shipline.language.keywords.rules import Rule


def cautions(root: Root) -> list[Finding]:
    """The warnings about a configuration that is otherwise right."""
    if root.workflow.rules is not None:
        return []
    found = []
    for job in root.jobs:
        if job.rules and only_when(job.rules[-1]):
            text = (
                f"jobs:{job.name} may allow multiple pipelines to run for a single action "
                "due to `rules:when` clause with no `workflow:rules`"
            )
            hint = "a branch and its merge request would each get a pipeline: add workflow:rules"
            found.append(finding(text, job.rules[-1].place, hint, "warning", "multiple-pipelines"))
    return found


def only_when(rule: Rule) -> bool:
    """Whether a rule lets everything in that comes so far: `when` and nothing else, and not never."""
    bare = rule.condition is None and rule.changes is None and rule.exists is None and rule.allow_failure is None
    plain = not rule.variables and rule.needs is None and rule.interruptible is None and rule.start_in is None
    return bare and plain and rule.when not in (None, "never")
