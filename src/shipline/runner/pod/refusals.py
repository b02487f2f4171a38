"""Why a cluster did not take a job's pod, by the words of its API, and what to do about it. Pure."""

from __future__ import annotations

import re

from shipline.runner.errors import JobFailed
from shipline.runner.kubernetes.errors import ApiError

# The first pattern that is found tells the hint; {namespace} and named groups stand for what they say.
HINTS = [
    (
        r'violates PodSecurity "baseline',
        "The label pod-security.kubernetes.io/enforce of the namespace {namespace} lets in baseline pods alone: in "
        "[runners.kubernetes] leave out what the message names (privileged, host_path volumes, cap_add, the host's "
        "network), or give jobs that need it, as those with Docker-in-Docker do, another namespace.",
    ),
    (
        r'violates PodSecurity "(?P<level>[\w-]+)',
        "The label pod-security.kubernetes.io/enforce of the namespace {namespace} lets in {level} pods alone. In "
        "[runners.kubernetes] set what the message names: allow_privilege_escalation = false, cap_drop = "
        '["ALL"], privileged = false, no host_path volumes, and in [runners.kubernetes.pod_security_context] '
        "run_as_non_root = true, run_as_user = 1000, fs_group = 1000 and seccomp_profile = "
        '{{type = "RuntimeDefault"}}; or give jobs a namespace that is not restricted.',
    ),
    (
        r"failed quota: (?P<quota>\S+): must specify",
        "The ResourceQuota {quota} wants what the message names of every container: in [runners.kubernetes] set it "
        "for the build, helper and service containers (limits.memory is memory_limit, helper_memory_limit and "
        "service_memory_limit, requests.cpu is cpu_request, ...), or give the namespace {namespace} a LimitRange "
        "with defaults.",
    ),
    (
        r"exceeded quota: (?P<quota>[^\s,]+)",
        "The ResourceQuota {quota} of the namespace {namespace} has no room for this pod now: let fewer jobs run "
        "at once (`concurrent`, `limit`), lower the requests and limits in [runners.kubernetes], or raise the "
        "quota (`kubectl -n {namespace} describe quota {quota}`). Retry the job when others have ended.",
    ),
    (
        r"(maximum|minimum) [\w-]+ usage per (Container|Pod)",
        "The namespace's LimitRange sets these bounds: put the *_limit and *_request keys of [runners.kubernetes] "
        "within them.",
    ),
    (
        r'error looking up service account \S+: serviceaccount "(?P<account>[^"]+)" not found',
        "Make the service account (`kubectl -n {namespace} create serviceaccount {account}`), or correct "
        "service_account in [runners.kubernetes].",
    ),
    (
        r"no PriorityClass with name (?P<name>\S+) was found",
        "Correct priority_class_name in [runners.kubernetes]; `kubectl get priorityclasses` shows which there are.",
    ),
    (
        r'RuntimeClass "(?P<name>[^"]+)" not found',
        "Correct runtime_class_name in [runners.kubernetes]; `kubectl get runtimeclasses` shows which there are.",
    ),
    (
        r'admission webhook "(?P<hook>[^"]+)" denied',
        "The cluster's policy {hook} refuses job pods like this one: set what it asks for in [runners.kubernetes] "
        "(labels, limits, images), or have the namespace {namespace} exempted.",
    ),
    (
        r'failed calling webhook "(?P<hook>[^"]+)"',
        "The cluster asks {hook} about every pod, and got no answer: its administrator has to repair or remove it. "
        "Retry the job then.",
    ),
    (
        r"ValidatingAdmissionPolicy '(?P<policy>[^']+)'",
        "The cluster's policy {policy} refuses job pods like this one: set what it asks for in [runners.kubernetes]"
        ", or have the namespace {namespace} exempted.",
    ),
    (
        r"cannot \w+ resource",
        "The runner's account needs a Role in the namespace {namespace}: get, list, watch, create and delete on "
        "pods, get and create on pods/exec, get on pods/log, and create, patch, list and delete on secrets. "
        "deploy/kubernetes/base/runner.yaml has it.",
    ),
    (
        r"quantities must match the regular expression",
        "A cpu, memory or ephemeral_storage key in [runners.kubernetes], or what a job put in its place, is no "
        "quantity: write 500m or 2 for processors, 512Mi or 2Gi for memory.",
    ),
    (
        r"is being terminated",
        "The namespace {namespace} is being deleted: set another one in [runners.kubernetes].",
    ),
]
BY_CODE = {
    403: "The runner's account may not make pods or Secrets in the namespace {namespace}, or a policy forbids it.",
    404: "Make the namespace {namespace}, or set another one in [runners.kubernetes].",
    422: "The runner's configuration or the job asks for something that Kubernetes does not take.",
}


def refused(error: ApiError, namespace: str) -> JobFailed:
    """The job's failure, for what the API answered when the pod or its Secret was to be made."""
    return JobFailed(f"the cluster refused the job's pod: {error}", hint=_hint(error, namespace))


def _hint(error: ApiError, namespace: str) -> str:
    for pattern, hint in HINTS:
        if found := re.search(pattern, str(error)):
            return hint.format(namespace=namespace, **found.groupdict())
    return BY_CODE.get(error.code, "").format(namespace=namespace)
