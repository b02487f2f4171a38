"""How often somebody may ask: a bucket a name, refilled as time goes by."""

from __future__ import annotations

import time

MOST_BUCKETS = 10_000


class Limits:
    """Kept in this process alone."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, bytes | str], tuple[float, float]] = {}

    def wait(self, name: str, who: bytes | str, a_minute: float) -> int:
        """Counts one call; 0 when it may go on, else the seconds until it might."""
        now = time.monotonic()
        left, since = self._buckets.get((name, who), (a_minute, now))
        left = min(a_minute, left + (now - since) * a_minute / 60)
        if left < 1:
            return max(1, round((1 - left) * 60 / a_minute))
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets = {key: value for key, value in self._buckets.items() if now - value[1] < 60}
        self._buckets[name, who] = (left - 1, now)
        return 0
