"""`include`: other files read through the loader and merged in order, the including file last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shipline.language.conditions import Circumstances, Repository, first_match
from shipline.language.documents import read_documents
from shipline.language.durations import MINUTE, seconds
from shipline.language.entry import Entry, did_you_mean
from shipline.language.expansion import expand
from shipline.language.findings import Finding, LanguageError, finding, refuse
from shipline.language.interpolation import interpolated
from shipline.language.job_variables import by_name
from shipline.language.keywords.rules import rules
from shipline.language.loader import Loaded, Loader, NotLoaded, Origin
from shipline.language.pipeline import Variable
from shipline.language.quoted_colons import mended
from shipline.language.values import NOWHERE, List, Map, Place, absorb
from shipline.language.wildcards import wildcard_matches

MAX_INCLUDES = 150
KINDS = ("local", "project", "remote", "template", "component", "file")
SUBKEYS = ("local", "project", "remote", "template", "component", "artifact")
ALLOWED = (*SUBKEYS, "file", "ref", "rules", "inputs", "integrity", "cache", "job", "with")
ALLOWED_IN_HEADER = ("local", "file", "remote", "project", "ref", "integrity")
YAML_ENDINGS = (".yml", ".yaml")


class TooManyIncludes(LanguageError):
    """The limit of a pipeline, or a file that includes itself: reading on would only repeat it."""


class Includes:
    """Reads a file and all that it includes. One for each pipeline: it counts files and keeps what was read.

    `child`: for a child pipeline, which may include what jobs of its parent have made. `missing`: where to note
    includes that cannot be had or read, so that the rest can be looked at all the same; None raises for the first.
    """

    def __init__(
        self,
        loader: Loader,
        variables: list[Variable],
        repository: Repository,
        warnings: list[Finding],
        mend: bool = False,
        child: bool = False,
        missing: list[Finding] | None = None,
    ) -> None:
        self.missing = missing
        self.loader = loader
        self.child = child
        self.values = by_name(variables)
        last = {variable.key: variable for variable in variables}
        self.masked = {key for key, variable in last.items() if variable.masked}
        self.repository = repository
        self.warnings = warnings
        self.mend = mend
        self.count = 0
        self.texts: dict[str, str] = {}
        self.origins: list[Origin] = []
        self.blocks: dict[str, list[tuple[int, str]]] = {}

    def main(self, text: str, file: str, inputs: dict[str, Any]) -> Map:
        """The main file with its includes merged under it."""
        self.texts[file] = text
        loaded = Loaded(text, Origin("local", file))
        return self.expanded(self.content(loaded, file, inputs, NOWHERE), loaded.origin, ())

    def content(self, loaded: Loaded, file: str, inputs: Any, place: Place) -> Map:
        """A file's mapping with its inputs put in."""
        documents = read_documents(loaded.text, file, self.warnings)
        whole = Place(file, 1, 1)
        if not documents:
            if place is NOWHERE:
                raise refuse("Please provide content of .gitlab-ci.yml", whole, "it is empty")
            raise refuse(f"{kind_name(loaded.origin)} file `{loaded.origin.path}` is empty!", place)
        known = self.plain_values()
        check_component(loaded, documents[0].value)
        value = interpolated(documents, inputs, known, loaded.component, place, self.header_file, self.masked)
        if not isinstance(value, Map):
            told = "Invalid configuration format" if place is NOWHERE else f"`{file}`: Invalid configuration format"
            at = documents[-1].place
            raise refuse(told, at, "a pipeline is a mapping: `name: value` lines")
        self.blocks[file] = sorted((at.line, str(key)) for key, at in value.keys_at.items())
        return mended(value, self.warnings) if self.mend else value

    def plain_values(self) -> dict[str, str]:
        return {key: value for key, value in self.values.items() if value is not None}

    def expanded(self, content: Map, origin: Origin, chain: tuple[str, ...]) -> Map:
        """A file's mapping with everything that it includes merged under it."""
        include = content.get("include")
        if include is None:
            return content.without("include") if "include" in content else content
        result = Map(content.place)
        for item, place in listed(include, content.at("include")):
            for part in self.included(item, place, origin, chain):
                absorb(result, part)
        absorb(result, content.without("include"))
        return result

    def included(self, item: Any, place: Place, parent: Origin, chain: tuple[str, ...]) -> list[Map]:
        """The mappings of one include: none where its rules do not hold, several for globs and file lists."""
        if isinstance(item, str):
            item = expand(item, self.plain_values(), keep_undefined=True)
        found: list[Map] = []
        with self.noted():
            written = checked(item, place, self.child)
            if not self.wanted(written, parent):
                return []
            for origin in self.origins_of(written, place, parent):
                self.counted(place, chain)
                with self.noted():
                    loaded = self.load(origin, place)
                    file = str(loaded.origin)
                    content = self.content(loaded, file, written.get("inputs"), place)
                    found.append(self.expanded(content, loaded.origin, (*chain, file)))
        return found

    def counted(self, place: Place, chain: tuple[str, ...]) -> None:
        """Counts one more file. Raises TooManyIncludes."""
        self.count += 1
        if self.count > MAX_INCLUDES:
            again = next((name for name in chain if chain.count(name) > 1), None)
            hint = f"`{again}` includes itself" if again else "files are counted each time they are included"
            text = f"Maximum of {MAX_INCLUDES} nested includes are allowed!"
            raise TooManyIncludes(finding(text, place, hint))

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Notes what is wrong with an include where that is wished, and goes on without it."""
        try:
            yield
        except LanguageError as error:
            if self.missing is None or isinstance(error, TooManyIncludes):
                raise
            self.missing += error.findings

    def wanted(self, written: Map, parent: Origin) -> bool:
        """Whether the rules of an include hold; files are looked for where the including file is from."""
        if written.get("rules") is None:
            return True
        findings: list[Finding] = []
        found = rules(Entry(written["rules"], written.at("rules"), "include:rules", findings), "include")
        if findings:
            raise LanguageError(findings)
        home = (parent.project, parent.ref)
        remote = parent.kind == "remote"
        seen = Circumstances(self.values, lambda _text: self.plain_values(), self.repository, home, remote)
        rule = first_match(found or [], seen)
        return rule is not None and rule.when != "never"

    def origins_of(self, written: Map, place: Place, parent: Origin) -> list[Origin]:
        """The files that one include stands for."""

        def text(key: str) -> str | None:
            value = written.get(key)
            if value is None:
                return None
            if not isinstance(value, str):
                raise refuse(f"include {key} should be a string", written.at(key))
            return expand(value, self.plain_values(), keep_undefined=True)

        if (path := text("local")) is not None:
            return self.local(path, written.at("local"), parent)
        if (url := text("remote")) is not None:
            return [self.remote(url, text("integrity"), written.at("remote"))]
        if (name := text("template")) is not None:
            return [Origin("template", yaml_name(name, written.at("template")))]
        if (address := text("component")) is not None:
            path, at, version = address.rpartition("@")
            if not at or not path or not version:
                raise refuse(
                    f"Given component address `{address}` is not valid", place, "host/group/project/name@version"
                )
            return [Origin("component", path, None, version)]
        if (path := text("artifact")) is not None:
            job = text("job")
            if not job:
                raise refuse("Job must be provided when including configs from artifacts", place)
            return [Origin("artifact", yaml_name(path, written.at("artifact")), job=job)]
        return self.project(written, text("project"), text("ref"))

    def local(self, path: str, place: Place, parent: Origin) -> list[Origin]:
        if parent.kind == "remote":
            raise refuse(f"Local file `{path}` does not have project!", place, "a remote file has no repository")
        if "*" in path:
            yaml_name(path, place)
            names = self.loader.paths(parent.project, parent.ref)
            matching = wildcard_matches(path.lstrip("/"), names)
            if not matching:
                self.warnings.append(finding(f"include:local `{path}` matches no file", place, None, "warning"))
            return [Origin("local", name, parent.project, parent.ref) for name in matching]
        return [Origin("local", yaml_name(path, place).lstrip("/"), parent.project, parent.ref)]

    def remote(self, url: str, integrity: str | None, place: Place) -> Origin:
        if not url.startswith(("http://", "https://")):
            raise refuse(f"Remote file `{url}` does not have a valid address!", place, "http:// or https://")
        yaml_name(url.split("?")[0].split("#")[0], place)
        return Origin("remote", url, None, None, integrity)

    def project(self, written: Map, project: str | None, ref: str | None) -> list[Origin]:
        place = written.at("project")
        files = written.get("file")
        if not project:
            raise refuse("include project can't be blank", place)
        if files is None:
            raise refuse("include config must specify the file where to fetch the config from", place)
        names = files if isinstance(files, list) else [files]
        if not names or not all(isinstance(name, str) for name in names):
            raise refuse("include file should be a string or an array of strings", written.at("file"))
        return [
            Origin("project", yaml_name(expand(name, self.plain_values(), True), place).lstrip("/"), project, ref)
            for name in names
        ]

    def load(self, origin: Origin, place: Place) -> Loaded:
        try:
            loaded = self.loader.load(origin)
        except NotLoaded as error:
            near = error.hint
            if origin.kind == "local":
                near = did_you_mean(origin.path, list(self.loader.paths(origin.project, origin.ref))[:2000])
                near = near or "a path begins at the root of the repository"
            raise refuse(str(error), place, near) from None
        self.texts[str(loaded.origin)] = loaded.text
        self.origins.append(loaded.origin)
        return loaded

    def header_file(self, item: Any, place: Place) -> Map:
        """The `spec:inputs` file that a header includes."""
        unknown = [key for key in item if key not in ALLOWED_IN_HEADER] if isinstance(item, Map) else []
        if unknown:
            text = f"header:spec:include config contains unknown keys: {', '.join(str(key) for key in unknown)}"
            raise refuse(text, item.key_at(unknown[0]))
        written = checked(item, place)
        origin = self.origins_of(written, place, Origin("local", ""))[0]
        documents = read_documents(self.load(origin, place).text, str(origin), self.warnings)
        if not documents:
            raise refuse(f"{kind_name(origin)} file `{origin.path}` is empty!", place)
        if not isinstance(documents[0].value, Map):
            raise refuse(f"`{origin}`: Invalid configuration format", place)
        header: Map = documents[0].value
        return header


def check_component(loaded: Loaded, header: Any) -> None:
    """Raises LanguageError for a component whose header includes files."""
    spec = header.get("spec") if loaded.origin.kind == "component" and isinstance(header, Map) else None
    if isinstance(spec, Map) and spec.get("include") is not None:
        name = f"{loaded.origin.project}/{loaded.component.get('name')}@{loaded.component.get('reference')}"
        text = f"Component `{name}` cannot use `spec:include`. This keyword is not supported in components"
        raise refuse(text, spec.key_at("include"))


def kind_name(origin: Origin) -> str:
    if origin.kind == "project":
        return f"Project `{origin.project}`"
    return {"local": "Local", "remote": "Remote", "template": "Template"}.get(origin.kind, "Included")


def listed(include: Any, place: Place) -> list[tuple[Any, Place]]:
    return list(include.entries()) if isinstance(include, List) else [(include, place)]


def checked(item: Any, place: Place, child: bool = False) -> Map:
    """One include as a mapping with one kind of source. Raises LanguageError when it is something else. Only what a
    child pipeline (`child`) is made of may be an artifact."""
    if isinstance(item, str):
        new = Map(place)
        new.put("remote" if item.startswith(("http://", "https://")) else "local", item, place, place)
        return new
    if not isinstance(item, Map):
        raise refuse("Each include must be a hash or a string", place)
    kinds = [key for key in SUBKEYS if key in item]
    known = ", ".join(f"`{key}`" for key in SUBKEYS[:5])
    if len(kinds) > 1:
        raise refuse(f"Each include must use only one of: {known}", item.key_at(kinds[1]))
    if not kinds or (kinds == ["artifact"] and not child):
        hint = next((did_you_mean(key, SUBKEYS) for key in item), None)
        raise refuse(f"include does not have a valid subkey for include. Valid subkeys are: {known}", place, hint)
    inputs = item.get("inputs")
    if inputs is not None and not isinstance(inputs, Map):
        raise refuse("include inputs should be a hash", item.at("inputs"), "inputs: {name: value}")
    if item.get("integrity") is not None:
        check_integrity(item)
    if item.get("cache"):
        check_cache(item)
    unknown = [key for key in item if key not in ALLOWED]
    if unknown:
        raise refuse(
            f"include config contains unknown keys: {unknown[0]}",
            item.key_at(unknown[0]),
            did_you_mean(unknown[0], ALLOWED),
        )
    return item


def check_cache(item: Map) -> None:
    """Raises LanguageError for a cache that is no duration, too short, or that stands where it means nothing."""
    value, place = item["cache"], item.at("cache")
    if item.get("remote") is None:
        raise refuse("include config cache can only be specified for remote includes", place)
    length = seconds(value) if isinstance(value, str) else None
    if value is not True and (length is None or length < MINUTE):
        raise refuse("include config cache must be true or a duration of at least 1 minute", place, "cache: 1 day")


def check_integrity(item: Map) -> None:
    """Raises LanguageError for an integrity that is no SHA-256, or that stands where it means nothing."""
    value, place = item["integrity"], item.at("integrity")
    if item.get("remote") is None:
        raise refuse("include config integrity can only be specified for remote includes", place)
    if not isinstance(value, str) or not value.startswith("sha256-"):
        raise refuse("include config integrity hash must start with 'sha256-'", place)
    from base64 import b64decode

    try:
        b64decode(value.removeprefix("sha256-"), validate=True)
    except ValueError:
        raise refuse("include config integrity hash must be base64 encoded", place) from None


def yaml_name(path: str, place: Place) -> str:
    """A path that ends in .yml or .yaml, or LanguageError."""
    name = path.rpartition("/")[2].lower()
    if not name.endswith(YAML_ENDINGS) or name in YAML_ENDINGS:
        raise refuse(f"Included file `{path}` does not have YAML extension!", place, "a name that ends in .yml")
    return path
