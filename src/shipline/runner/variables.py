"""A job's variables as its stages see them: the last of a name wins, expanded once, files given as paths.

`settings` reads those that steer the runner (GIT_DEPTH, RUNNER_SCRIPT_TIMEOUT, ...).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shipline.protocol.payload import Variable
from shipline.runner.expansion import expand

_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|h|m|s)")
_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
YES = frozenset(("1", "t", "true"))
NO = frozenset(("0", "f", "false"))


class Variables:
    """Variables by name. `files` is the folder that file variables are written to inside the job."""

    def __init__(self, variables: Iterable[Variable], files: str = "") -> None:
        self._given = {variable.key: variable for variable in variables}
        self._files = files
        self._values = {
            key: self._value(variable) if variable.file or "$" in variable.value else variable.value
            for key, variable in self._given.items()
        }

    def _value(self, variable: Variable) -> str:
        if variable.file:
            return f"{self._files}/{variable.key}"
        return variable.value if variable.raw else expand(variable.value, self._reference)

    def _reference(self, name: str) -> str:
        variable = self._given.get(name)
        if variable is None:
            return ""
        return f"{self._files}/{name}" if variable.file else variable.value

    def extended(self, more: Iterable[Variable]) -> Variables:
        """These and `more`, which win."""
        return Variables([*self._given.values(), *more], self._files)

    def expand(self, text: str) -> str:
        """`text` (an image's name, an alias, a URL) with variables replaced."""
        return expand(text, self.get)

    def get(self, name: str, default: str = "") -> str:
        """The value that a process of the job sees."""
        return self._values.get(name, default)

    def exports(self) -> dict[str, str]:
        """What the job's shell exports. Names that no shell can hold are left out."""
        return {name: value for name, value in self._values.items() if _is_name(name)}

    def public(self) -> dict[str, str]:
        """What may be seen in a pod's spec."""
        return {
            name: value
            for name, value in self.exports().items()
            if self._given[name].public and not self._given[name].masked
        }

    def files(self) -> dict[str, str]:
        """Contents of the file variables, by name."""
        return {
            name: variable.value if variable.raw else expand(variable.value, self._reference)
            for name, variable in self._given.items()
            if variable.file and _is_name(name)
        }

    def text(self, name: str) -> str:
        """A setting's own text, also where the job sees it as a file."""
        return self.files().get(name) or self.get(name)

    def masked(self) -> set[str]:
        """Values that no log may show: as given and as expanded."""
        hidden = [variable for variable in self._given.values() if variable.masked]
        return {variable.value for variable in hidden} | {
            self._values[variable.key] for variable in hidden if not variable.file
        }

    def private(self) -> set[str]:
        """Values that no pod's text may show: all but those that are for everybody to see."""
        public = self.public()
        return {value for name, value in self._values.items() if name not in public} | self.masked()

    def is_true(self, name: str, default: bool = False) -> bool:
        """A setting that is true or false; the default where it is neither."""
        value = self.get(name).strip().lower()
        return value in YES if value in YES or value in NO else default

    def number(self, name: str, default: int) -> int:
        """A whole number, or the default where it is none."""
        try:
            return int(self.get(name))
        except ValueError:
            return default

    def seconds(self, name: str, default: float | None) -> float | None:
        """A duration such as `1h30m` or `90s`; the default where it is none, or no time at all."""
        text = self.get(name).strip().replace(" ", "")
        parts = _DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            return default
        return sum(float(number) * _UNIT[unit] for number, unit in parts) or default


def _is_name(text: str) -> bool:
    """Whether a shell can have a variable of that name."""
    return text.isidentifier() and text.isascii()
