"""Loaders for files on disk and elsewhere: a directory, other projects, the web through a function that is given.

`compile` knows only the Loader interface; these stand outside of it. The one way to the network is `fetch`, a
function from a URL to bytes that the caller gives; without it remote files are refused by name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from shipline.language.entry import did_you_mean
from shipline.language.loader import Loaded, NotLoaded, NotThere, Origin, no_artifact
from shipline.language.versions import chosen_version, is_range, is_version, released

Fetch = Callable[[str], bytes]
TEMPLATES = "https://gitlab.com/gitlab-org/gitlab/-/raw/master/lib/gitlab/ci/templates"
COPIED_TEMPLATES = "a copy of GitLab's lib/gitlab/ci/templates will do: --templates DIRECTORY"
PAGE = 100
MAX_PAGES = 100
SKIPPED = {".git", ".hg", "node_modules", ".venv"}


class Project(Protocol):
    """The files of one project at any ref."""

    def read(self, path: str, ref: str | None) -> str | None:
        """A file's text; None when there is none. `ref` None is the default branch."""

    def paths(self, ref: str | None) -> Sequence[str]:
        """All files at a ref."""

    def versions(self) -> Sequence[str]:
        """The names of its tags."""

    def commit(self, ref: str) -> str | None:
        """The commit that a ref means, or the ref itself where nothing knows; None when there is no such ref."""


