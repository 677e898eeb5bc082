"""Where in a model's counts each value belongs: of one row, and of columns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmeter.live.rows import Columns
from modelmeter.profile.columns import Array, count_array, place_array
from modelmeter.profile.profile import Profile
from modelmeter.stats.bins import Bins, CategoricalBins, Counts, NumericBins

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


class RowPlacer:
    """Finds the cells of single rows.

    Parameters
    ----------
    plans
        Of the features.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._numbers: list[tuple[int, str, int, tuple[float, ...], Bins]] = []
        self._texts: list[tuple[int, str, int, dict[Any, int], Bins]] = []
        self._others: list[tuple[int, str, int, Bins]] = []
        for i, (name, start, _, bins) in enumerate(plans):
            if isinstance(bins, NumericBins) and not bins.is_time:
                self._numbers.append((i, name, start, bins.edges, bins))
            elif isinstance(bins, CategoricalBins) and bins.value_type == "str":
                cells = {category: start + place for category, place in bins.table.items()}
                self._texts.append((i, name, start, cells, bins))
            else:
                self._others.append((i, name, start, bins))

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
        add = cells.append
        for i, name, start, edges, bins in self._numbers:
            try:
                value = row[name]
            except KeyError:
                absent.append((i, 1))
                continue
            kind = type(value)
            if (kind is float and value == value) or (kind is int and -_EXACT <= value <= _EXACT):
                add(start + bisect_right(edges, value))
            else:
                add(start + bins.index(value))
        for i, name, start, table, bins in self._texts:
            try:
                value = row[name]
            except KeyError:
                absent.append((i, 1))
                continue
            found = table.get(value) if type(value) is str else None
            add(start + bins.index(value) if found is None else found)
        for i, name, start, bins in self._others:
            if name in row:
                add(start + bins.index(row[name]))
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
        array = rows.arrays.get(plan.name)
        there = 0 if array is None else len(array)
        if there < rows.rows:
            absent.append((i, rows.rows - there))
        if array is not None:
            parts.append(count_column(plan, array))
    return parts, absent


def place_column(bins: Bins, array: Array) -> NDArray[np.intp]:
    """Return the bin number of every row of a column of any type; never raises."""
    try:
        return place_array(bins, array)
    except Exception:  # noqa: BLE001 - unhashable cells: one by one
        return np.asarray([bins.index(value) for value in array], dtype=np.intp)


def count_column(plan: Plan, array: Array) -> Part:
    """Count a column, of shape (n_rows,) and any type."""
    return slice(plan.start, plan.stop), count_array(plan.bins, array)
