"""The forms of names, labels and keys: each function returns the complaints, none when all is well."""

from __future__ import annotations

import ipaddress
import re

_DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _DNS_LABEL + r"(\." + _DNS_LABEL + ")*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"


def _regex(message: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def _length(limit: int) -> str:
    return f"must be no more than {limit} characters"


def dns_label(value: str) -> list[str]:
    """RFC 1123 label: a namespace's, a Service's or a container's name."""
    complaints = [_length(63)] if len(value) > 63 else []
    if not re.fullmatch(_DNS_LABEL, value):
        message = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
            "start and end with an alphanumeric character"
        )
        complaints.append(_regex(message, _DNS_LABEL, "my-name", "123-abc"))
    return complaints


def dns_subdomain(value: str) -> list[str]:
    """RFC 1123 subdomain: most objects' names."""
    complaints = [_length(253)] if len(value) > 253 else []
    if not re.fullmatch(_SUBDOMAIN, value):
        message = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
            "must start and end with an alphanumeric character"
        )
        complaints.append(_regex(message, _SUBDOMAIN, "example.com"))
    return complaints


def qualified_name(value: str) -> list[str]:
    """A label's or annotation's key: an optional prefix, a slash, a name."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return [
            _regex(
                "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and "
                "end with an alphanumeric character",
                _QUALIFIED,
                "MyName",
                "my.name",
                "123-abc",
            )
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    complaints = []
    if slash:
        if not prefix:
            complaints.append("prefix part must be non-empty")
        else:
            complaints += [f"prefix part {complaint}" for complaint in dns_subdomain(prefix)]
    if not name:
        complaints.append("name part must be non-empty")
    elif len(name) > 63:
        complaints.append(f"name part {_length(63)}")
    if not re.fullmatch(_QUALIFIED, name):
        message = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character"
        )
        complaints.append(_regex(message, _QUALIFIED, "MyName", "my.name", "123-abc"))
    return complaints


def label_value(value: str) -> list[str]:
    """A label's value; empty is one too."""
    complaints = [_length(63)] if len(value) > 63 else []
    if not re.fullmatch(_LABEL_VALUE, value):
        message = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
            "must start and end with an alphanumeric character"
        )
        complaints.append(_regex(message, _LABEL_VALUE, "MyValue", "my_value", "12345"))
    return complaints


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret: a file's name."""
    complaints = [_length(253)] if len(value) > 253 else []
    if not re.fullmatch(_CONFIG_KEY, value):
        message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        complaints.append(_regex(message, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if value == ".":
        complaints.append("must not be '.'")
    elif value == "..":
        complaints.append("must not be '..'")
    elif value.startswith(".."):
        complaints.append("must not start with '..'")
    return complaints


def env_name(value: str) -> list[str]:
    """An environment variable's name: any printable ASCII but an equals sign."""
    if value and all(" " <= character <= "~" and character != "=" for character in value):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def port_number(value: int) -> list[str]:
    """A port."""
    return [] if 1 <= value <= 65535 else ["must be between 1 and 65535, inclusive"]


def port_name(value: str) -> list[str]:
    """An IANA service name."""
    complaints = ["must be no more than 15 characters"] if len(value) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", value):
        complaints.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        complaints.append("must contain at least one letter (a-z)")
    if "--" in value:
        complaints.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        complaints.append("must not begin or end with a hyphen")
    return complaints


def path_segment(value: str) -> list[str]:
    """A name that only has to fit into a path: roles and their bindings."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in value]


def ip_address(value: str) -> list[str]:
    """An IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []
