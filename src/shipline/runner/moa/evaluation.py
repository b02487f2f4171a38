"""A template worked out in a context, which maps names to values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shipline.runner.moa.syntax import Inserted, MoaError, Node, Part, template
from shipline.runner.moa.values import as_text, binary, kind, number, unary

FUNCTIONS: dict[str, Callable[[Any], Any]] = {"str": as_text, "num": number, "bool": bool}
LONGEST = 1 << 20  # characters that a text may grow to


class _Missing(MoaError):
    """A property or element that is not there; `||` takes it for nothing."""


def expanded(text: str, context: Mapping[str, Any]) -> str:
    """The text with its expressions replaced by their values, as text. Raises MoaError."""
    if "${{" not in text:
        return text
    return _joined(template(text), context)


def value_of(text: str, context: Mapping[str, Any]) -> Any:
    """The text's value: that of its expression as it is, where there is nothing but one; else as `expanded`."""
    if "${{" not in text:
        return text
    parts = template(text)
    inserted = [part for part in parts if isinstance(part, Inserted)]
    if len(inserted) == 1 and not "".join(part for part in parts if isinstance(part, str)).strip():
        value = _inserted(inserted[0], context)
        if len(parts) == 1 or not isinstance(value, str):
            return value
    return _joined(parts, context)


def filled(value: Any, context: Mapping[str, Any]) -> Any:
    """A value of JSON with `value_of` all texts in it, keys too."""
    if isinstance(value, str):
        return value_of(value, context)
    if isinstance(value, list):
        return [filled(item, context) for item in value]
    if isinstance(value, dict):
        return {expanded(str(key), context): filled(item, context) for key, item in value.items()}
    return value


def _joined(parts: list[Part], context: Mapping[str, Any]) -> str:
    texts = [part if isinstance(part, str) else as_text(_inserted(part, context)) for part in parts]
    return _short("".join(texts))


def _inserted(part: Inserted, context: Mapping[str, Any]) -> Any:
    try:
        return evaluated(part.node, context)
    except MoaError as error:
        raise MoaError(f"{part.text}: {error}") from None
    except RecursionError:
        raise MoaError(f"{part.text[:60]}: it is nested too deeply") from None


def evaluated(node: Node, context: Mapping[str, Any]) -> Any:
    """A tree's value."""
    match node:
        case ("value", value):
            return value
        case ("text", parts):
            return _joined(parts, context)
        case ("name", name):
            if name not in context:
                raise MoaError(f"{name!r} is unknown; known: {', '.join(context)}")
            return context[name]
        case ("list", items):
            return [evaluated(item, context) for item in items]
        case ("object", pairs):
            return {_key(evaluated(key, context)): evaluated(item, context) for key, item in pairs}
        case ("attribute", of, name):
            return _attribute(evaluated(of, context), name)
        case ("item", of, index):
            return _item(evaluated(of, context), evaluated(index, context))
        case ("call", ("name", name), arguments):
            return _call(name, [evaluated(each, context) for each in arguments])
        case ("unary", operator, operand):
            return unary(operator, evaluated(operand, context))
        case ("and", left, right):
            value = evaluated(left, context)
            return evaluated(right, context) if value else value
        case ("or", left, right):
            try:
                value = evaluated(left, context)
            except _Missing:
                value = None
            return value or evaluated(right, context)
        case ("binary", operator, left, right):
            return _within(binary(operator, evaluated(left, context), evaluated(right, context)))
    raise MoaError("only functions are called, by their names")


def _key(value: Any) -> str:
    if not isinstance(value, str):
        raise MoaError(f"an object's key is a string, not {kind(value)}")
    return value


def _attribute(value: Any, name: str) -> Any:
    if not isinstance(value, Mapping):
        raise MoaError(f"{kind(value)} has no property {name!r}")
    if name not in value:
        raise _Missing(f"{name!r} was not found; there is {', '.join(map(str, value)) or 'nothing'}"[:300])
    return value[name]


def _item(value: Any, index: Any) -> Any:
    if isinstance(value, Mapping):
        return _attribute(value, _key(index))
    if not isinstance(value, list):
        raise MoaError(f"{kind(value)} has no elements")
    if kind(index) != "number" or index != int(index):
        raise MoaError("an array's index is a whole number")
    if not 0 <= index < len(value):
        raise _Missing(f"the array has no element {as_text(index)}")
    return value[int(index)]


def _call(name: str, arguments: list[Any]) -> Any:
    if name not in FUNCTIONS:
        raise MoaError(f"the function {name!r} is unknown; known: {', '.join(FUNCTIONS)}")
    if len(arguments) != 1:
        raise MoaError(f"{name}() takes one argument")
    return FUNCTIONS[name](arguments[0])


def _within(value: Any) -> Any:
    return _short(value) if isinstance(value, str) else value


def _short(text: str) -> str:
    if len(text) > LONGEST:
        raise MoaError("a text is too long")
    return text
