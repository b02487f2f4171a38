"""What the API of a Kubernetes 1.36 says when it does not take a job's pod, and what the job's log makes of it."""

import pytest

from shipline.runner.kubernetes.errors import ApiError
from shipline.runner.pod.refusals import refused

WORDS = [
    (
        'pods "r" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
        '(containers "build", "helper" must set securityContext.allowPrivilegeEscalation=false)',
        "namespace ci lets in restricted pods alone",
    ),
    (
        'pods "r" is forbidden: violates PodSecurity "baseline:latest": privileged (containers "build", "svc-0" '
        "must not set securityContext.privileged=true)",
        "leave out what the message names",
    ),
    (
        'pods "r" is forbidden: exceeded quota: team, requested: pods=1, used: pods=9, limited: pods=9',
        "ResourceQuota team of the namespace ci has no room",
    ),
    (
        'pods "r" is forbidden: failed quota: team: must specify limits.cpu for: build,helper',
        "ResourceQuota team wants what the message names of every container",
    ),
    (
        'pods "r" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
        "The namespace's LimitRange",
    ),
    (
        'pods "r" is forbidden: error looking up service account ci/robot: serviceaccount "robot" not found',
        "kubectl -n ci create serviceaccount robot",
    ),
    ('pods "r" is forbidden: no PriorityClass with name urgent was found', "Correct priority_class_name"),
    ('pods "r" is forbidden: pod rejected: RuntimeClass "kata" not found', "Correct runtime_class_name"),
    (
        'admission webhook "labels.example.com" denied the request: no team label',
        "policy labels.example.com refuses",
    ),
    (
        'Internal error occurred: failed calling webhook "x.example.com": failed to call webhook: Post '
        '"https://x.ci.svc:443/?timeout=5s": service "x" not found',
        "asks x.example.com about every pod",
    ),
    (
        "pods \"r\" is forbidden: ValidatingAdmissionPolicy 'no-root' with binding 'all' denied request: no root",
        "policy no-root refuses",
    ),
    (
        'pods is forbidden: User "system:serviceaccount:ci:none" cannot create resource "pods" in API group ""',
        "needs a Role in the namespace ci",
    ),
    ("something new", "or a policy forbids it"),
]


@pytest.mark.parametrize(("words", "hint"), WORDS)
def test_each_refusal_is_told_as_it_is_and_with_what_to_do(words, hint):
    found = refused(ApiError(403, "Forbidden", words), "ci")
    assert str(found) == f"the cluster refused the job's pod: {words}"
    assert hint in found.hint


def test_other_codes_have_their_own_hints():
    assert "Make the namespace ci" in refused(ApiError(404, "NotFound", 'namespaces "ci" not found'), "ci").hint
    quantity = "Pod in version v1 cannot be handled as a Pod: quantities must match the regular expression '^'"
    assert "write 500m or 2" in refused(ApiError(400, "BadRequest", quantity), "ci").hint
    assert refused(ApiError(500, "", "broken"), "ci").hint == ""
