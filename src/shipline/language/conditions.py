"""Trying rules: which one matches first, and why the others did not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from shipline.language.expansion import expand
from shipline.language.expressions import evaluate, truthful
from shipline.language.findings import Finding, LanguageError, refuse
from shipline.language.globs import any_match
from shipline.language.keywords.rules import Changes, Exists, Rule
from shipline.language.loader import Loader, NotLoaded
from shipline.language.ruby_patterns import MAX_PATHS, BadRubyPattern, first_found
from shipline.language.values import Place

MAX_COMPARISONS = 50_000


class Verdict(msgspec.Struct, frozen=True):
    """What one rule came to: whether it matched, and in words what decided it."""

    rule: Rule
    matched: bool
    why: str
    tried: bool = True


class Repository:
    """What rules may ask about files: those of the commit, those that changed."""

    def __init__(self, loader: Loader, changed: list[str] | None, files: list[str] | None) -> None:
        self.loader = loader
        self.changed = changed
        self.known: dict[tuple[str | None, str | None], frozenset[str]] = {}
        self.files = files
        self.compared: dict[str, Sequence[str] | None] = {}
        self.searched: dict[tuple[str, int], str | None] = {}

    def paths(self, project: str | None, ref: str | None) -> frozenset[str]:
        """The files and folders of the commit or of another project. Raises NotLoaded."""
        key = (project, ref)
        if key not in self.known:
            listed = self.files if project is None and self.files is not None else self.loader.paths(project, ref)
            self.known[key] = frozenset(listed) | folders(listed)
        return self.known[key]

    def differs(self, ref: str) -> Sequence[str] | None:
        """The paths that differ from a ref; None when there is no such ref."""
        if ref not in self.compared:
            self.compared[ref] = self.loader.changed(ref)
        return self.compared[ref]

    def search(self, pattern: str, paths: Collection[str]) -> str | None:
        """The first of the paths in which a Ruby pattern is found, looked for once. Raises BadRubyPattern.

        `paths` are those that `changed`, `differs` or `paths` gave: lists that live as long as this.
        """
        key = (pattern, id(paths))
        if key not in self.searched:
            self.searched[key] = first_found(pattern, sorted(paths))
        return self.searched[key]


def folders(paths: Sequence[str]) -> frozenset[str]:
    """The folders that hold the files, with and without a slash at the end."""
    found: set[str] = set()
    for path in paths:
        at = path.rfind("/")
        while at > 0 and path[:at] not in found:
            found |= {path[:at], path[: at + 1]}
            at = path.rfind("/", 0, at)
    return frozenset(found)


class Circumstances:
    """What a list of rules is tried against. `values` are unexpanded, as `if` sees them; `expanded` gives those
    that a text names, expanded, as `changes` and `exists` see them. `home`: the project and ref in which `exists`
    looks where it names none; those of the pipeline by default. `homeless`: there is none.
    """

    def __init__(
        self,
        values: Mapping[str, str | None],
        expanded: Callable[[str], Mapping[str, str]],
        repository: Repository,
        home: tuple[str | None, str | None] = (None, None),
        homeless: bool = False,
    ) -> None:
        self.homeless = homeless
        self.home = home
        self.values = values
        self.expanded = expanded
        self.repository = repository

    def written_out(self, text: str) -> str:
        """A text with the variables in it expanded; unknown names stay."""
        if "$" not in text and "%" not in text:
            return text
        return expand(text, self.expanded(text), keep_undefined=True)


def first_match(rules: list[Rule], circumstances: Circumstances, job: str | None = None) -> Rule | None:
    """The first rule that holds; None when none does. Raises LanguageError for a ref or project that is unknown,
    which names the `job` whose rules they are."""
    try:
        return next((rule for rule in rules if try_rule(rule, circumstances)[0]), None)
    except LanguageError as error:
        if job is None:
            raise
        raise LanguageError([about(finding, job) for finding in error.findings]) from None


def about(finding: Finding, job: str) -> Finding:
    return msgspec.structs.replace(finding, message=f"Failed to parse rule for {job}: {finding.message}")


def verdicts(rules: list[Rule], circumstances: Circumstances) -> list[Verdict]:
    """Every rule in order with its verdict; those after the first match were not tried."""
    found: list[Verdict] = []
    decided = False
    for rule in rules:
        if decided:
            found.append(Verdict(rule, False, "an earlier rule matched", tried=False))
            continue
        matched, why = try_rule(rule, circumstances)
        decided = matched
        found.append(Verdict(rule, matched, why))
    return found


def try_rule(rule: Rule, circumstances: Circumstances) -> tuple[bool, str]:
    """Whether all conditions of a rule hold, and what decided it."""
    reasons: list[str] = []
    if rule.condition is not None:
        if not truthful(evaluate(rule.condition, circumstances.values)):
            return False, f"if: {rule.text} is false"
        reasons.append(f"if: {rule.text} is true")
    if rule.changes is not None:
        matched, why = changed(rule.changes, rule.place, circumstances)
        if not matched:
            return False, why
        reasons.append(why)
    if rule.exists is not None:
        matched, why = existing(rule.exists, rule.place, circumstances)
        if not matched:
            return False, why
        reasons.append(why)
    return True, ", ".join(reasons) or "no condition: always matches"


def changed(changes: Changes, place: Place, circumstances: Circumstances) -> tuple[bool, str]:
    """`rules:changes`: holds when a changed path matches, or when what changed cannot be known."""
    repository = circumstances.repository
    paths: Sequence[str] | None = repository.changed
    if changes.compare_to is not None:
        ref = circumstances.written_out(changes.compare_to)
        paths = repository.differs(ref)
        if paths is None:
            name = ref.removeprefix("refs/heads/").removeprefix("origin/")
            hint = f"there is no `{ref}` here; where the server has it: git fetch origin {name}:{name}"
            raise refuse("rules:changes:compare_to is not a valid ref", place, hint)
    if paths is None:
        return True, "changes: what changed cannot be known here, so it holds"
    if changes.regexp is not None:
        pattern = circumstances.written_out(changes.regexp)
        if len(paths) > MAX_PATHS:
            return True, f"changes: more than {MAX_PATHS} files, so it holds"
        path = searched(repository, pattern, paths, place, "changes")
        return (True, f"changes: {path} changed") if path else (False, f"changes: nothing matches {pattern}")
    globs = [circumstances.written_out(glob) for glob in changes.paths]
    if len(globs) * len(paths) > MAX_COMPARISONS:
        return True, f"changes: more than {MAX_COMPARISONS} comparisons, so it holds"
    path = any_match(globs, paths)
    return (True, f"changes: {path} changed") if path else (False, f"changes: nothing matches {', '.join(globs)}")


def searched(repository: Repository, pattern: str, paths: Collection[str], place: Place, key: str) -> str | None:
    """The first path that a `regexp:` finds. Raises LanguageError for a pattern that cannot be tried."""
    try:
        return repository.search(pattern, paths)
    except BadRubyPattern as error:
        raise refuse(f"rules:{key}:regexp {error}", place, pattern) from None


def existing(exists: Exists, place: Place, circumstances: Circumstances) -> tuple[bool, str]:
    """`rules:exists`: holds when a file or folder matches."""
    project, ref = circumstances.home
    if exists.project:
        project = circumstances.written_out(exists.project)
        ref = circumstances.written_out(exists.ref) if exists.ref else None
    globs = [circumstances.written_out(glob) for glob in exists.paths]
    if circumstances.homeless and not exists.project:
        return False, "exists: a remote file has no repository to look in"
    try:
        paths = circumstances.repository.paths(project, ref)
    except NotLoaded as error:
        text = f"rules:exists:project `{project}` not found or access denied"
        raise refuse(text, place, str(error)) from None
    if exists.regexp is not None:
        pattern = circumstances.written_out(exists.regexp)
        if len(paths) > MAX_PATHS:
            return True, f"exists: more than {MAX_PATHS} files, so it holds"
        path = searched(circumstances.repository, pattern, paths, place, "exists")
        return (True, f"exists: {path} is there") if path else (False, f"exists: no file matches {pattern}")
    exact = next((glob for glob in globs if glob in paths), None)
    if exact is not None:
        return True, f"exists: {exact} is there"
    path = (
        next((path for path in paths if path.endswith(endings)), None) if (endings := extensions(globs)) else None
    )
    if path:
        return True, f"exists: {path} is there"
    wild = [glob for glob in globs if any(char in glob for char in "*?[{\\") and not extensions([glob])]
    if len(wild) * len(paths) > MAX_COMPARISONS:
        return True, f"exists: more than {MAX_COMPARISONS} comparisons, so it holds"
    path = any_match(wild, paths)
    return (True, f"exists: {path} is there") if path else (False, f"exists: no file matches {', '.join(globs)}")


def extensions(globs: Sequence[str]) -> tuple[str, ...]:
    """What paths end with that globs like `**/*.rb` stand for; those are compared at once and never too many."""
    ends = [glob.removeprefix("**/*") for glob in globs if glob.startswith("**/*.")]
    return tuple(end for end in ends if not any(char in end for char in "/*?[{\\"))
