"""Where the other files of a pipeline come from: the one interface through which `compile` reads anything.

A loader answers for local files of the commit, files of other projects, URLs, templates and components. It is
asked once for each include; it may cache as it likes. What it cannot give it says with `NotLoaded`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

Kind = Literal["local", "project", "remote", "template", "component", "artifact"]


class Origin(msgspec.Struct, frozen=True):
    """One file to load. `path`: the path, URL, template name or the component's address without its version;
    `project` and `ref` where the kind has them (a local file of an included project keeps that project). `job`: of
    the parent pipeline, whose artifact it is.
    """

    kind: Kind
    path: str
    project: str | None = None
    ref: str | None = None
    integrity: str | None = None
    job: str | None = None

    def __str__(self) -> str:
        if self.job:
            return f"{self.job}:{self.path}"
        if self.kind == "component":
            return f"{self.path}@{self.ref}"
        if self.project:
            return f"{self.project}:{self.path}" + (f"@{self.ref}" if self.ref else "")
        return self.path


class Loaded(msgspec.Struct, frozen=True):
    """A file's text and the origin it really has: for a component, project, resolved version and path."""

    text: str
    origin: Origin
    component: dict[str, str] = {}


class NotLoaded(Exception):
    """A file that cannot be had; the text says why, in one line, and `hint` what to do about it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def no_artifact(origin: Origin) -> NotLoaded:
    """The error for an artifact that the parent pipeline does not have, or of which nobody here knows."""
    return NotLoaded(f"Job `{origin.job}` not found in parent pipeline or does not have artifacts!")


class NotThere(NotLoaded):
    """A file that does not exist, as the place where it would be says itself: asking again is of no use."""


class Loader(Protocol):
    """What `compile` asks of the world outside."""

    def load(self, origin: Origin) -> Loaded:
        """One file. Raises NotLoaded."""

    def paths(self, project: str | None = None, ref: str | None = None) -> Sequence[str]:
        """All files of the commit, or of another project at a ref. Raises NotLoaded for an unknown project."""

    def changed(self, compare_to: str) -> Sequence[str] | None:
        """Paths that differ from a ref; None when there is no such ref."""


class MemoryLoader:
    """Files given as a mapping of path to text: for tests, editors and single files.

    `projects` maps a project's path to its files, `remotes` a URL to a text, `templates` a name to a text,
    `comparisons` a ref to the paths that differ from it.
    """

    def __init__(
        self,
        files: dict[str, str] | None = None,
        projects: dict[str, dict[str, str]] | None = None,
        remotes: dict[str, str] | None = None,
        templates: dict[str, str] | None = None,
        comparisons: dict[str, list[str]] | None = None,
    ) -> None:
        self.files = files or {}
        self.projects = projects or {}
        self.remotes = remotes or {}
        self.templates = templates or {}
        self.comparisons = comparisons or {}

    def load(self, origin: Origin) -> Loaded:
        if origin.kind == "artifact":
            raise no_artifact(origin)
        if origin.kind == "remote":
            texts, missing = self.remotes, f"Remote file `{origin.path}` could not be fetched"
        elif origin.kind == "template":
            texts, missing = self.templates, f"Template file `{origin.path}` is not known"
        elif origin.project:
            if origin.project not in self.projects:
                raise NotLoaded(f"Project `{origin.project}` not found or access denied!")
            texts = self.projects[origin.project]
            missing = f"Project `{origin.project}` file `{origin.path}` does not exist!"
        elif origin.kind == "component":
            return self.component(origin)
        else:
            texts, missing = self.files, f"Local file `{origin.path}` does not exist!"
        path = origin.path if origin.kind in ("remote", "template") else origin.path.lstrip("/")
        if path not in texts:
            raise NotLoaded(missing)
        return Loaded(texts[path], origin)

    def component(self, origin: Origin) -> Loaded:
        """A component: `host/group/project/name`, found as templates/name.yml or templates/name/template.yml."""
        project, _, name = origin.path.rpartition("/")
        for known, files in self.projects.items():
            if project == known or project.endswith("/" + known):
                for path in (f"templates/{name}.yml", f"templates/{name}/template.yml"):
                    if path in files:
                        facts = {
                            "name": name,
                            "version": origin.ref or "",
                            "sha": "",
                            "reference": origin.ref or "",
                        }
                        return Loaded(files[path], Origin("component", path, known, origin.ref), facts)
        raise NotLoaded(f"Component `{origin}` - content not found")

    def paths(self, project: str | None = None, ref: str | None = None) -> Sequence[str]:
        if project is None:
            return list(self.files)
        if project not in self.projects:
            raise NotLoaded(f"`{project}` not found or access denied")
        return list(self.projects[project])

    def changed(self, compare_to: str) -> Sequence[str] | None:
        return self.comparisons.get(compare_to)
