"""Where the embedded cluster answers otherwise than the real one on purpose, each with its reason.

Nothing else may differ: this table is the whole of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One difference with its reason.

    `recording` and `command` say where it holds (all by default). What becomes of it is said by one of
    - `drop`: lines that match this pattern are left out on both sides;
    - `same`: a pattern and what stands for it on both sides;
    - `without`: items of lists in YAML or JSON whose names match this pattern are left out on both sides;
    - `soon`: the answer may come later: a step that only looks is given again a few times, without its waiting;
    - `mode`: `ignored` (the step is given, but its answer isn't compared), `status` (the exit status alone is),
      `more` (we may answer lines that aren't recorded), `fewer` (we may leave recorded lines out), `unordered`.
    """

    reason: str
    recording: str = ""
    command: str = ""
    drop: str = ""
    same: tuple[str, str] | None = None
    without: str = ""
    soon: bool = False
    mode: str = ""

    def holds(self, recording: str, command: str) -> bool:
        return re.match(self.recording, recording) is not None and re.search(self.command, command) is not None


SCOPE = "the embedded cluster doesn't serve these kinds"
CHECKS = "the checks of an API server are its own"
DNS = "that cluster had no DNS service; ours has one"
CGROUPS = "cgroups are the container engine's affair"
MACHINE = "another machine: its memory, disk, kernel and ids"
RACE = "what is seen depends on how quick the machine is"
LEAVING = "how many pods are still on their way out depends on how quick the steps before were"
ENGINE = "the container engine's own words"
OWN = "names of our own"
OUTPUTS = "an engine takes the two outputs in any order"

GROUPS = (
    r"^(admissionregistration|apiextensions|apiregistration|certificates|flowcontrol\.apiserver|networking|node"
    r"|resource|scheduling|storage)\.k8s\.io|^(autoscaling|batch|policy)(/|$)"
)
KINDS = (
    r"^(componentstatuses|limitranges|persistentvolume(claim)?s|podtemplates|replicationcontrollers|resourcequotas"
    r"|controllerrevisions|daemonsets|statefulsets|(nodes|pods|services)/proxy|pods/(ephemeralcontainers|resize)$"
    r"|serviceaccounts/token$)"
)

UNLIMITED = r'"resources": \{\s+"limits": \{\s+"memory": "9007199254740988Ki"\s+\}\s+\}'

PULL_ERROR = (
    r"(?:rpc error: code = NotFound desc = )?"
    r'(?:failed to pull and unpack image|Head \\?"http|unauthorized: |manifest for ).*?(",|)$'
)
CRASHING = r"^(crash|oom|nocmd)  [01]/1  \w+  \d+"

