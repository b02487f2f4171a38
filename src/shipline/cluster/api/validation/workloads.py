"""Deployments and ReplicaSets: selector, template, and the numbers of a rollout."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.selectors import SelectorError, match_labels
from shipline.cluster.api.validation import formats
from shipline.cluster.api.validation.causes import Causes, quoted
from shipline.cluster.api.validation.metadata import check_annotations, check_labels
from shipline.cluster.api.validation.pods import check_pod_spec

Json = dict[str, Any]

_OPERATORS = ("DoesNotExist", "Exists", "In", "NotIn")
_NEGATIVE = "must be greater than or equal to 0"


def check_deployment(causes: Causes, deployment: Json) -> None:
    """A Deployment by itself."""
    spec = deployment["spec"]
    _not_negative(causes, "spec.replicas", spec["replicas"])
    _selector_and_template(causes, spec, "deployment")
    _strategy(causes, spec["strategy"])
    _not_negative(causes, "spec.minReadySeconds", spec.get("minReadySeconds", 0))
    _not_negative(causes, "spec.revisionHistoryLimit", spec["revisionHistoryLimit"])
    deadline = spec["progressDeadlineSeconds"]
    _not_negative(causes, "spec.progressDeadlineSeconds", deadline)
    if deadline <= spec.get("minReadySeconds", 0):
        causes.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def check_replica_set(causes: Causes, replica_set: Json) -> None:
    """A ReplicaSet by itself."""
    spec = replica_set["spec"]
    _not_negative(causes, "spec.replicas", spec["replicas"])
    _not_negative(causes, "spec.minReadySeconds", spec.get("minReadySeconds", 0))
    _selector_and_template(causes, spec, "replica set")


def check_selector_change(causes: Causes, new: Json, old: Json) -> None:
    """A selector stays as it was made."""
    if new["spec"].get("selector") != old["spec"].get("selector"):
        causes.invalid("spec.selector", new["spec"].get("selector"), "field is immutable")


def _not_negative(causes: Causes, field: str, value: int) -> None:
    if value < 0:
        causes.invalid(field, value, _NEGATIVE)


def _selector_and_template(causes: Causes, spec: Json, kind: str) -> None:
    selector, template = spec.get("selector"), spec["template"]
    if selector is None:
        causes.required("spec.selector")
    else:
        _check_selector(causes, selector)
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            causes.invalid("spec.selector", selector, f"empty selector is invalid for {kind}")
    labels = template["metadata"].get("labels") or {}
    if selector and not _matches(selector, labels):
        why = "`selector` does not match template `labels`"
        causes.invalid("spec.template.metadata.labels", labels, why)
    check_labels(causes, "spec.template.labels", labels)
    check_annotations(causes, "spec.template.annotations", template["metadata"].get("annotations") or {})
    check_pod_spec(causes, "spec.template.spec", template["spec"])
    policy = template["spec"].get("restartPolicy")
    if policy in ("Never", "OnFailure"):
        causes.unsupported("spec.template.spec.restartPolicy", policy, ("Always",))
    if template["spec"].get("activeDeadlineSeconds") is not None:
        causes.forbidden(
            "spec.template.spec.activeDeadlineSeconds", f"activeDeadlineSeconds in {_word(kind)} is not Supported"
        )


def _matches(selector: Json, labels: Json) -> bool:
    try:
        return match_labels(selector)(labels)
    except SelectorError:
        return False  # An operator that isn't one has its own cause.


def _word(kind: str) -> str:
    return {"deployment": "Deployment", "replica set": "ReplicaSet"}[kind]


def _check_selector(causes: Causes, selector: Json) -> None:
    check_labels(causes, "spec.selector.matchLabels", selector.get("matchLabels") or {})
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        field = f"spec.selector.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values") or []
        if operator not in _OPERATORS:
            causes.invalid(f"{field}.operator", operator, "not a valid selector operator")
        elif operator in ("In", "NotIn") and not values:
            causes.required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist") and values:
            causes.forbidden(
                f"{field}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            )
        for complaint in formats.qualified_name(expression.get("key", "")):
            causes.invalid(f"{field}.key", expression.get("key", ""), complaint)


def _strategy(causes: Causes, strategy: Json) -> None:
    rolling = strategy.get("rollingUpdate")
    match strategy["type"]:
        case "Recreate" if rolling is not None:
            why = "may not be specified when strategy `type` is 'Recreate'"
            causes.forbidden("spec.strategy.rollingUpdate", why)
        case "RollingUpdate" if rolling is not None:
            _rolling(causes, rolling)
        case "Recreate" | "RollingUpdate":
            pass
        case other:
            causes.unsupported("spec.strategy.type", other, ("Recreate", "RollingUpdate"))


def _rolling(causes: Causes, rolling: Json) -> None:
    field = "spec.strategy.rollingUpdate"
    amounts = {name: rolling.get(name, 0) for name in ("maxUnavailable", "maxSurge")}
    good = [_is_amount(causes, f"{field}.{name}", value) for name, value in amounts.items()]
    if all(good) and all(_number(value) == 0 for value in amounts.values()):
        why = "may not be 0 when `maxSurge` is 0"
        shown = amounts["maxUnavailable"]
        causes.found.append(
            ("FieldValueInvalid", f"{field}.maxUnavailable", f"Invalid value: {quoted(shown)}: {why}")
        )
    unavailable = amounts["maxUnavailable"]
    if all(good) and isinstance(unavailable, str) and _number(unavailable) > 100:
        causes.invalid(f"{field}.maxUnavailable", unavailable, "must not be greater than 100%")


def _number(value: int | str) -> int:
    return value if isinstance(value, int) else int(value.rstrip("%"))


def _is_amount(causes: Causes, field: str, value: int | str) -> bool:
    if isinstance(value, int):
        _not_negative(causes, field, value)
        return value >= 0
    if value.endswith("%") and value[:-1].isdigit():
        return True
    message = (
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex "
        "used for validation is '[0-9]+%')"
    )
    causes.invalid(field, value, message)
    return False
