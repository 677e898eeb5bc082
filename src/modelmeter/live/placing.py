"""Where in a model's counts each value belongs: of one row, and of columns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
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
        self._plans = tuple(plans)
        numbers: list[tuple[str, int, tuple[float, ...], NumericBins]] = []
        texts: list[tuple[str, int, dict[Any, int], CategoricalBins]] = []
        others: list[Plan] = []
        for plan in plans:
            name, start, _, bins = plan
            if isinstance(bins, NumericBins) and not bins.is_time:
                numbers.append((name, start, bins.edges, bins))
            elif isinstance(bins, CategoricalBins) and bins.value_type == "str":
                cells = {category: start + place for category, place in bins.table.items()}
                texts.append((name, start, cells, bins))
            else:
                others.append(plan)
        # Side by side and not one by one: zip over columns costs less than unpacking rows.
        self._numbers, self._numbers_of = _columns(numbers), _getter([n[0] for n in numbers])
        self._texts, self._texts_of = _columns(texts), _getter([t[0] for t in texts])
        self._others, self._others_of = others, _getter([plan.name for plan in others])

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
            numbers, texts = self._numbers_of(row), self._texts_of(row)
            others = self._others_of(row)
        except KeyError:
            self._place_there(row, cells, absent)
            return
        starts, edges, bins = self._numbers
        cells += [
            start + bisect_right(of, value)
            if (type(value) is float and value == value)
            or (type(value) is int and -_EXACT <= value <= _EXACT)
            else start + own.index(value)
            for value, start, of, own in zip(numbers, starts, edges, bins, strict=True)
        ]
        starts, tables, bins = self._texts
        cells += [
            found
            if type(value) is str and (found := table.get(value)) is not None
            else start + own.index(value)
            for value, start, table, own in zip(texts, starts, tables, bins, strict=True)
        ]
        for value, plan in zip(others, self._others, strict=True):
            cells.append(plan.start + plan.bins.index(value))

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
        array = rows.arrays.get(plan.name)
        there = 0 if array is None else len(array)
        if there < rows.rows:
            absent.append((i, rows.rows - there))
        if array is not None:
            parts.append(count_column(plan, array))
    return parts, absent


def _columns(facts: Sequence[tuple[Any, ...]]) -> tuple[tuple[Any, ...], ...]:
    """Return what is known of features after their names, by what it is."""
    return tuple(zip(*facts, strict=True))[1:] or ((), (), ())


def _getter(features: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return a function that takes these features' values out of a row."""
    if len(features) > 1:
        return itemgetter(*features)
    # itemgetter returns no tuple for one, and takes no none.
    return lambda row: tuple(row[name] for name in features)


def place_column(bins: Bins, array: Array) -> NDArray[np.intp]:
    """Return the bin number of every row of a column of any type; never raises."""
    try:
        return place_array(bins, array)
    except Exception:  # noqa: BLE001 - unhashable cells: one by one
        return np.asarray([bins.index(value) for value in array], dtype=np.intp)


def count_column(plan: Plan, array: Array) -> Part:
    """Count a column, of shape (n_rows,) and any type."""
    return slice(plan.start, plan.stop), count_array(plan.bins, array)
