"""rules, of a job, of workflow and of include: read into values that can be tried one after the other."""

from __future__ import annotations

from typing import Any

import msgspec

from shipline.language.durations import DAY, seconds
from shipline.language.entry import Entry, boolean, did_you_mean, is_boolean, is_string
from shipline.language.expressions import ExpressionError, Node, parse
from shipline.language.keywords.needs import Needed, needs
from shipline.language.keywords.variables import Written, variables
from shipline.language.ruby_patterns import LONGEST, BadRubyPattern, first_found
from shipline.language.values import List, Map, Place

SHOULD_BE = "should be an array containing hashes and arrays of hashes"
MAX_NESTING = 10
MAX_PATTERNS = 50
WEEK = 7 * DAY
JOB_KEYS = (
    "if",
    "changes",
    "exists",
    "when",
    "start_in",
    "allow_failure",
    "variables",
    "needs",
    "interruptible",
)
WORKFLOW_KEYS = (
    "if",
    "changes",
    "exists",
    "when",
    "start_in",
    "allow_failure",
    "variables",
    "needs",
    "auto_cancel",
)
INCLUDE_KEYS = ("if", "changes", "exists", "when")
JOB_WHEN = ("on_success", "on_failure", "always", "never", "manual", "delayed")
GATE_WHEN = ("always", "never")
ON_NEW_COMMIT = ("conservative", "interruptible", "none")
ON_JOB_FAILURE = ("none", "all")


class Changes(msgspec.Struct, frozen=True):
    paths: list[str] = []
    compare_to: str | None = None
    regexp: str | None = None


class Exists(msgspec.Struct, frozen=True):
    paths: list[str] = []
    project: str | None = None
    ref: str | None = None
    regexp: str | None = None


class Rule(msgspec.Struct, frozen=True):
    """One rule. What is None is not written. `condition` is the tree of `text`, the words after `if`."""

    place: Place
    text: str | None = None
    condition: Any = None
    changes: Changes | None = None
    exists: Exists | None = None
    when: str | None = None
    start_in: str | None = None
    allow_failure: bool | None = None
    variables: list[Written] = []
    needs: list[Needed] | None = None
    interruptible: bool | None = None
    auto_cancel: dict[str, str] | None = None


def rules(entry: Entry, scope: str) -> list[Rule] | None:
    """The rules in order, nested lists flattened; None where there are none. Scope: job, workflow, include."""
    if entry.value is None:
        return None
    if not isinstance(entry.value, List):
        refuse_form(entry, scope, entry.place)
        return None
    if not entry.value and scope != "include":
        entry.refuse("config can't be blank")
        return None
    flat: list[tuple[Map, Place]] = []
    wrong = flatten(entry.value, flat, 1)
    if wrong is not None:
        refuse_form(entry, scope, wrong)
        return None
    found = [rule(Entry(item, place, f"{entry.path}:rule", entry.findings), scope) for item, place in flat]
    return [item for item in found if item is not None]


def refuse_form(entry: Entry, scope: str, place: Place) -> None:
    """GitLab asks for the form of a job's rules as of one of the job's own keys."""
    path = f"{entry.path.removesuffix(':rules')} rules" if scope == "job" else entry.path
    Entry(entry.value, place, path, entry.findings).refuse(SHOULD_BE)


def flatten(items: List, into: list[tuple[Map, Place]], depth: int) -> Place | None:
    """Collects the rules of nested lists; gives the place of the first thing that does not belong."""
    for item, place in items.entries():
        if isinstance(item, Map):
            into.append((item, place))
        elif isinstance(item, List) and depth < MAX_NESTING:
            wrong = flatten(item, into, depth + 1)
            if wrong is not None:
                return wrong
        else:
            return place
    return None


def rule(entry: Entry, scope: str) -> Rule | None:
    """One rule."""
    written: Map = entry.value
    before = len(entry.findings)
    if not written:
        entry.refuse("config can't be blank")
        return None
    entry.only_of({"job": JOB_KEYS, "workflow": WORKFLOW_KEYS, "include": INCLUDE_KEYS}[scope])
    when = rule_when(entry, JOB_WHEN if scope == "job" else GATE_WHEN)
    start_in = rule_start_in(entry, when) if scope != "include" else None
    text, tree = condition(entry) if "if" in written else (None, None)
    found = Rule(
        entry.place,
        text,
        tree,
        changes(entry.child("changes")) if written.get("changes") is not None else None,
        exists(entry.child("exists")) if written.get("exists") is not None else None,
        when,
        start_in,
        rule_boolean(entry, "allow_failure") if scope != "include" else None,
        variables(entry.child("variables"), "rules") if "variables" in written else [],
        needs(entry.child("needs"), True) if scope == "job" and written.get("needs") is not None else None,
        rule_boolean(entry, "interruptible") if scope == "job" else None,
        auto_cancel(entry.child("auto_cancel")) if written.get("auto_cancel") is not None else None,
    )
    return found if len(entry.findings) == before else None


def rule_boolean(entry: Entry, key: str) -> bool | None:
    return boolean(entry, key) if key in entry.value else None


def rule_when(entry: Entry, words: tuple[str, ...]) -> str | None:
    value = entry.value.get("when")
    if value is None:
        return None
    if value not in words:
        shown = str(value).lower() if isinstance(value, bool) else value
        hint = did_you_mean(value, words) or f"one of {', '.join(words)}"
        entry.refuse_key("when", f"unknown value: {shown}", hint)
        return None
    return str(value)


