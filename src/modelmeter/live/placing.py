"""Where in a model's counts each value belongs: of one row, and of columns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmeter.live.rows import Column, Columns, Texts, getter
from modelmeter.profile.columns import count_array, place_array
from modelmeter.profile.profile import Profile
from modelmeter.stats.bins import Bins, CategoricalBins, Counts, NumericBins, count_tally

_EXACT = 2**53  # larger integers are rounded when they become floats, as columns do

Part = tuple[slice, Counts]
"""Counts, and the cells that they are added to."""


class Plan(NamedTuple):
    """The cells of a feature: `start` to `stop`, one for each of its `bins`."""

    name: str
    start: int
    stop: int
    bins: Bins


def plans_of(profile: Profile) -> list[Plan]:
    """Lay out the cells of a profile's features, then those of its outputs."""
    plans: list[Plan] = []
    start = 0
    for feature in (*profile.features, *profile.predictions):
        plans.append(Plan(feature.name, start, start + len(feature.bins.bins), feature.bins))
        start = plans[-1].stop
    return plans


class _Table(dict[Any, int]):
    """Cells by category; any other value is asked of the bins, every time."""

    def __init__(self, start: int, bins: Bins) -> None:
        super().__init__()
        if isinstance(bins, CategoricalBins):
            self.update((category, start + place) for category, place in bins.table.items())
        self.start, self.bins = start, bins

    def __missing__(self, value: object) -> int:
        return self.start + self.bins.index(value)


class RowPlacer:
    """Finds the cells of single rows.

    Parameters
    ----------
    plans
        Of the features.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._plans = tuple(plans)
        numbers: list[tuple[Plan, NumericBins]] = []
        others: list[Plan] = []
        for plan in plans:
            if isinstance(plan.bins, NumericBins) and not plan.bins.is_time:
                numbers.append((plan, plan.bins))
            else:
                others.append(plan)
        self._numbers_of = getter([plan.name for plan, _ in numbers])
        # Side by side: zip over these costs less than unpacking one plan after another.
        self._starts = [plan.start for plan, _ in numbers]
        self._bins = [bins for _, bins in numbers]
        self._edges = [bins.edges for _, bins in numbers]
        self._others_of = getter([plan.name for plan in others])
        self._tables = [_Table(plan.start, plan.bins) for plan in others]

    def place(
        self, row: Mapping[str, Any], cells: list[int], absent: list[tuple[int, int]]
    ) -> None:
        """Find the cell of every value of a row; the fast path of the whole library.

        Parameters
        ----------
        row
            Values by feature.
        cells
            The cells are appended to it.
        absent
            Positions of the features that the row lacks are appended to it, and 1.
        """
        try:
            numbers, others = self._numbers_of(row), self._others_of(row)
        except KeyError:
            self._place_there(row, cells, absent)
            return
        # zip is not told to be strict: that alone costs a twentieth of a row.
        cells += [
            start + bisect_right(edges, value)
            if (type(value) is float and value == value)
            or (type(value) is int and -_EXACT <= value <= _EXACT)
            else start + bins.index(value)
            for value, start, edges, bins in zip(  # noqa: B905
                numbers, self._starts, self._edges, self._bins
            )
        ]
        try:
            cells += [table[value] for value, table in zip(others, self._tables)]  # noqa: B905
        except Exception:  # noqa: BLE001 - unhashable, or a stranger's methods
            pairs = zip(others, self._tables, strict=True)
            cells += [table.start + table.bins.index(value) for value, table in pairs]

    def _place_there(
        self, row: Mapping[str, Any], cells: list[int], absent: list[tuple[int, int]]
    ) -> None:
        """Find the cells of a row that lacks features."""
        for i, plan in enumerate(self._plans):
            if plan.name in row:
                cells.append(plan.start + plan.bins.index(row[plan.name]))
            else:
                absent.append((i, 1))


def count_columns(plans: Sequence[Plan], rows: Columns) -> tuple[list[Part], list[tuple[int, int]]]:
    """Count rows by column.

    Returns
    -------
    list of Part, list of (int, int)
        Counts by feature; positions of features that are absent, and from how many rows.
    """
    parts: list[Part] = []
    absent: list[tuple[int, int]] = []
    for i, plan in enumerate(plans):
        column = rows.arrays.get(plan.name)
        there = 0 if column is None else len(column)
        if there < rows.rows:
            absent.append((i, rows.rows - there))
        if column is not None:
            parts.append(count_column(plan, column))
    return parts, absent


def place_column(bins: Bins, column: Column) -> NDArray[np.intp]:
    """Return the bin number of every row of a column of any type; never raises."""
    array = column[:] if isinstance(column, Texts) else column
    try:
        return place_array(bins, array)
    except Exception:  # noqa: BLE001 - unhashable cells: one by one
        return np.asarray([bins.index(value) for value in array], dtype=np.intp)


def count_column(plan: Plan, column: Column) -> Part:
    """Count a column, of shape (n_rows,) and any type."""
    if isinstance(column, Texts):
        counts = count_tally(plan.bins, column.count())
    else:
        counts = count_array(plan.bins, column)
    return slice(plan.start, plan.stop), counts
