"""`$[[ inputs.name | function ]]`: a file's inputs put into its texts and keys.

Happens to one file at a time, after YAML was read and before anything is merged, as GitLab does it. A block
that is the whole of a value keeps the input's type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from shipline.language.documents import Document
from shipline.language.entry import Entry, did_you_mean
from shipline.language.findings import Finding, LanguageError, finding
from shipline.language.input_functions import BadFunction, apply
from shipline.language.inputs import as_text, definitions, inspected, values
from shipline.language.values import List, Map, Place, Reference, located, merged

BLOCK = re.compile(r"\$\[\[\s*(?P<data>\S(?:(?!\$\[\[).)*?\S)\s*\]\](?!\])")
INDEX = re.compile(r"(?P<name>[^\[\]]+)(?P<indexes>(?:\[[^\[\]]*\])*)(?P<rest>.*)\Z")
MAX_FUNCTIONS = 3
SPEC_KEYS = ("inputs", "include", "component", "description")
COMPONENT_KEYS = ("name", "sha", "version", "reference")
MAX_DESCRIPTION = 256
LEFT_ALONE = ("matrix.", "job.")


def interpolated(
    documents: list[Document],
    inputs: Any,
    variables: Mapping[str, str],
    component: dict[str, str],
    place: Place,
    header_file: Callable[[Any, Place], Map],
    masked: Collection[str] = (),
) -> Any:
    """The content of a file with its inputs put in. `place` is that of the include. Raises LanguageError.

    `masked` are the names of variables whose values are secrets: nothing may put them into a configuration.
    """
    first = documents[0].value
    given = inputs if isinstance(inputs, Map) else located(dict(inputs or {}), place)
    has_header = len(documents) > 1 and isinstance(first, Map) and "spec" in first
    if not has_header:
        if given:
            text = "Given inputs not defined in the `spec` section of the included configuration file"
            raise LanguageError(finding(text, given.place if given.place.line else place, check="inputs"))
        return first
    findings: list[Finding] = []
    access: dict[str, Any] = header(first, given, variables, component, place, header_file, findings)
    if findings:
        raise LanguageError(findings)
    return Interpolator(access, variables, masked).whole(documents[1].value, documents[1].place)


def header(
    document: Map,
    given: Map,
    variables: Mapping[str, str],
    component: dict[str, str],
    place: Place,
    header_file: Callable[[Any, Place], Map],
    findings: list[Finding],
) -> dict[str, Any]:
    """What a file's blocks may read, from its header and what it was given."""
    root = Entry(document, document.place, "header", findings)
    root.only("spec")
    spec = root.child("spec")
    if spec.value is None:
        return {"inputs": {}}
    if not spec.mapping(*SPEC_KEYS):
        return {}
    description = spec.value.get("description")
    if description is not None and (not isinstance(description, str) or len(description) > MAX_DESCRIPTION):
        spec.refuse_key("description", f"is too long (maximum is {MAX_DESCRIPTION} characters)")
    asked = spec.child("inputs")
    if spec.value.get("include") is not None:
        asked = Entry(included_inputs(spec, header_file), asked.place, asked.path, findings)
    defined = definitions(asked)
    wanted = components(spec)
    if findings:
        return {}
    at = place if place.line else document.place
    found: dict[str, Any] = {"inputs": values(defined, given, variables, at, findings)}
    if wanted:
        found["component"] = {name: component.get(name, "") for name in wanted}
    return found


def included_inputs(spec: Entry, header_file: Callable[[Any, Place], Map]) -> Map | None:
    """The inputs of a header's includes and its own."""
    include = spec.value["include"]
    items = list(include.entries()) if isinstance(include, List) else [(include, spec.value.at("include"))]
    result = Map(spec.place)
    for item, place in items:
        document = header_file(item, place)
        unknown = [key for key in document if key != "inputs"]
        if unknown:
            text = f"Header include file contains unknown keys: {', '.join(str(key) for key in unknown)}"
            raise LanguageError(finding(text, document.key_at(unknown[0]), "it holds `inputs:` and nothing else"))
        result = joined(result, document.get("inputs"))
    return joined(result, spec.value.get("inputs"))


def joined(inputs: Map, more: Any) -> Map:
    """`inputs` and what another file, or the header itself, defines. Raises LanguageError for what is in both."""
    if not isinstance(more, Map):
        return inputs
    twice = [key for key in more if key in inputs]
    if twice:
        text = (
            f"Duplicate input keys found: {', '.join(str(key) for key in twice)}. "
            "Input keys must be unique across all included files and inline specifications."
        )
        raise LanguageError(finding(text, more.key_at(twice[0]), f"it is at {inputs.key_at(twice[0])} too"))
    return merged(inputs, more)


