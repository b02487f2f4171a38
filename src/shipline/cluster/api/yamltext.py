"""YAML as Kubernetes reads and writes it.

Written: keys sorted, what could be misread in double quotes, long texts as blocks. Read: times stay texts, and so
do numbers with colons.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

# YAML 1.1 reads these as truth values or numbers, and so do older clients.
_MISREAD = re.compile(
    r"(?i)^(y|n|yes|no|on|off|true|false|null|~|[-+]?[0-9][0-9_,]*(:[0-5]?[0-9])*(\.[0-9_]*)?(e[-+]?[0-9]+)?|"
    r"[-+]?\.[0-9]+|[-+]?0[xo][0-9a-f_]+|[-+]?\.(inf|nan))$"
)

# Line ends of other systems and signs that a block cannot hold; and texts that would read back otherwise from one.
_UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_UNBLOCKED = re.compile(r"^[ \n\t]|[ \t]\n|[ \t]$")


class _Loader(yaml.SafeLoader):
    """Reads what JSON can hold, and nothing else."""


_NUMBER = re.compile(r"^[-+]?([0-9][0-9_]*|0x[0-9a-fA-F_]+|0o?[0-7_]+|0b[01_]+)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_TYPES = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in (f"{_TYPES}timestamp", f"{_TYPES}int", f"{_TYPES}float")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TYPES}int", _NUMBER, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TYPES}float", _FLOAT, list("-+.0123456789"))


def load(raw: bytes) -> Any:
    """The document's value; ValueError when it cannot be read."""
    try:
        return yaml.load(raw, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(" ".join(str(error).split())) from None


class _Dumper(yaml.SafeDumper):
    """Writes texts the way the API does."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = dumper.resolve(yaml.ScalarNode, value, (True, False)) == "tag:yaml.org,2002:str"  # type: ignore[no-untyped-call]
    style = None
    if _UNPRINTABLE.search(value):
        style = '"'
    elif "\n" in value and not _UNBLOCKED.search(value):
        style = "|"
    elif not plain or not value or _MISREAD.match(value) or "\n" in value:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> str:
    """The document."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=True, width=1 << 20
    )
    return text
