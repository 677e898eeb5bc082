"""First reading of the training data: types, ranges, a sample, the categories.

What it takes in memory is bounded: sums, a uniform sample of rows, and a tally of
categories that forgets the rarest when there are too many.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal, NoReturn

import numpy as np

from modelmeter._errors import DataError
from modelmeter.profile.columns import Array, as_floats
from modelmeter.profile.texts import Column, Texts
from modelmeter.stats.labels import plain
from modelmeter.stats.values import NUMBERS, Floats, as_number, is_missing

Group = Literal["number", "duration", "bool", "str", "time"]

SAMPLE_CELLS = 4_000_000
SAMPLE_ROWS = 200_000
MOST_CATEGORIES = 100_000
LARGEST = 1e100
"""Beyond it the square of a number, summed over all rows, may be more than any float."""

_BY_DTYPE: dict[str, Group] = {
    **dict.fromkeys("iuf", "number"),
    "b": "bool",
    "m": "duration",
    "M": "time",
    "U": "str",
}


class ColumnScan:
    """What one reading of a column shows.

    Parameters
    ----------
    name
        Of the column, for messages.
    as_category
        Take numbers as categories.
    """

    def __init__(self, name: str, *, as_category: bool = False) -> None:
        self.name = name
        self.rows = 0
        self.present = 0
        self.group: Group | None = None
        self.whole = True
        self.dtype = ""
        self.min, self.max = math.inf, -math.inf
        self.mean = 0.0
        self.tally: Counter[Any] = Counter()
        self.forgot = False
        self._as_category = as_category
        self._squares = 0.0

    @property
    def is_categorical(self) -> bool:
        """Whether the column is binned by its values rather than by intervals."""
        return self.group in ("bool", "str") or (self._as_category and self.group is not None)

    @property
    def std(self) -> float:
        """Standard deviation of the values present (dividing by their number); 0 for texts."""
        if not self.present or self.group == "str":
            return 0.0
        if self.is_categorical:
            values = np.asarray(list(self.tally), dtype=np.float64)
            rows = np.asarray(list(self.tally.values()))
            mean = np.average(values, weights=rows)
            return math.sqrt(np.average(np.square(values - mean), weights=rows))
        return math.sqrt(self._squares / self.present)

    def feed(self, column: Column) -> Floats | None:
        """Read one batch of the column.

        Parameters
        ----------
        column
            Shape (n_rows,).

        Returns
        -------
        Floats or None
            The batch as numbers, missing values as NaN; None when they are categories.

        Raises
        ------
        DataError
            Types are mixed, or a value is infinite, larger than `LARGEST`, or of a type
            that cannot be binned.
        """
        first_row, self.rows = self.rows, self.rows + len(column)
        if isinstance(column, Texts):
            return self._feed_texts(column, first_row)
        self.dtype = self.dtype or str(column.dtype)
        self._settle(column, first_row)
        if self.group is None:
            return np.full(len(column), np.nan)
        if self.is_categorical:
            self._feed_tally(column, first_row)
            return None
        values = self.numbers(column)
        present = values[~np.isnan(values)]
        if len(present):
            self._feed_moments(values, present, first_row)
        return values

    def _feed_texts(self, texts: Texts, first_row: int) -> Floats | None:
        self.dtype = self.dtype or "object"
        if not texts.is_missing:
            first = int(np.flatnonzero(texts.codes >= 0)[0])
            self._agree("str", texts.distinct[0], first_row + first)
            self.whole = False
            for value, rows in texts.tally():
                self.present += rows
                self.tally[value] += rows
            self._forget()
        # Missing in a column that is not of texts, or not yet.
        return None if self.is_categorical else np.full(len(texts), np.nan)

    def _settle(self, array: Array, first_row: int) -> None:
        """Find the batch's type and compare it with what came before."""
        kind = array.dtype.kind
        if kind in _BY_DTYPE:
            there = np.flatnonzero(array == array)  # NaN and NaT are not equal to themselves
            if len(there):
                self._agree(_BY_DTYPE[kind], array[there[0]], first_row + int(there[0]))
                self.whole &= kind in "iu"
            return
        # One look per type, not per cell.
        cells = array.tolist()
        for kind_of_value in dict.fromkeys(map(type, cells)):
            self._settle_type(kind_of_value, cells, first_row)

    def _settle_type(self, kind_of_value: type, cells: list[Any], first_row: int) -> None:
        row, value = next(
            ((i, v) for i, v in enumerate(cells) if type(v) is kind_of_value and not is_missing(v)),
            (0, None),
        )
        if value is None:
            return
        group = _group_of(value)
        if group is None:
            raise DataError(
                f"column {self.name!r}: row {first_row + row} holds {_echo(value)} "
                f"({kind_of_value.__name__}); "
                "only numbers, text, booleans, times and durations can be profiled"
            )
        self.whole &= isinstance(value, (int, np.integer))
        self._agree(group, value, first_row + row)

    def _agree(self, group: Group, value: object, row: int) -> None:
        if self.group not in (None, group):
            raise DataError(
                f"column {self.name!r} mixes types: row {row} holds {_echo(value)} ({group}), "
                f"other rows hold values of type {self.group}"
            )
        self.group = group
        if self._as_category and group in ("time", "duration"):
            raise DataError(
                f"column {self.name!r} holds times ({_echo(value)}), which cannot be categories"
            )

    def numbers(self, array: Array) -> Floats:
        """Convert a batch of a numeric column to floats, missing values to NaN."""
        values = as_floats(array, is_time=self.group == "time")
        if values is not None:
            return values
        is_time = self.group == "time"
        cells = [math.nan if is_missing(v) else as_number(v, is_time=is_time) for v in array]
        return np.asarray(cells, dtype=np.float64)

    def _feed_tally(self, array: Array, first_row: int) -> None:
        cells = array.tolist()
        counted = Counter(cells)
        for value, rows in counted.items():
            if is_missing(value):
                continue
            if self.group == "number" and math.isinf(value):
                self._refuse_number(value, first_row + cells.index(value))
            self.present += rows
            # What is written to the profile are Python's own types.
            self.tally[str(value) if self.group == "str" else plain(value)] += rows
        self._forget()

    def _forget(self) -> None:
        if len(self.tally) > MOST_CATEGORIES:
            self.forgot = True
            self.tally = Counter(dict(self.tally.most_common(MOST_CATEGORIES // 2)))

    def _feed_moments(self, values: Floats, present: Floats, first_row: int) -> None:
        low, high = float(present.min()), float(present.max())
        if low < -LARGEST or high > LARGEST:
            row = int(np.flatnonzero(np.abs(values) > LARGEST)[0])
            self._refuse_number(values[row], first_row + row)
        self.min, self.max = min(self.min, low), max(self.max, high)
        # Chan et al.: sums of squares of parts add up with the shift between their means.
        n, m = self.present, len(present)
        mean = float(present.mean())
        delta = mean - self.mean
        self._squares += float(np.square(present - mean).sum()) + delta**2 * n * m / (n + m)
        self.mean += delta * m / (n + m)
        self.present += m

    def _refuse_number(self, value: Any, row: int) -> NoReturn:
        raise DataError(
            f"column {self.name!r}: row {row} holds {_echo(value)}; replace infinities and "
            f"numbers beyond {LARGEST:g} by missing values or by a number"
        )


def _group_of(value: object) -> Group | None:
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, str):
        return "str"
    if isinstance(value, (datetime, date, np.datetime64)):
        return "time"
    if isinstance(value, (timedelta, np.timedelta64)):
        return "duration"
    return "number" if isinstance(value, NUMBERS) else None


def _echo(value: object) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class RowSample:
    """A uniform sample of rows of many columns, of bounded size.

    Every row draws a random number; the rows with the smallest ones stay. With fewer rows
    than fit the sample is the data itself.
    """

    def __init__(self, columns: int, seed: int = 0) -> None:
        self.capacity = max(1_000, min(SAMPLE_ROWS, SAMPLE_CELLS // max(columns, 1)))
        self._random = np.random.default_rng(seed)
        self._draws: Floats = np.empty(0)
        self._columns: dict[Any, list[Floats]] = {}

    def feed(self, columns: Mapping[Any, Floats | None], rows: int) -> None:
        """Take in a batch; a column given as None is forgotten."""
        before = len(self._draws)
        self._draws = np.concatenate((self._draws, self._random.random(rows)))
        for key, values in columns.items():
            if values is None:
                self._columns.pop(key, None)
            else:
                parts = self._columns.setdefault(key, [np.full(before, np.nan)])
                parts.append(values)
        if len(self._draws) > 2 * self.capacity:
            self._shrink()

    def values(self, key: Any) -> Floats:
        """Return the sampled values of a column, without the missing ones."""
        self._shrink()
        values = np.concatenate(self._columns.get(key, [np.empty(0)]))
        return values[~np.isnan(values)]

    def _shrink(self) -> None:
        if len(self._draws) <= self.capacity:
            return
        keep = np.argpartition(self._draws, self.capacity)[: self.capacity]
        self._draws = self._draws[keep]
        for key, parts in self._columns.items():
            self._columns[key] = [np.concatenate(parts)[keep]]
