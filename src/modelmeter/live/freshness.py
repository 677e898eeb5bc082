"""When every feature last had a value, and last changed it.

Time stamps are good to a second, so a feature is looked at once a second until it has
changed: the rows after that cost nothing. A feature that does not change is looked for in a
second's first rows, and then in some.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from modelmeter import names
from modelmeter.live.counts import Counts
from modelmeter.live.rows import ABSENT, Column, Columns, Rows
from modelmeter.profile.columns import Array
from modelmeter.stats.bins import is_missing

TICK_SECONDS = 1.0
_LOOKS = 32
_HEAD = 32
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
        self._calls = 0
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
        if self._asleep <= now < self._awake:
            if not self._pending:
                return False
            # A constant has been looked at often enough: from now on one call in so many.
            self._calls += 1
            if self._calls > _LOOKS and self._calls % _LOOKS:
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
                self._pending, self._calls = self._everything, 0
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

    def _note_all(self, i: int, now: float, column: Column | None) -> bool:
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


def telling(column: Column) -> list[Any]:
    """Return few values of a column that tell as much as all: the first, another, the last.

    Empty where none is there. A column of many objects is looked at in part.
    """
    found: list[Any] = []
    for block in _from_start(column):
        there = _present(block)
        if len(there) and not found:
            found.append(there[0])
        if (other := _other_than(found, there)) is not None:
            found.append(other)
            break
    for block in _from_end(column) if found else ():
        if len(there := _present(block)):
            return [*found, there[-1]]
    return found


def _from_start(column: Column) -> Iterator[Array]:
    """Cut a column into blocks: a short one that mostly suffices, then the rest of it."""
    yield column[:_HEAD]
    if _is_fast(column):
        for start in range(_HEAD, len(column), _BLOCK):
            yield column[start : start + _BLOCK]
    else:
        yield column[_HEAD :: len(column) // _MANY + 1]


def _from_end(column: Column) -> Iterator[Array]:
    """Cut a column into blocks from its end."""
    end = max(len(column) - _HEAD, 0)
    yield column[end:]
    if _is_fast(column):
        for stop in range(end, 0, -_BLOCK):
            yield column[max(stop - _BLOCK, 0) : stop]
    else:
        yield column[: end : len(column) // _MANY + 1]


def _is_fast(column: Column) -> bool:
    return isinstance(column, np.ndarray) and column.dtype.kind in "mMfiub"


def _present(block: Array) -> Array | list[Any]:
    """Return the values of a block that are not missing."""
    if block.dtype.kind in "iub":
        return block
    if block.dtype.kind in "mMf":
        is_there = block == block  # NaN and NaT are not equal to themselves
        return block if is_there.all() else block[is_there]
    return [value for value in block.tolist() if not is_missing(value)]


def _other_than(found: Sequence[Any], there: Array | list[Any]) -> Any:
    """Return a value that is another than the first one found, None where there is none."""
    if isinstance(there, list):
        return next((value for value in there if _differ(found[0], value)), None)
    if not len(there):
        return None
    differing = there != found[0]
    place = int(differing.argmax())
    return there[place] if differing[place] else None
