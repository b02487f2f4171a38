"""`${{ ... }}` in a job's scripts and in what its settings say: expressions over the job's inputs.

Done wherever variables are replaced, and before they are. A job without inputs is left alone, whatever its texts
hold.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shipline.protocol.payload import Image, JobInput, JobPayload
from shipline.runner.errors import JobFailed


def interpolated(payload: JobPayload) -> JobPayload:
    """The payload with its inputs put in. Raises JobFailed for an expression that is wrong, or names none of
    them."""
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


class Inputs(dict[str, Any]):
    """Inputs by name. A sensitive one can be looked for, and not read."""

    def __init__(self, inputs: list[JobInput]) -> None:
        super().__init__({each.key: each.value.content for each in inputs})
        self._sensitive = {each.key for each in inputs if each.value.sensitive}

    def __getitem__(self, name: str) -> Any:
        if name in self._sensitive:
            from shipline.runner.moa.syntax import MoaError

            raise MoaError("a sensitive input cannot be put into a text")
        return super().__getitem__(name)

    def items(self) -> Any:
        return {name: self[name] for name in self}.items()


class _Putter:
    def __init__(self, inputs: list[JobInput]) -> None:
        self._context = {"job": {"inputs": Inputs(inputs)}}

    def text(self, text: str) -> str:
        from shipline.runner.moa.evaluation import expanded
        from shipline.runner.moa.syntax import MoaError

        try:
            return expanded(text, self._context)
        except MoaError as error:
            raise JobFailed(str(error), "runner_configuration_error") from None

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
