"""When every feature last had a value, and last changed it.

Time stamps are good to a second, so a feature is looked at once a second until it has
changed: the rows after that cost nothing. A feature that does not change is looked for in a
second's first rows, and then in some.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelmeter import names
from modelmeter.live.counts import Counts
from modelmeter.live.rows import ABSENT, Columns, Rows
from modelmeter.profile.columns import Array
from modelmeter.stats.bins import is_missing

TICK_SECONDS = 1.0
_LOOKS = 32
_HEAD = 256
_BLOCK = 65_536
_MANY = 20_000


class Freshness:
    """Time of the last value and of the last change, by feature.

    Parameters
    ----------
    counts
        Where the two time stamps are kept.
    labels
        Name and version of the model.
    features
        Feature names.
    """

    def __init__(self, counts: Counts, labels: tuple[str, str], features: Sequence[str]) -> None:
        rows = [(*labels, name) for name in features]
        self._value_times = counts.block(names.FEATURE_LAST_VALUE, rows).cells
        self._change_times = counts.block(names.FEATURE_LAST_CHANGE, rows).cells
        self._last: list[Any] = [None] * len(rows)
        self._everything = list(enumerate(features))
        self._pending: list[tuple[int, str]] = []
        self._asleep = self._awake = 0.0
        self._lock = threading.Lock()

    def look(self, now: float, rows: Rows) -> bool:
        """Look at the features that have not changed since the last tick; never raises.

        Parameters
        ----------
        now
            Unix time.
        rows
            The rows at hand.

        Returns
        -------
        bool
            Whether these rows are the first of a tick: at most once a second, in whatever
            thread, so that others can look then too.
        """
        if self._asleep <= now < self._awake and not self._pending:
            return False
        # Another thread that is looking right now sees as much as this one would.
        if not self._lock.acquire(blocking=False):
            return False
        try:
            # Only now: another thread may have begun the tick in the meantime.
            is_tick = not self._asleep <= now < self._awake
            if is_tick:
                # A thread may be a little late, but a clock set back must not stop the looking.
                self._asleep, self._awake = now - TICK_SECONDS, now + TICK_SECONDS
                self._pending = self._everything
            if isinstance(rows, Columns):
                self._pending = [
                    (i, name)
                    for i, name in self._pending
                    if not self._note_all(i, now, rows.arrays.get(name))
                ]
                return is_tick
            for row in rows:
                self._pending = [
                    (i, name)
                    for i, name in self._pending
                    if not self._note(i, now, row.get(name, ABSENT))
                ]
            return is_tick
        finally:
            self._lock.release()

    def _note_all(self, i: int, now: float, column: Array | None) -> bool:
        """Note a column's values; tell whether they show a change."""
        if column is None:
            return False
        changes = [self._note(i, now, value) for value in telling(column)]
        return any(changes)

    def _note(self, i: int, now: float, value: object) -> bool:
        """Note one value of a feature; tell whether it is another than the one before."""
        if value is ABSENT or is_missing(value):
            return False
        before, self._last[i] = self._last[i], value
        self._value_times[i] = now
        if before is None or not _differ(before, value):
            return False
        self._change_times[i] = now
        return True


def _differ(before: object, value: object) -> bool:
    if before is value:
        return False
    try:
        return bool(before != value)
    except Exception:  # noqa: BLE001 - a stranger's __ne__, or an array
        return True


def telling(column: Array) -> list[Any]:
    """Return few values of a column that tell as much as all: the first, another, the last.

    Empty where none is there. A column of many objects is looked at in part.
    """
    if column.dtype.kind in "mMfiub":
        there = column[column == column]  # NaN and NaT are not equal to themselves
        if not len(there):
            return []
        differing = np.flatnonzero(there != there[0])[:1]
        return [there[0], *there[differing], there[-1]]
    values = column[:: len(column) // _MANY + 1].tolist()
    values.append(column[-1])
    there = [value for value in values if not is_missing(value)]
    return there[:1] + [value for value in there if _differ(there[0], value)][:1] + there[-1:]
