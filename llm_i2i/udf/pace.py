"""How many rows a batch of calls has, so that one is committed, and progress shown, every few seconds, whatever the model."""

from __future__ import annotations

AIM = 10.0  # seconds a batch takes; one that is slower than expected is still done within half a minute
GROWTH = 8  # times the rows of the batch before, at most: the first may have met an empty cache, or short prompts
FIRST = 8  # rows, as long as nothing is known of the speed


class Pace:
    """Rows of the next batch, by how long those before took.

    Args:
        most: Rows of a batch at most.
        seconds_per_row: What was measured before; None: nothing.
    """

    def __init__(self, most: int, seconds_per_row: float | None = None) -> None:
        self._most = most
        self._rows = self._within(AIM / seconds_per_row) if seconds_per_row else min(FIRST, most)

    def rows(self) -> int:
        """Rows of the next batch, from 1 to `most`."""
        return self._rows

    def took(self, rows: int, seconds: float) -> None:
        """A batch of so many rows took so many seconds."""
        if rows:
            aimed = AIM * rows / seconds if seconds > 0 else self._most
            self._rows = self._within(min(aimed, GROWTH * rows))

    def _within(self, rows: float) -> int:
        return max(1, min(int(rows), self._most))