class Directory:
    """The files of a directory as they are on disk, whatever the ref."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.listed: list[str] | None = None

    def read(self, path: str, ref: str | None = None) -> str | None:
        file = (self.root / path.lstrip("/")).resolve()
        if not file.is_relative_to(self.root) or not file.is_file():
            return None
        return file.read_bytes().decode("utf-8-sig", "replace")

    def paths(self, ref: str | None = None) -> Sequence[str]:
        if self.listed is None:
            self.listed = []
            for folder, folders, files in os.walk(self.root):
                folders[:] = sorted(name for name in folders if name not in SKIPPED)
                inside = os.path.relpath(folder, self.root)
                self.listed += [name if inside == "." else f"{inside}/{name}" for name in sorted(files)]
        return self.listed

    def versions(self) -> Sequence[str]:
        return []

    def commit(self, ref: str) -> str | None:
        return ref


class WebProject:
    """A project on a GitLab server, read file by file through `fetch`; its files and tags are listed by the API."""

    def __init__(self, server: str, path: str, fetch: Fetch) -> None:
        self.server = server.rstrip("/")
        self.path = path
        self.fetch = fetch
        self.address = f"{self.server}/api/v4/projects/{quoted(path)}"
        self.listed: dict[str | None, list[str]] = {}

    def read(self, path: str, ref: str | None) -> str | None:
        try:
            content = self.fetch(
                f"{self.address}/repository/files/{quoted(path.lstrip('/'))}/raw?ref={quoted(ref or 'HEAD')}"
            )
        except NotThere:
            return None
        except NotLoaded as error:
            text = f"Project `{self.path}` file `{path}` could not be fetched. {error}"
            raise NotLoaded(text, f"a copy of it on this disk will do: {given_as(self.path)}") from None
        return content.decode("utf-8-sig", "replace")

    def paths(self, ref: str | None) -> Sequence[str]:
        if ref not in self.listed:
            entries = self.all_of("tree", f"recursive=true&ref={quoted(ref or 'HEAD')}")
            self.listed[ref] = [str(item["path"]) for item in entries if item.get("type") == "blob"]
        return self.listed[ref]

    def versions(self) -> Sequence[str]:
        try:
            return [str(tag["name"]) for tag in self.all_of("tags", "")]
        except (NotThere, KeyError):
            return []

    def commit(self, ref: str) -> str | None:
        import json

        try:
            return str(json.loads(self.fetch(f"{self.address}/repository/commits/{quoted(ref)}"))["id"])
        except NotThere:
            return None
        except (NotLoaded, ValueError, KeyError, TypeError):
            return ref

    def is_visible(self) -> bool:
        """Whether the server shows the project; True where it does not say."""
        try:
            self.fetch(self.address)
        except NotThere:
            return False
        except NotLoaded:
            pass
        return True

    def all_of(self, what: str, query: str) -> list[dict[str, Any]]:
        """All entries of a list of the API, page by page. Raises NotLoaded."""
        import json

        url = f"{self.address}/repository/{what}?{query}&per_page={PAGE}"
        found: list[dict[str, Any]] = []
        for page in range(1, MAX_PAGES + 1):
            try:
                entries = json.loads(self.fetch(f"{url}&page={page}"))
            except ValueError:
                entries = None
            if not isinstance(entries, list) or not all(isinstance(item, dict) for item in entries):
                raise NotLoaded(f"Project `{self.path}`: {self.server} does not list its {what} as GitLab does")
            found += entries
            if len(entries) < PAGE:
                return found
        raise NotLoaded(
            f"Project `{self.path}` has more than {MAX_PAGES * PAGE} files, too many to list through the API: "
            f"clone it and say --project {self.path}=DIRECTORY"
        )


class Sources:
    """The loader of the command line: one project's files, and what was named besides.

    `projects` maps a project's path to its files; other projects are asked of `server` where there is `fetch`.
    `templates` is a directory that stands in for GitLab's own.
    """

    def __init__(
        self,
        local: Project,
        projects: Mapping[str, Project] | None = None,
        fetch: Fetch | None = None,
        server: str | None = None,
        templates: Project | None = None,
        compare: Callable[[str], Sequence[str] | None] | None = None,
    ) -> None:
        self.local = local
        self.projects = dict(projects or {})
        self.fetch = fetch
        self.server = server
        self.templates = templates
        self.compare = compare

    def load(self, origin: Origin) -> Loaded:
        if origin.kind == "remote":
            return Loaded(self.remote(origin), origin)
        if origin.kind == "template":
            return Loaded(self.template(origin.path), origin)
        if origin.kind == "artifact":
            raise no_artifact(origin)
        if origin.kind == "component" and origin.project is None:
            return self.component(origin)
        if origin.project is None:
            text = self.local.read(origin.path, origin.ref)
            if text is None:
                raise NotLoaded(f"Local file `{origin.path}` does not exist!")
            return Loaded(text, origin)
        project = self.project(origin.project)
        text = project.read(origin.path, origin.ref)
        if text is None:
            raise missing(origin.project, project, origin.path, origin.ref)
        return Loaded(text, origin)

    def project(self, path: str) -> Project:
        """A project that was named, else one of the server's. Raises NotLoaded."""
        if path in self.projects:
            return self.projects[path]
        if self.fetch is not None and self.server is not None:
            self.projects[path] = WebProject(self.server, path, self.fetch)
            return self.projects[path]
        raise NotLoaded(f"Project `{path}` not found or access denied!", f"say where it is: {given_as(path)}")

    def remote(self, origin: Origin) -> str:
        if self.fetch is None:
            raise NotLoaded(f"Remote file `{origin.path}` could not be fetched: there is no network here")
        content = self.fetch(origin.path)
        if origin.integrity and origin.integrity != integrity(content):
            raise NotLoaded(
                f"Remote file `{origin.path}` does not match its integrity: it is {integrity(content)} now"
            )
        return content.decode("utf-8-sig", "replace")

    def template(self, name: str) -> str:
        """One of GitLab's templates: from the directory that was given, else from GitLab itself."""
        if self.templates is None and self.fetch is not None:
            try:
                return self.fetch(f"{TEMPLATES}/{name}").decode("utf-8-sig", "replace")
            except NotThere:
                raise NotLoaded(f"Template file `{name}` does not exist!") from None
            except NotLoaded as error:
                raise NotLoaded(f"Template file `{name}` could not be fetched. {error}", COPIED_TEMPLATES) from None
        text = self.templates.read(name, None) if self.templates is not None else None
        if text is None:
            near = did_you_mean(name, self.templates.paths(None)) if self.templates is not None else None
            raise NotLoaded(f"Template file `{name}` is not here", near or COPIED_TEMPLATES)
        return text

    def component(self, origin: Origin) -> Loaded:
        """`host/group/project/name` at a version: templates/name.yml or templates/name/template.yml."""
        address, _, name = origin.path.rpartition("/")
        _host, _, path = address.partition("/")
        project = self.projects.get(address) or self.projects.get(path) or self.project(path or address)
        wanted = origin.ref or ""
        files = [f"templates/{name}.yml", f"templates/{name}/template.yml"]
        try:
            versions = project.versions() if is_range(wanted) else []
            ref = chosen_version(wanted, versions) if is_range(wanted) else wanted
            read = ((file, project.read(file, ref)) for file in files if ref is not None)
            found = next(((file, text) for file, text in read if text is not None), None)
        except NotLoaded as error:
            near = error.hint or f"a copy of its project on this disk will do: {given_as(path or address)}"
            raise NotLoaded(f"Component `{origin}` could not be fetched. {error}", near) from None
        if ref is None:
            newest = ", ".join(released(versions)[-5:]) or "none"
            raise NotThere(f"Component `{origin}` - no version fits", f"its newest versions: {newest}")
        if found is not None:
            file, text = found
            version = ref if is_version(ref) else ""
            sha = project.commit(ref) if "component.sha" in text else None
            facts = {"name": name, "version": version, "reference": wanted, "sha": sha or ref}
            return Loaded(text, Origin("component", file, path or address, ref), facts)
        hint = missing(path or address, project, files[0], ref).hint
        if project.commit(ref) is None:
            hint = f"the project has no reference `{ref}`"
        raise NotLoaded(f"Component `{origin}` - content not found", hint)

    def paths(self, project: str | None = None, ref: str | None = None) -> Sequence[str]:
        return self.local.paths(ref) if project is None else self.project(project).paths(ref)

    def changed(self, compare_to: str) -> Sequence[str] | None:
        return self.compare(compare_to) if self.compare is not None else None


def missing(name: str, project: Project, path: str, ref: str | None) -> NotLoaded:
    """What a file of another project, which is not there, fails by: the project, the ref or the file itself."""
    if isinstance(project, WebProject):
        if not project.is_visible():
            return NotLoaded(f"Project `{name}` not found or access denied!", private(name))
        near = None
    else:
        near = did_you_mean(path.lstrip("/"), project.paths(ref)) if not ref or project.commit(ref) else None
    if ref and project.commit(ref) is None:
        return NotLoaded(f"Project `{name}` reference `{ref}` does not exist!")
    return NotLoaded(f"Project `{name}` file `{path}` does not exist!", near)


def given_as(path: str) -> str:
    """How the command line is told where a project is."""
    return f"--project {path}=DIRECTORY"


def private(path: str) -> str:
    """What may be done where a server says that a project, or a file of it, is not there."""
    return f"where it is private, put a token into GITLAB_TOKEN, or give a copy of the project: {given_as(path)}"


def quoted(text: str) -> str:
    """A text as a part of a URL."""
    from urllib.parse import quote

    return quote(text, safe="")


def integrity(content: bytes) -> str:
    """The integrity of a content as `include:integrity` writes it."""
    import base64
    import hashlib

    return "sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode()
