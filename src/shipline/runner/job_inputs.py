"""`${{ job.inputs.NAME }}`: a job's inputs put into its scripts and into what its settings say.

Done wherever variables are replaced, and before they are. A job without inputs is left alone, whatever its texts
hold.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from shipline.protocol.payload import Image, JobInput, JobPayload
from shipline.runner.errors import JobFailed

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"\s*job\.inputs\.([A-Za-z0-9_-]+)\s*\Z")


def interpolated(payload: JobPayload) -> JobPayload:
    """The payload with its inputs put in. Raises JobFailed for an expression that names none of them."""
    if not payload.inputs:
        return payload
    put = _Putter(payload.inputs)
    fields = {
        "steps": [msgspec.structs.replace(step, script=put.all(step.script)) for step in payload.steps],
        "image": put.image(payload.image) if payload.image else None,
        "services": [put.image(service) for service in payload.services],
        "artifacts": [put.fields(each, "name", "paths", "exclude") for each in payload.artifacts or []],
        "cache": [put.fields(each, "key", "paths", "policy", "fallback_keys") for each in payload.cache or []],
    }
    return msgspec.structs.replace(payload, **fields)


class _Putter:
    def __init__(self, inputs: list[JobInput]) -> None:
        self._inputs = {each.key: each.value for each in inputs}

    def text(self, text: str) -> str:
        return _EXPRESSION.sub(self._value, text) if "${{" in text else text

    def _value(self, match: re.Match[str]) -> str:
        named = _NAME.match(match[1])
        value = self._inputs.get(named[1]) if named else None
        if value is None:
            known = ", ".join(f"job.inputs.{name}" for name in self._inputs)
            raise JobFailed(f"{match[0]}: unknown; this job has {known}", "runner_configuration_error")
        if value.sensitive:
            raise JobFailed(
                f"{match[0]}: a sensitive input cannot be put into a text", "runner_configuration_error"
            )
        return as_text(value.content)

    def all(self, texts: list[str]) -> list[str]:
        return [self.text(text) for text in texts]

    def fields(self, value: Any, *names: str) -> Any:
        """A value with these fields, texts or lists of texts, filled in."""
        found = {name: getattr(value, name) for name in names}
        filled = {
            name: self.text(item) if isinstance(item, str) else self.all(item)
            for name, item in found.items()
            if item
        }
        return msgspec.structs.replace(value, **filled)

    def image(self, image: Image) -> Image:
        filled: Image = self.fields(image, "name", "alias", "entrypoint", "command")
        return filled


def as_text(content: Any) -> str:
    """An input's value inside a text: lists as JSON."""
    if isinstance(content, str):
        return content
    import json

    return json.dumps(content)
