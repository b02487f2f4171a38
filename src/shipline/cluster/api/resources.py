"""What is served: one row a resource, from which discovery, routing and kubectl's short names follow.

A resource is named `plural` or `plural.group`, as on kubectl's command line. What has no row does not exist:
its path answers 404, as on a server without that group.
"""

from __future__ import annotations

from dataclasses import dataclass

from shipline.cluster.api.errors import unknown_path

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A path below an object: its name, verbs, and the kind it speaks where that isn't the parent's."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource. `group` is "" for the core; `verbs` are those of the objects themselves."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    verbs: tuple[str, ...] = ALL_VERBS
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[Subresource, ...] = ()

    @property
    def name(self) -> str:
        """`pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """`pod`, `deployment`."""
        return self.kind.lower()

    @property
    def returns_deleted(self) -> bool:
        """Whether a delete answers with the object rather than a Status."""
        return self.name in ("namespaces", "pods", "serviceaccounts", "services")

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name, if there is one."""
        return next((sub for sub in self.subresources if sub.name == name), None)


_CHANGE = ("get", "patch", "update")
_CONNECT = ("create", "get")
_PROXY = ("create", "delete", "get", "patch", "update")
_STATUS = Subresource("status", _CHANGE)
_SCALE = Subresource("scale", _CHANGE, kind="Scale", group="autoscaling", version="v1")
_REVIEW = ("create",)
_AUTHENTICATION = "authentication.k8s.io"
_AUTHORIZATION = "authorization.k8s.io"
_RBAC = "rbac.authorization.k8s.io"

RESOURCES: tuple[Resource, ...] = (
    Resource("bindings", "Binding", verbs=("create",)),
    Resource("configmaps", "ConfigMap", short_names=("cm",)),
    Resource("endpoints", "Endpoints", short_names=("ep",)),
    Resource("events", "Event", short_names=("ev",)),
    Resource(
        "namespaces",
        "Namespace",
        namespaced=False,
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        short_names=("ns",),
        subresources=(Subresource("finalize", ("update",)), _STATUS),
    ),
    Resource("nodes", "Node", namespaced=False, short_names=("no",), subresources=(_STATUS,)),
    Resource(
        "pods",
        "Pod",
        short_names=("po",),
        categories=("all",),
        subresources=(
            Subresource("attach", _CONNECT, kind="PodAttachOptions"),
            Subresource("binding", ("create",), kind="Binding"),
            Subresource("eviction", ("create",), kind="Eviction", group="policy", version="v1"),
            Subresource("exec", _CONNECT, kind="PodExecOptions"),
            Subresource("log", ("get",)),
            Subresource("portforward", _CONNECT, kind="PodPortForwardOptions"),
            Subresource("proxy", _PROXY, kind="PodProxyOptions"),
            _STATUS,
        ),
    ),
    Resource("secrets", "Secret"),
    Resource(
        "serviceaccounts",
        "ServiceAccount",
        short_names=("sa",),
        subresources=(Subresource("token", ("create",), kind="TokenRequest", group=_AUTHENTICATION, version="v1"),),
    ),
    Resource(
        "services",
        "Service",
        short_names=("svc",),
        categories=("all",),
        subresources=(Subresource("proxy", _PROXY, kind="ServiceProxyOptions"), _STATUS),
    ),
    Resource(
        "deployments",
        "Deployment",
        group="apps",
        short_names=("deploy",),
        categories=("all",),
        subresources=(_SCALE, _STATUS),
    ),
    Resource(
        "replicasets",
        "ReplicaSet",
        group="apps",
        short_names=("rs",),
        categories=("all",),
        subresources=(_SCALE, _STATUS),
    ),
    Resource("events", "Event", group="events.k8s.io", short_names=("ev",)),
    Resource("selfsubjectreviews", "SelfSubjectReview", _AUTHENTICATION, namespaced=False, verbs=_REVIEW),
    Resource("tokenreviews", "TokenReview", _AUTHENTICATION, namespaced=False, verbs=_REVIEW),
    Resource("localsubjectaccessreviews", "LocalSubjectAccessReview", _AUTHORIZATION, verbs=_REVIEW),
    Resource(
        "selfsubjectaccessreviews", "SelfSubjectAccessReview", _AUTHORIZATION, namespaced=False, verbs=_REVIEW
    ),
    Resource("selfsubjectrulesreviews", "SelfSubjectRulesReview", _AUTHORIZATION, namespaced=False, verbs=_REVIEW),
    Resource("subjectaccessreviews", "SubjectAccessReview", _AUTHORIZATION, namespaced=False, verbs=_REVIEW),
    Resource("leases", "Lease", "coordination.k8s.io"),
    Resource("clusterrolebindings", "ClusterRoleBinding", _RBAC, namespaced=False),
    Resource("clusterroles", "ClusterRole", _RBAC, namespaced=False),
    Resource("rolebindings", "RoleBinding", _RBAC),
    Resource("roles", "Role", _RBAC),
    Resource("endpointslices", "EndpointSlice", "discovery.k8s.io"),
)

_BY_NAME = {resource.name: resource for resource in RESOURCES}
_BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
_BY_KIND = {(resource.api_version, resource.kind): resource for resource in RESOURCES}


def find(name: str) -> Resource:
    """The resource called `plural[.group]`; ApiError 404 when it isn't served."""
    resource = _BY_NAME.get(name)
    if resource is None:
        raise unknown_path()
    return resource


def at(group: str, version: str, plural: str) -> Resource | None:
    """The resource served at a path's group, version and plural."""
    return _BY_PATH.get((group, version, plural))


def of_kind(api_version: str, kind: str) -> Resource | None:
    """The resource whose objects say `apiVersion` and `kind`."""
    return _BY_KIND.get((api_version, kind))
