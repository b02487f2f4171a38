"""The whole configuration as one file: what is left after includes, inputs, extends and references."""

from __future__ import annotations

from typing import Any

import yaml

from shipline.language.compiler import Compilation, run
from shipline.language.context import Context
from shipline.language.findings import LanguageError
from shipline.language.loader import Loader, MemoryLoader
from shipline.language.scripts import flattened
from shipline.language.values import plain


def merged(text: str, context: Context, loader: Loader | None = None) -> dict[str, Any]:
    """The merged configuration as plain data, scripts as flat lists. Raises LanguageError for an invalid file."""
    done = Compilation(context)
    run(done, text, loader or MemoryLoader())
    if done.merged is None:
        raise LanguageError([])
    data: dict[str, Any] = plain(flattened(done.merged))
    return data


class Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and nothing as an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text_node(dumper: Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value.strip("\n") or value.endswith("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


Dumper.add_representer(str, text_node)


def as_yaml(data: dict[str, Any]) -> str:
    """Data as YAML text, in its own order."""
    text: str = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text
