"""A pod that did not start in time: what kept it, by the words of scheduler and kubelet, and what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shipline.runner.errors import JobFailed

# The first pattern that is found tells the hint.
HINTS = [
    (
        r'(configmap|secret|persistentvolumeclaim) "[^"]+" not found|FailedMount|FailedAttachVolume|unbound',
        "A volume of [runners.kubernetes.volumes] waits for something: make what is named above in the job's "
        "namespace, or remove the volume.",
    ),
    (
        r"Insufficient|Too many pods|NotTriggerScaleUp",
        "No node has that much left: lower cpu_request and memory_request in [runners.kubernetes], add nodes, or "
        "raise poll_timeout where nodes are added on demand.",
    ),
    (
        r"didn't match Pod's node affinity|untolerated taint|were unschedulable",
        "No node fits: correct node_selector in [runners.kubernetes], or name the nodes' taints in "
        "[runners.kubernetes.node_tolerations].",
    ),
    (
        r"FailedCreatePodSandBox|network",
        "The node cannot set the pod up: its administrator finds the cause in the lines above.",
    ),
]
OTHERWISE = "The node was slow, to pull an image perhaps: raise poll_timeout if it only needs more time."


def late(limit: float, phase: str, reasons: Sequence[str], warnings: Sequence[str]) -> JobFailed:
    """After `limit` seconds. `reasons` are of the pod's status, `warnings` its Events, the newest last."""
    told = list(reasons) or [text for text in warnings if text.startswith("Failed")][-1:]
    text = f"timed out waiting for pod to start after {limit:g}s (last phase: {phase})"
    seen = "\n".join((*reasons, *warnings))
    hint = next((hint for pattern, hint in HINTS if re.search(pattern, seen)), OTHERWISE)
    return JobFailed(": ".join((text, "; ".join(told))) if told else text, hint=hint)
