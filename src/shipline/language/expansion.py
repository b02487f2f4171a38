"""Variables inside variables, the way GitLab does it before a runner sees a job.

`$NAME`, `${NAME}` and `%NAME%`. One text is expanded in one pass (`expand`). A whole list of variables is
sorted so that each sees the finished values of those that it names (`expand_all`); there `$$` and `%%` stay as
they are, for the runner to turn `$$` into `$`, and a loop leaves everything as written and is reported.

Forty variables that each name the next one twice stand for a terabyte: a value that would grow beyond what any
process can be given stays as written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shipline.language.pipeline import Variable

NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
TEXT = re.compile(rf"\$(?P<a>{NAME})|\$\{{(?P<b>{NAME})?\}}|%(?P<c>{NAME})%")
ESCAPED = re.compile(rf"\$\$|%%|\$(?P<a>{NAME})|\$\{{(?P<b>{NAME})?\}}|%(?P<c>{NAME})%")

LONGEST_VALUE = 128 * 1024
LARGEST_SUM = 16 * 1024 * 1024


def name_of(match: re.Match[str]) -> str | None:
    return match["a"] or match["b"] or match["c"]


def expand(text: str, values: Mapping[str, str], keep_undefined: bool = False) -> str:
    """One pass over a text. A name that is not there vanishes, or stays as written."""
    if "$" not in text and "%" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        found = values.get(name_of(match) or "")
        return (match[0] if keep_undefined else "") if found is None else found

    if sum(len(value(match)) for match in TEXT.finditer(text)) > LONGEST_VALUE:
        return text
    return TEXT.sub(value, text)


def named(text: str) -> list[str]:
    """The names that a text mentions, in order."""
    return [name for match in TEXT.finditer(text) if (name := name_of(match))]


def references(variable: Variable) -> list[str]:
    """The names that a variable's value mentions; none when it is raw."""
    if variable.raw or ("$" not in variable.value and "%" not in variable.value):
        return []
    found = (name_of(match) for match in ESCAPED.finditer(variable.value))
    return list(dict.fromkeys(name for name in found if name))


def loops(variables: list[Variable]) -> list[list[str]]:
    """Variables that name each other in a ring, each ring in the order of the list."""
    suspects = {item.key for item in variables if not item.raw and ("$" in item.value or "%" in item.value)}
    last = {variable.key: variable for variable in variables if variable.key in suspects}
    naming = {key: named for key, variable in last.items() if (named := references(variable))}
    children = {key: [name for name in named if name in naming] for key, named in naming.items()}
    if not any(children.values()):
        return []
    return [ring for ring in components(children) if len(ring) > 1]


def components(children: Mapping[str, list[str]]) -> list[list[str]]:
    """Tarjan's strongly connected components without recursion; each begins with what was met first."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    rings: list[list[str]] = []
    for root in children:
        if root in index:
            continue
        work = [(root, 0)]
        while work:
            key, step = work.pop()
            if step == 0:
                index[key] = low[key] = len(index)
                stack.append(key)
                on_stack.add(key)
            for position in range(step, len(children[key])):
                child = children[key][position]
                if child not in index:
                    work += [(key, position + 1), (child, 0)]
                    break
                if child in on_stack:
                    low[key] = min(low[key], index[child])
            else:
                if low[key] == index[key]:
                    start = next(at for at in range(len(stack) - 1, -1, -1) if stack[at] == key)
                    ring = stack[start:]
                    del stack[start:]
                    on_stack.difference_update(ring)
                    rings.append(ring)
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[key])
    return rings


def in_order(variables: list[Variable]) -> list[Variable]:
    """The variables so that each comes after those that it names; otherwise in their own order."""
    last = {variable.key: place for place, variable in enumerate(variables)}
    done: set[int] = set()
    result: list[Variable] = []
    for start, variable in enumerate(variables):
        if not references(variable):
            if start not in done:
                done.add(start)
                result.append(variable)
            continue
        work = [(start, False)]
        while work:
            place, ready = work.pop()
            if ready:
                result.append(variables[place])
                continue
            if place in done:
                continue
            done.add(place)
            work.append((place, True))
            names = [last[name] for name in references(variables[place]) if name in last]
            work.extend((child, False) for child in reversed(names) if child not in done)
    return result


def expand_all(
    variables: list[Variable],
    keep_undefined: bool = False,
    expand_file_refs: bool = True,
    expand_raw_refs: bool = True,
) -> list[Variable]:
    """The variables with expanded values, sorted by what they need; of two with one key the last wins.

    For a job that goes to a runner: keep_undefined, no file references and no raw references, so that the
    runner finishes what only it can. A loop leaves all values as they are (`loops` reports it).
    """
    if not any(map(references, variables)) or loops(variables):
        return variables
    values: dict[str, Variable] = {}
    result: list[Variable] = []
    budget = LARGEST_SUM

    def value(match: re.Match[str]) -> str:
        name = name_of(match)
        if name is None:
            return match[0]
        found = values.get(name)
        if found is None:
            return match[0] if keep_undefined else ""
        if (found.file and not expand_file_refs) or (found.raw and not expand_raw_refs):
            return match[0]
        return found.value

    for variable in in_order(variables):
        if references(variable):
            length = sum(len(value(match)) for match in ESCAPED.finditer(variable.value))
            if length <= min(LONGEST_VALUE, budget):
                budget -= length
                variable = with_value(variable, ESCAPED.sub(value, variable.value))
        values[variable.key] = variable
        result.append(variable)
    return result


def with_value(variable: Variable, value: str) -> Variable:
    """The same variable with another value."""
    own = (variable.level, variable.file, variable.masked, variable.raw, variable.public, variable.place)
    return Variable(variable.key, value, *own)
