"""YAML text to values with places, through libyaml's events, as GitLab reads a configuration file.

Not PyYAML's own constructor: GitLab reads YAML 1.1 with Ruby's Psych, where scalars, merge keys and duplicate
keys differ, and every value here must know its line. Size, depth and what aliases blow up are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import yaml

from shipline.language.entry import did_you_mean
from shipline.language.findings import Finding, finding, refuse
from shipline.language.scalars import UnsafeScalar, plain_scalar
from shipline.language.values import List, Map, Place, Reference

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 100
MAX_DOCUMENTS = 2
NODE_COST = 8
UNDECODED = "\ufffd"
"""What stands in a text for bytes that are not UTF-8."""
PLACE = tuple.__new__  # a Place without the detour through its constructor: there are very many

STR_TAGS = {"!", "!str", "tag:yaml.org,2002:str"}


class Document:
    """One document of a file: its value and the place where it begins."""

    __slots__ = ("place", "value")

    def __init__(self, value: Any, place: Place) -> None:
        self.value = value
        self.place = place


def read_documents(text: str, file: str, warnings: list[Finding] | None = None) -> list[Document]:
    """The documents of a file that are not empty, at most two. Raises LanguageError with the place."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise refuse("The parsed YAML is too big", Place(file, 0, 0), f"a file may hold {MAX_BYTES // 2**20} MB")
    if UNDECODED in text and warnings is not None:
        place = Place(file, *line_and_column(text, text.index(UNDECODED)))
        told = "the character here is not UTF-8: GitLab guesses what it is"
        warnings.append(finding(told, place, "save the file as UTF-8", "warning", "encoding"))
    try:
        return Reader(file, events(text), warnings if warnings is not None else []).documents()
    except yaml.MarkedYAMLError as error:
        from shipline.language.unreadable import unreadable  # only mistakes pay for it

        raise unreadable(error, text.split("\n"), file) from None
    except yaml.reader.ReaderError as error:
        place = Place(file, *line_and_column(text, error.position))
        hint = "this looks like UTF-16: save the file as UTF-8" if text.startswith(UNDECODED) else None
        raise refuse(f"{error.reason}: character {error.character!r}", place, hint, "yaml") from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise refuse(f"invalid YAML: {error}", Place(file, 0, 0), check="yaml") from None


def line_and_column(text: str, offset: Any) -> tuple[int, int]:
    """Line and column, from 1, of an offset (libyaml counts in bytes for some errors: then as near as it goes)."""
    before = text[: offset if isinstance(offset, int) else 0]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def events(text: str) -> Callable[[], Any]:
    """A function that gives libyaml's next event; PyYAML's own parser where libyaml was not built in."""
    if yaml.__with_libyaml__:
        following: Callable[[], Any] = yaml.CSafeLoader(text).get_event
        return following
    stream = yaml.parse(text, Loader=yaml.SafeLoader)
    return lambda: next(stream, None)


class Anchored(NamedTuple):
    """What an anchor stands for: its value and place, what an alias of it costs, how many levels it has."""

    value: Any
    place: Place
    cost: int
    height: int


def height(value: Any) -> int:
    """How many levels of lists and mappings a value has."""
    if isinstance(value, Reference):
        value = value.path
    inside: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(height, inside), default=0) if isinstance(value, dict | list) else 0


