"""Questions about identity and rights: they are answered and never stored."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api import authz, bearer, tokens
from shipline.cluster.api.authz import Attributes
from shipline.cluster.api.call import User
from shipline.cluster.api.errors import bad_request, method_not_allowed
from shipline.cluster.api.exchange import Exchange
from shipline.cluster.api.names import timestamp
from shipline.cluster.api.objects import decoded, ordered
from shipline.cluster.api.resources import Resource

Json = dict[str, Any]


def answer(exchange: Exchange, resource: Resource, review: Json) -> Json:
    """The review with its status; ApiError when the question makes no sense."""
    answers = {
        "bindings": _bind,
        "selfsubjectreviews": _who_am_i,
        "tokenreviews": _token,
        "selfsubjectaccessreviews": _may_i,
        "localsubjectaccessreviews": _may_they,
        "subjectaccessreviews": _may_they,
        "selfsubjectrulesreviews": _what_may_i,
    }
    review = decoded(
        resource, {**review, "kind": resource.kind, "apiVersion": resource.api_version}, exchange.call()
    )
    return ordered(resource, answers[resource.plural](exchange, review))


def _bind(exchange: Exchange, binding: Json) -> Json:
    target = binding["target"]
    if target.get("kind") not in (None, "", "Node") or not target.get("name"):
        raise method_not_allowed("bindings", "create")
    namespace = exchange.info.namespace or ""
    exchange.api.bind(namespace, binding["metadata"].get("name", ""), target["name"], exchange.call())
    return binding


def _user_info(user: User) -> Json:
    return {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }


def _who_am_i(exchange: Exchange, review: Json) -> Json:
    review["metadata"]["creationTimestamp"] = timestamp()
    review["status"] = {"userInfo": _user_info(exchange.user)}
    return review


def _token(exchange: Exchange, review: Json) -> Json:
    wanted = review["spec"].get("audiences") or [tokens.AUDIENCE]
    found = bearer.authenticate(exchange.key, review["spec"].get("token", ""), wanted, exchange.api.look_up)
    if found is None:
        review["status"] = {"error": "[invalid bearer token, token lookup failed]"}
    elif not found[1]:
        review["status"] = {"error": f"token audiences are invalid for the target audiences {wanted}"}
    else:
        review["status"] = {"authenticated": True, "user": _user_info(found[0]), "audiences": found[1]}
    return review


def _attributes(spec: Json) -> Attributes:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        raise bad_request("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    if path is not None:
        return Attributes(path.get("verb", ""), path=path.get("path", "") or "/")
    assert resource is not None
    return Attributes(
        resource.get("verb", ""),
        resource.get("group", ""),
        resource.get("resource", ""),
        resource.get("subresource", ""),
        resource.get("namespace", ""),
        resource.get("name", ""),
    )


def _judged(exchange: Exchange, user: User, spec: Json) -> Json:
    why = authz.reason(exchange.api, user, _attributes(spec))
    return {"allowed": False} if why is None else {"allowed": True, "reason": why}


def _may_i(exchange: Exchange, review: Json) -> Json:
    review["status"] = _judged(exchange, exchange.user, review["spec"])
    return review


def _may_they(exchange: Exchange, review: Json) -> Json:
    spec = review["spec"]
    if not spec.get("user") and not spec.get("groups"):
        raise bad_request("at least one of user or group must be specified")
    if exchange.info.namespace:
        asked = (spec.get("resourceAttributes") or {}).get("namespace")
        if asked != exchange.info.namespace:
            raise bad_request("spec.resourceAttributes.namespace must match metadata.namespace")
    user = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""))
    review["status"] = _judged(exchange, user, spec)
    return review


def _what_may_i(exchange: Exchange, review: Json) -> Json:
    namespace = review["spec"].get("namespace", "")
    if not namespace:
        raise bad_request("no namespace on request")
    resources: list[Json] = []
    paths: list[Json] = []
    if authz.MASTERS in exchange.user.groups:
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        resources.append(everything)
        paths.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
    for rule, _ in authz.rules(exchange.api, exchange.user, namespace):
        if rule.get("resources"):
            kept = ("verbs", "apiGroups", "resources", "resourceNames")
            resources.append({key: rule[key] for key in kept if rule.get(key)})
        if rule.get("nonResourceURLs"):
            paths.append({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]})
    review["status"] = {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}
    return review
