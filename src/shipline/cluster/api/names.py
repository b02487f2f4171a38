"""Names made by the server: uids, the random ends of generateName, and times as the wire writes them."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime

# Letters and digits without vowels and look-alikes, so that no word arises.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST = 63


def random_end(length: int = 5) -> str:
    """The random end of a generated name."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def generated(prefix: str) -> str:
    """A name from a generateName prefix, cut so that the whole stays a DNS label."""
    return prefix[: _LONGEST - 5] + random_end()


def uid() -> str:
    """A new object's uid."""
    return str(uuid.uuid4())


def timestamp(moment: datetime | None = None) -> str:
    """RFC 3339 to the second, UTC: `2026-11-23T15:47:55Z`."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(moment: datetime | None = None) -> str:
    """RFC 3339 to the microsecond, UTC, as Leases and events.k8s.io have it."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