class Reader:
    """Builds values from events. `size` grows with every node, and with an alias by what it stands for."""

    def __init__(self, file: str, following: Callable[[], Any], warnings: list[Finding]) -> None:
        self.file = file
        self.following = following
        self.warnings = warnings
        self.anchors: dict[str, Anchored | None] = {}
        self.size = 0
        self.plain: dict[str, Any] = {}

    def documents(self) -> list[Document]:
        found: list[Document] = []
        while (event := self.following()) is not None:
            if type(event) is yaml.DocumentStartEvent:
                self.anchors = {}
                first = self.following()
                value = self.value(first, 1)
                if value is None:
                    continue
                found.append(Document(value, self.place(first)))
                if len(found) > MAX_DOCUMENTS:
                    hint = "a file is one document, or a `spec:` header and one document"
                    raise refuse("The parsed YAML has too many documents", self.place(first), hint, check="yaml")
        if len(found) > 1 and not (isinstance(found[0].value, Map) and "spec" in found[0].value):
            text = "only the first document counts: what stands after the line `---` is not read"
            self.warnings.append(finding(text, found[1].place, "remove the line `---`", "warning", "documents"))
        return found

    def place(self, event: Any) -> Place:
        mark = event.start_mark
        return PLACE(Place, (self.file, mark.line + 1, mark.column + 1))

    def grow(self, cost: int, place: Place) -> None:
        self.size += cost
        if self.size > MAX_BYTES:
            raise refuse("The parsed YAML is too big", place, "aliases may expand to 2 MB in all", check="yaml")

    def value(self, event: Any, depth: int) -> Any:
        """The value that begins with an event."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            value = self.scalar(event)
            if event.anchor:
                self.anchors[event.anchor] = Anchored(value, self.place(event), len(event.value) + NODE_COST, 0)
            return value
        if kind is yaml.AliasEvent:
            return self.alias(event, depth)[0]
        if depth > MAX_DEPTH:
            raise refuse("The parsed YAML is too deep", self.place(event), f"at most {MAX_DEPTH} levels", "yaml")
        if event.tag is not None:
            check_tag(event.tag, self.place(event))
        if event.anchor:
            self.anchors[event.anchor] = None
        before = self.size
        build = self.mapping if kind is yaml.MappingStartEvent else self.sequence
        value = build(event, depth)
        if event.anchor:
            cost = self.size - before + NODE_COST
            self.anchors[event.anchor] = Anchored(value, self.place(event), cost, height(value))
        return value

    def scalar(self, event: Any) -> Any:
        text: str = event.value
        self.size += len(text) + NODE_COST
        if event.tag is not None:
            return self.tagged_scalar(event.tag, text, self.place(event), bool(event.style))
        return self.plain_value(text, event) if event.implicit[0] else text

    def plain_value(self, text: str, event: Any) -> Any:
        """What an unquoted text without a tag stands for; each text is looked at once."""
        if text not in self.plain:
            try:
                self.plain[text] = plain_scalar(text)
            except UnsafeScalar as error:
                told = f"Tried to load unspecified class: {error}"
                raise refuse(told, self.place(event), f"put it in quotes: '{text}'", "yaml") from None
        return self.plain[text]

    def tagged_scalar(self, tag: str, text: str, place: Place, quoted: bool) -> Any:
        if tag == "!reference":
            return Reference(text if text or quoted else [], place)
        check_tag(tag, place)
        if tag == "!" and not quoted:
            text_of = f"`!` is a tag of YAML's and does not count: this is the text {text!r}"
            self.warnings.append(finding(text_of, place, "put the whole value in quotes", "warning", "lone-tag"))
        if tag in STR_TAGS or quoted:
            return text
        try:
            return plain_scalar(text)
        except UnsafeScalar as error:
            raise refuse(f"Tried to load unspecified class: {error}", place, check="yaml") from None

    def alias(self, event: Any, depth: int) -> tuple[Any, Place]:
        place = self.place(event)
        if event.anchor not in self.anchors:
            hint = did_you_mean(event.anchor, self.anchors) or (
                f"its anchor &{event.anchor} must stand above; a value that begins with * stands in quotes"
            )
            raise refuse(f"Unknown alias: {event.anchor}", place, hint, check="yaml")
        anchored = self.anchors[event.anchor]
        if anchored is None:
            raise refuse(f"The parsed YAML is too big: *{event.anchor} holds itself", place, check="yaml")
        if depth + anchored.height > MAX_DEPTH:
            raise refuse("The parsed YAML is too deep", place, f"at most {MAX_DEPTH} levels", "yaml")
        self.grow(anchored.cost, place)
        return anchored.value, anchored.place

    def sequence(self, event: Any, depth: int) -> Any:
        self.size += NODE_COST
        following, file, known, scalar = self.following, self.file, self.plain, yaml.ScalarEvent
        new = List(self.place(event))
        add, add_place = new.append, new.places.append
        while (kind := type(item := following())) is not yaml.SequenceEndEvent:
            if kind is yaml.AliasEvent:
                new.add(*self.alias(item, depth + 1))
                continue
            if kind is scalar and item.anchor is None and item.tag is None:
                text = item.value
                self.size += len(text) + NODE_COST
                add((known[text] if text in known else self.plain_value(text, item)) if item.implicit[0] else text)
            else:
                add(self.value(item, depth + 1))
            mark = item.start_mark
            add_place(PLACE(Place, (file, mark.line + 1, mark.column + 1)))
        return Reference(new, new.place) if event.tag == "!reference" else new

    def mapping(self, event: Any, depth: int) -> Any:
        """A mapping. Scalars without tag and anchor, nearly all there is, are read here, without calls."""
        self.size += NODE_COST
        following, file, known, scalar = self.following, self.file, self.plain, yaml.ScalarEvent
        new = Map(self.place(event))
        keys_at, values_at = new.keys_at, new.values_at
        own: set[Any] | None = None  # as long as nothing was merged in, all keys are its own
        while (kind := type(key_event := following())) is not yaml.MappingEndEvent:
            if kind is scalar and key_event.anchor is None and key_event.tag is None:
                text = key_event.value
                self.size += len(text) + NODE_COST
                implicit = key_event.implicit[0]
                key = (known[text] if text in known else self.plain_value(text, key_event)) if implicit else text
            else:
                key = self.value(key_event, depth + 1)
            mark = key_event.start_mark
            key_at = PLACE(Place, (file, mark.line + 1, mark.column + 1))
            kind = type(item := following())
            if kind is yaml.AliasEvent:
                value, value_at = self.alias(item, depth + 1)
            else:
                if kind is scalar and item.anchor is None and item.tag is None:
                    text = item.value
                    self.size += len(text) + NODE_COST
                    implicit = item.implicit[0]
                    value = (known[text] if text in known else self.plain_value(text, item)) if implicit else text
                else:
                    value = self.value(item, depth + 1)
                mark = item.start_mark
                value_at = PLACE(Place, (file, mark.line + 1, mark.column + 1))
            if key == "<<" and not getattr(key_event, "style", None):
                own = set(new) if own is None else own
                if merge(new, value):
                    continue
            if type(key) is not str or key in (new if own is None else own):
                self.check_key(key, key_at, new if own is None else own, new.values_at)
            if own is not None:
                own.add(key)
            new[key] = value
            keys_at[key] = key_at
            values_at[key] = value_at
        return Reference(new, new.place) if event.tag == "!reference" else new

    def check_key(self, key: Any, place: Place, own: Collection[Any], values_at: dict[Any, Place]) -> None:
        """Warns of a key that is there already, unless it is a template: its anchor still reaches that one."""
        if isinstance(key, Map | List | Reference):
            raise refuse("a key must be text", place, "a value that begins with a brace stands in quotes", "yaml")
        if key in own and not (str(key).startswith(".") and self.is_anchored(values_at[key])):
            text = f"`{key}` is defined twice; the last one counts"
            self.warnings.append(finding(text, place, None, "warning", "duplicate-key"))

    def is_anchored(self, place: Place) -> bool:
        return any(anchored is not None and anchored.place == place for anchored in self.anchors.values())


def check_tag(tag: str, place: Place) -> None:
    """Raises LanguageError for a tag that would make a Ruby object."""
    if tag.startswith(("!ruby", "tag:ruby.yaml.org")):
        raise refuse(f"Tried to load unspecified class: {tag}", place, check="yaml")


def merge(into: Map, value: Any) -> bool:
    """A `<<:` as Psych does it: it overrides the keys that stand before it. False: not a merge."""
    if isinstance(value, Map):
        maps = [value]
    elif isinstance(value, List) and all(isinstance(item, Map) for item in value):
        maps = list(reversed(value))
    else:
        return False
    for source in maps:
        for key, item, key_at, value_at in source.entries():
            into.put(key, item, key_at, value_at)
    return True
