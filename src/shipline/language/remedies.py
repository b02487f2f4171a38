"""How a keyword is written that was given in the wrong form, and where a key belongs that stands elsewhere.

Only mistakes come here: what a person likely meant, in the fewest words that can be typed as they stand.
"""

from __future__ import annotations

from collections.abc import Collection

FORMS = {
    "artifacts": "artifacts: {paths: [dist]}",
    "cache": "cache: {paths: [node_modules]}",
    "files": "files: [package-lock.json]",
    "reports": "reports: {junit: report.xml}",
    "rules": "a list: each rule begins with `- `, for example - if: $CI_COMMIT_BRANCH",
    "changes": "changes: [src/**/*]",
    "stages": "stages: [build, test]",
    "stage": "one stage a job: stage: build",
    "workflow": "workflow: {rules: [...]}",
    "inherit": "inherit: {default: false, variables: false}",
    "matrix": "a list: each item begins with `- `, for example - NAME: [one, two]",
    "parallel": "parallel: 4, or parallel: {matrix: [...]}",
    "image": "image: alpine:3.22, or image: {name: ...}",
    "environment": "environment: production, or environment: {name: ..., url: ...}",
    "retry": "retry: 2, or retry: {max: 2, when: [...]}",
    "trigger": "trigger: {include: child.yml}, or trigger: group/project",
    "default": "default: {image: ..., before_script: [...]}",
    "id_tokens": "id_tokens: {NAME: {aud: https://example.com}}",
    "run": "a list of steps; shell commands stand under `script:`",
    "extends": "extends: .template",
    "key": "key: $CI_COMMIT_REF_SLUG, or key: {files: [package-lock.json]}",
    "aud": "id_tokens: {NAME: {aud: https://example.com}}",
    "coverage_report": "coverage_report: {coverage_format: cobertura, path: coverage.xml}",
    "release": "release: {tag_name: $CI_COMMIT_TAG, description: ...}",
    "auto_cancel": "auto_cancel: {on_new_commit: interruptible}",
    "forward": "forward: {pipeline_variables: true}",
    "hooks": "hooks: {pre_get_sources_script: [...]}",
    "script": "a list of commands, each behind a `- `",
    "before_script": "a list of commands, each behind a `- `",
    "after_script": "a list of commands, each behind a `- `",
}
"""What a keyword may look like, by its name."""

JOB_ONLY = ("image", "services", "script", "before_script", "after_script", "artifacts", "cache", "tags", "timeout")
"""What a job that starts another pipeline does not know."""

PARENTS = {
    "paths": ("artifacts", "cache"),
    "untracked": ("artifacts", "cache"),
    "exclude": ("artifacts",),
    "expire_in": ("artifacts",),
    "expose_as": ("artifacts",),
    "reports": ("artifacts",),
    "junit": ("artifacts:reports", "reports"),
    "dotenv": ("artifacts:reports", "reports"),
    "coverage_report": ("artifacts:reports", "reports"),
    "key": ("cache",),
    "policy": ("cache",),
    "fallback_keys": ("cache",),
    "url": ("environment",),
    "on_stop": ("environment",),
    "action": ("environment",),
    "auto_stop_in": ("environment",),
    "deployment_tier": ("environment",),
    "matrix": ("parallel",),
    "if": ("rules",),
    "changes": ("rules",),
    "exists": ("rules",),
    "max": ("retry",),
    "exit_codes": ("allow_failure", "retry"),
    "entrypoint": ("image",),
    "pull_policy": ("image",),
    "strategy": ("trigger",),
    "forward": ("trigger",),
    "tag_name": ("release",),
    "pre_get_sources_script": ("hooks",),
}
"""Under which keywords of a job a key belongs."""

ELSEWHERE = {
    "tier": "deployment_tier",
    "count": "max",
    "environment": "variables",
    "type": "stage",
    "types": "stages",
    "env": "variables",
    "environment_variables": "variables",
    "depends_on": "needs",
    "dependsOn": "needs",
    "command": "script",
    "commands": "script",
    "steps": "script",
    "run_script": "script",
    "on": "rules",
    "condition": "rules",
    "branches": "rules",
    "runs-on": "tags",
    "runs_on": "tags",
    "runner": "tags",
    "docker": "image",
    "container": "image",
    "timeout-minutes": "timeout",
    "timeout_in_minutes": "timeout",
    "continue-on-error": "allow_failure",
}
"""What other systems, and GitLab of old, call a keyword."""


def form(keyword: str) -> str | None:
    """How a keyword is written, from its name or the path that ends in it."""
    return FORMS.get(keyword.rpartition(":")[2].rpartition(" ")[2])


def belongs(key: object, allowed: Collection[str]) -> str | None:
    """Where a key belongs that is not one of those allowed, if it is known from another place."""
    word = str(key)
    if word == "<<":
        return "what this merges in is no mapping"
    if word == "cobertura" and "coverage_report" in allowed:
        return "coverage_report: {coverage_format: cobertura, path: ...}"
    if word == "include":
        return "`include:` stands at the top level of the file"
    if word in ("tag", "version") and "entrypoint" in allowed:
        return "an image's tag is a part of its name: name: image:tag"
    if "trigger" in allowed and "script" not in allowed and word in JOB_ONLY:
        return f"a trigger job runs nothing itself: it takes no `{word}`"
    if "identity" in allowed and "script" not in allowed:  # the defaults
        if word == "variables":
            return "`variables:` of all jobs stand at the top level of the file"
        if word in JOB_ONLY or word in ("stage", "rules", "only", "except", "needs", "when", "script"):
            return f"`{word}` has no default: it stands in each job"
    parents = [parent for parent in PARENTS.get(word, ()) if parent.partition(":")[0] in allowed]
    if parents:
        return f"`{word}` belongs under " + " or ".join(f"`{parent}:`" for parent in parents)
    if (name := ELSEWHERE.get(word)) in allowed:
        return f"GitLab's word for it is `{name}`"
    if "if" in allowed and word in ("only", "except", "branches", "refs", "branch", "tags", "unless"):
        return 'a rule asks with `if`, for example - if: $CI_COMMIT_BRANCH == "main"'
    return None