def components(spec: Entry) -> list[str]:
    """`spec:component`, the facts of the component that a file may read."""
    wanted = spec.value.get("component")
    if wanted is None:
        return []
    names = wanted if isinstance(wanted, list) else [wanted]
    unknown = [name for name in names if name not in COMPONENT_KEYS]
    if unknown:
        known = ", ".join(COMPONENT_KEYS)
        spec.refuse_key("component", f"contains unknown values: {unknown[0]}", f"one of {known}")
        return []
    return list(names)


class Interpolator:
    """Puts values into the blocks of one file."""

    def __init__(self, access: dict[str, Any], variables: Mapping[str, str], masked: Collection[str] = ()) -> None:
        self.access = access
        self.variables = variables
        self.masked = masked

    def whole(self, value: Any, place: Place) -> Any:
        """A value with its blocks replaced; the same object where there are none."""
        if isinstance(value, str):
            return self.text(value, place)[0] if "$[[" in value else value
        if isinstance(value, Map):
            return self.mapping(value)
        if isinstance(value, List):
            new = List(value.place)
            for item, at in value.entries():
                new.add(self.whole(item, at), at)
            return new
        if isinstance(value, Reference):
            return Reference(self.whole(value.path, value.place), value.place)
        return value

    def mapping(self, value: Map) -> Map:
        new = Map(value.place)
        for key, item, key_at, value_at in value.entries():
            if isinstance(key, str) and "$[[" in key:
                key = as_text(self.text(key, key_at)[0])
            new.put(key, self.whole(item, value_at), key_at, value_at)
        return new

    def text(self, text: str, place: Place) -> tuple[Any, bool]:
        """A text with its blocks replaced, and whether it was one block alone."""
        alone = BLOCK.match(text)
        if alone is not None and alone.end() == len(text):
            data = alone["data"]
            return (text, True) if data.startswith(LEFT_ALONE) else (self.block(data, place), True)

        def replaced(match: re.Match[str]) -> str:
            if match["data"].startswith(LEFT_ALONE):
                return match[0]
            return inspected(self.block(match["data"], place))

        return BLOCK.sub(replaced, text), False

    def block(self, data: str, place: Place) -> Any:
        """The value of one block: an access, then functions."""
        parts = [part.strip() for part in data.split("|")]
        if len(parts) - 1 > MAX_FUNCTIONS:
            raise self.error("too many functions in interpolation block", place, f"at most {MAX_FUNCTIONS}")
        value = self.value(parts[0], place)
        for function in parts[1:]:
            try:
                value = apply(function, value, self.variables, self.masked)
            except BadFunction as error:
                raise self.error(str(error), place, error.hint) from None
        return value

    def value(self, access: str, place: Place) -> Any:
        """What an access like `inputs.name[0]` reads."""
        steps = access.split(".")
        if len(steps) < 2:
            raise self.error(
                "invalid pattern used for interpolation. valid pattern is $[[ inputs.input ]]",
                place,
                f"found {access}",
            )
        value: Any = self.access
        for step in steps:
            match = INDEX.match(step)
            name = match["name"] if match else step
            if not isinstance(value, dict) or name not in value:
                hint = did_you_mean(name, [str(key) for key in value]) if isinstance(value, dict) else None
                text = (
                    f"unknown interpolation provided: `{name}` in `{access}`, unknown interpolation key: `{name}`"
                )
                raise self.error(text, place, hint)
            value = value[name]
            if match and (match["indexes"] or match["rest"]):
                value = self.indexed(value, match, access, place)
        return value

    def indexed(self, value: Any, match: re.Match[str], access: str, place: Place) -> Any:
        if match["rest"]:
            raise self.error(f"missing closing bracket in `{access}`", place)
        for index in re.findall(r"\[([^\[\]]*)\]", match["indexes"]):
            if not index.isdecimal():
                raise self.error(f"invalid array index `{index}` is not a valid index", place)
            if not isinstance(value, list):
                raise self.error(f"cannot index into non-array in `{access}`", place)
            if int(index) >= len(value):
                raise self.error(f"array index `{index}` is out of bounds in `{access}`", place)
            value = value[int(index)]
        return value

    @staticmethod
    def error(message: str, place: Place, hint: str | None = None) -> LanguageError:
        return LanguageError(finding(message, place, hint, check="inputs"))