DIFFERENCES = (
    Difference(OWN, "01", "kubectl config view", mode="ignored"),
    Difference(SCOPE, "01", "kubectl api-versions", drop=GROUPS),
    Difference(SCOPE, "01", "kubectl api-resources", drop=KINDS[:-1] + r")\b"),
    Difference(SCOPE, "01", "kubectl api-resources", drop=GROUPS.replace("^", "  ")),
    Difference(SCOPE, "01", "--raw /apis$", without=GROUPS),
    Difference(SCOPE, "01", "--raw /ap", without=KINDS),
    Difference(CHECKS, "01", "readyz[?]verbose", drop=r"^\[\+\]"),
    Difference(SCOPE, "01", "--raw / $", mode="fewer"),
    Difference(CHECKS, "01", "--raw / $", drop=r"/(healthz|livez|readyz)/"),
    Difference(MACHINE, "01", "get svc,", same=(r"<(server|pod|node) address>(:\d+)?", "<address>")),
    Difference(MACHINE, "01", "get svc,", same=(r"IPv4  \d+", "IPv4  <port>")),
    Difference(SCOPE, "01", "componentstatuses", mode="ignored"),
    Difference("descriptions of fields aren't ours to copy", "01", "explain", mode="fewer"),
    Difference(
        "descriptions of fields aren't ours to copy", "01", "explain", drop=r"<(no description|empty)>|^ *$"
    ),
    Difference(MACHINE, "01", "describe node|get nodes -o wide", same=(r"6\.\d+\.\d+[\w.-]*", "<kernel>")),
    Difference(
        MACHINE, "01", "describe node", drop="ephemeral-storage|^ *(Machine ID|System UUID|Boot ID|memory):"
    ),
    Difference(MACHINE, "01", "describe node", same=(r"<pod address>/\d+", "<pods>")),
    Difference(OUTPUTS, "06", "kubectl logs once", mode="unordered"),
    Difference(OUTPUTS, "03", "kubectl logs deployment/calculator", mode="unordered"),
    Difference(OUTPUTS, "03", "kubectl logs -l app=calculator", same=(r"(?m)(/calculator\]) .*$", r"\1 <line>")),
    Difference("the order of a Go map is chance", "06", "build -- env", mode="unordered"),
    Difference(DNS, "06", "/etc/resolv.conf", drop="^(nameserver|search|options) "),
    Difference("we show what differs as it is in the API", "06", '"nodeName":"x"', drop=r"^(@@|[ +-] |$)"),
    Difference(CGROUPS, "06", "pod (side|deadline) -o", same=(UNLIMITED, '"resources": {}')),
    Difference(LEAVING, "04", "get pods", drop="  Terminating  "),
    Difference(LEAVING, "05", drop="calculator-<hash>", without="^calculator-"),
    Difference(RACE, "05", "get pods|describe", same=("(ErrImagePull|ImagePullBackOff)", "<pull failed>")),
    Difference(RACE, "05", "get pods$", same=(CRASHING, r"\1  <crashing>")),
    Difference(RACE, "05", "describe|yaml", same=(r'(Restart Count:  |"restartCount": )"?\d+"?', r"\1<n>")),
    Difference(CGROUPS, "05", "yaml", same=(UNLIMITED, '"resources": {}')),
    Difference(ENGINE, "0[45]", same=(PULL_ERROR, r"<why>\1")),
    Difference("one process leads itself", "05", "get events", drop="LeaderElection"),
    Difference(ENGINE, "05", same=("failed to create containerd task: ", "")),
    Difference(
        "the recording missed the log, which was being removed", "05", "logs crash --previous", mode="ignored"
    ),
    Difference("another kind of key signs", "05", "create token", same=(r"\(jwt\)|eyJhbGciOiJ\w+", "<token>")),
    Difference(RACE, "08", "kubectl logs", same=(r"(line \d+\n?)+", "lines")),
    Difference(RACE, "08", "wc -l$", same=(r"^[1-9]$", "<n>")),
    Difference(RACE, "08", "script -qec", same=(r"\^@", "")),
    Difference(RACE, "08", "kubectl cp s:", drop="^tar: removing leading"),
    Difference(ENGINE, "08", "9999", same=(r"to pod .*(connection refused).*localPort", r"\1 localPort")),
    Difference(SCOPE, "04", "autoscale|delete hpa", mode="ignored"),
    Difference(RACE, "0[3456]", r"^(sleep \d+; )?kubectl (get|describe|logs)|^curl", soon=True),
    Difference(RACE, "", "rollout status (?!.*timeout=3s)", drop="^Waiting for deployment"),
    Difference(RACE, "04", "describe pods", same=("B:  2|MODE:  fast", "<the last that was ready>")),
    Difference(RACE, "06", "describe pod probed", drop="context deadline exceeded"),
    Difference(DNS, drop="MissingClusterDNS|kubelet does not have ClusterDNS IP"),
    Difference(DNS, without="MissingClusterDNS"),
    Difference(RACE, "03", "endpointslices", same=(r'"generation": "\d+"', '"generation": "<n>"')),
    Difference(CGROUPS, drop="CgroupV1"),
)


def prepare(recording: str, command: str, lines: list[str]) -> list[str]:
    """The lines of an answer without what may differ."""
    for difference in _holding(recording, command):
        if difference.drop:
            lines = [line for line in lines if not re.search(difference.drop, line)]
        if difference.same is not None:
            lines = re.sub(*difference.same, "\n".join(lines), flags=re.MULTILINE).splitlines()
    return lines


def without(recording: str, command: str) -> str:
    """A pattern for the items of lists that aren't compared; "" for none."""
    return "|".join(one.without for one in _holding(recording, command) if one.without)


def mode(recording: str, command: str) -> str:
    """How a step is compared: "" for fully."""
    return next((one.mode for one in _holding(recording, command) if one.mode), "")


def may_come_later(recording: str, command: str) -> bool:
    """Whether a step may be given again until its answer is the recorded one."""
    return any(one.soon for one in _holding(recording, command))


def _holding(recording: str, command: str) -> list[Difference]:
    return [one for one in DIFFERENCES if one.holds(recording, command)]