def rule_start_in(entry: Entry, when: str | None) -> str | None:
    value = entry.value.get("start_in")
    if when != "delayed":
        if value is not None:
            entry.refuse(
                "config contains disallowed keys: start_in", entry.value.at("start_in"), "needs when: delayed"
            )
        return None
    if value is None or value == "":
        entry.refuse_key("start_in", "can't be blank", "when: delayed needs start_in: 30 minutes")
        return None
    return delay(entry, value)


def delay(entry: Entry, value: Any) -> str | None:
    """A `start_in`: a duration of at most a week."""
    length = seconds(value) if isinstance(value, str) else None
    if length is None:
        entry.refuse_key("start_in", "should be a duration", "for example 30 minutes")
        return None
    if length > WEEK:
        entry.refuse_key("start_in", "should not exceed the limit", "at most 1 week")
        return None
    return str(value)


def condition(entry: Entry) -> tuple[str | None, Node | None]:
    """`if:` as text and tree."""
    value = entry.value["if"]
    if value is None:
        return None, None
    if not is_string(value):
        entry.refuse_key("if", "invalid expression syntax", "one expression as text; join several with &&")
        return None, None
    try:
        return value, parse(value)
    except ExpressionError as error:
        part = None if error.position is None else value[error.position :].rstrip()
        entry.refuse_key("if", "invalid expression syntax", str(error), part=part)
        return value, None


def patterns(entry: Entry) -> list[str]:
    """A list of globs, at most fifty."""
    if len(entry.value) > MAX_PATTERNS:
        entry.refuse(f"config has too many entries (maximum {MAX_PATTERNS})")
    if not all(isinstance(item, str) for item in entry.value):
        wrong = next(place for item, place in entry.value.entries() if not isinstance(item, str))
        entry.refuse("config should be an array of strings", wrong)
        return []
    return list(entry.value)


def changes(entry: Entry) -> Changes | None:
    """`changes:` as a list of globs or a mapping."""
    if isinstance(entry.value, List):
        return Changes(patterns(entry))
    if not isinstance(entry.value, Map):
        entry.refuse("config should be an array or a hash")
        return None
    entry.only("paths", "compare_to", "regexp")
    compare_to, regexp = entry.value.get("compare_to"), entry.value.get("regexp")
    for key, value in (("compare_to", compare_to), ("regexp", regexp)):
        if value is not None and not is_string(value):
            entry.refuse_key(key, "should be a string")
            return None
    if not one_way(entry):
        return None
    return Changes([] if regexp is not None else listed(entry), compare_to, regexp)


def one_way(entry: Entry) -> bool:
    """Whether a mapping says with either `paths` or `regexp` what to look for; reported if not."""
    regexp = entry.value.get("regexp")
    if not entry.together("paths", "regexp"):
        return False
    if regexp is not None and not regexp:
        entry.refuse_key("regexp", "can't be blank")
        return False
    if regexp is not None and len(regexp) > LONGEST:
        entry.refuse_key("regexp", f"is too long (maximum is {LONGEST} characters)")
        return False
    if regexp is not None and "$" not in regexp:
        try:
            first_found(regexp, ())
        except BadRubyPattern as error:
            entry.refuse_key("regexp", str(error), "Ruby's dialect")
            return False
    return True


def listed(entry: Entry) -> list[str]:
    """The `paths:` of a mapping: a list of globs."""
    if not isinstance(entry.value.get("paths"), List):
        entry.refuse_key("paths", "should be an array of strings")
        return []
    return patterns(entry.child("paths"))


def exists(entry: Entry) -> Exists | None:
    """`exists:` as a glob, a list of globs or a mapping."""
    if is_string(entry.value):
        return Exists([entry.value])
    if isinstance(entry.value, List):
        return Exists(patterns(entry))
    if not isinstance(entry.value, Map):
        entry.refuse("should be a string, an array of strings, or a hash")
        return None
    entry.only("paths", "project", "ref", "regexp")
    for key in ("project", "ref", "regexp"):
        if entry.value.get(key) is not None and not is_string(entry.value[key]):
            entry.refuse_key(key, "should be a string")
            return None
    regexp = entry.value.get("regexp")
    if not one_way(entry):
        return None
    if "paths" not in entry.value and regexp is None:
        entry.refuse("config missing required keys: paths")
        return None
    if entry.value.get("ref") is not None and entry.value.get("project") is None:
        entry.refuse("config missing required keys: project", hint="ref is a ref of that project")
    paths = [] if entry.value.get("paths") is None else listed(entry)
    return Exists(paths, entry.value.get("project"), entry.value.get("ref"), regexp)


def auto_cancel(entry: Entry) -> dict[str, str] | None:
    """`auto_cancel:` of workflow and its rules."""
    if entry.value is None or not entry.mapping("on_new_commit", "on_job_failure"):
        return None
    found = {}
    for key, words in (("on_new_commit", ON_NEW_COMMIT), ("on_job_failure", ON_JOB_FAILURE)):
        value = entry.value.get(key)
        if value is None or (is_boolean(value) and value is False):
            continue
        if value not in words:
            entry.refuse_key(key, f"must be one of: {', '.join(words)}", did_you_mean(value, words))
            continue
        found[key] = value
    return found
