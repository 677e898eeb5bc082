"""Where in a model's counts each value belongs: of one row, and of columns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from modelmeter.live.rows import Columns
from modelmeter.profile.columns import Array, count_array
from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.stats.bins import Bins, CategoricalBins, Counts

_EXACT = 2**53  # larger integers are rounded when they become floats, as columns do

Part = tuple[slice, Counts]
"""Counts, and the cells that they are added to."""


class Plan(NamedTuple):
    """The cells of a feature, and what it takes to find the one of a value quickly.

    Parameters
    ----------
    name
        Of the feature.
    start, stop
        Its cells.
    bins
        Its bins, one cell each.
    edges
        Of a numeric feature.
    table
        Bins of a text feature by category.
    """

    name: str
    start: int
    stop: int
    bins: Bins
    edges: tuple[float, ...] | None
    table: Mapping[Any, int] | None


def plans_of(profile: Profile) -> list[Plan]:
    """Lay out the cells of a profile's features, then those of its outputs."""
    plans: list[Plan] = []
    start = 0
    for feature in (*profile.features, *profile.predictions):
        plans.append(_plan(feature, start))
        start = plans[-1].stop
    return plans


def _plan(feature: FeatureProfile, start: int) -> Plan:
    bins = feature.bins
    stop = start + len(bins.bins)
    if isinstance(bins, CategoricalBins):
        table = bins.table if bins.value_type == "str" else None
        return Plan(feature.name, start, stop, bins, None, table)
    return Plan(feature.name, start, stop, bins, None if bins.is_time else bins.edges, None)


def place_row(
    plans: Sequence[Plan], row: Mapping[str, Any], cells: list[int], absent: list[tuple[int, int]]
) -> None:
    """Find the cell of every value of a row; the fast path of the whole library.

    Parameters
    ----------
    plans
        Of the features.
    row
        Values by feature.
    cells
        The cells are appended to it.
    absent
        Positions of the features that the row lacks are appended to it, and 1.
    """
    for i, (name, start, _, bins, edges, table) in enumerate(plans):
        try:
            value = row[name]
        except KeyError:
            absent.append((i, 1))
            continue
        kind = type(value)
        if kind is float and edges is not None and value == value:
            cells.append(start + bisect_right(edges, value))
        elif kind is str and table is not None and (found := table.get(value)) is not None:
            cells.append(start + found)
        elif kind is int and edges is not None and -_EXACT <= value <= _EXACT:
            cells.append(start + bisect_right(edges, value))
        else:
            cells.append(start + bins.index(value))


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


def count_column(plan: Plan, array: Array) -> Part:
    """Count a column, of shape (n_rows,) and any type."""
    return slice(plan.start, plan.stop), count_array(plan.bins, array)
