"""One column of training or serving data as an array, and its rows counted in bins.

The same functions count a column when the profile is built and when it is served, so that
a value falls into the same bin on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmeter.stats.bins import (
    Bins,
    CategoricalBins,
    Counts,
    NumericBins,
    count_each,
    count_tally,
)
from modelmeter.stats.values import Floats, as_seconds

Array = NDArray[Any]

# From how many rows on sorting numbers, and comparing where objects are, beats hashing them.
_FEW = 1_000
_MANY = 4_000
_HEAD = 256
_MOST = 50
_BLOCK = 32_768


def as_objects(values: Sequence[Any]) -> Array:
    """Make an array of a list as it is: no type is guessed, no nested list unpacked.

    Parameters
    ----------
    values
        n_rows values of any types.

    Returns
    -------
    Array
        Shape (n_rows,).
    """
    return np.fromiter(values, dtype=object, count=len(values))


def as_floats(array: Array, *, is_time: bool = False) -> Floats | None:
    """Convert a column to floats, missing values to NaN.

    Parameters
    ----------
    array
        Shape (n_rows,).
    is_time
        Whether the column is expected to hold points in time.

    Returns
    -------
    Floats or None
        Shape (n_rows,); None where the column must be looked at value by value.
    """
    kind = array.dtype.kind
    if kind == "M":
        return as_seconds(array) if is_time else None
    if is_time:
        return None
    if kind == "m":
        return as_seconds(array)
    return array.astype(np.float64, copy=False) if kind in "fiub" else None


def count_array(bins: Bins, array: Array) -> Counts:
    """Count the rows of a column in bins; never raises.

    Parameters
    ----------
    bins
        The feature's bins.
    array
        Shape (n_rows,), of any dtype.

    Returns
    -------
    Counts
        Shape (n_bins,), zeros for an empty column.
    """
    if isinstance(bins, CategoricalBins):
        if array.dtype.kind in "mM":  # a list of them may be one of integers
            return count_each(bins, array)
        if array.dtype.kind in "iub" and len(array) > _FEW:
            values, rows = np.unique(array, return_counts=True)
            return count_tally(bins, zip(values.tolist(), rows.tolist(), strict=True))
        if array.dtype == object and len(array) > _MANY:
            return _count_objects(bins, array)
        return bins.count(array.tolist())
    floats = as_floats(array, is_time=bins.is_time)
    return count_each(bins, array) if floats is None else bins.count(floats)


def _count_objects(bins: CategoricalBins, array: Array) -> Counts:
    """Count a column in which few objects come again and again: a frame keeps one per text."""
    known = {id(value): value for value in array[:_HEAD].tolist()}
    if len(known) > _MOST:
        return bins.count(array.tolist())
    # Where the objects are, as numbers: these are compared, and objects never made of them.
    places = np.ndarray(array.shape, np.intp, buffer=np.ascontiguousarray(array))
    rows = dict.fromkeys(known, 0)
    counts = np.zeros(len(bins.bins), dtype=np.int64)
    for start in range(0, len(array), _BLOCK):
        block = places[start : start + _BLOCK]
        is_new = np.ones(len(block), dtype=bool)
        differs = np.empty(len(block), dtype=bool)
        for place in known:
            np.not_equal(block, place, out=differs)
            rows[place] += len(block) - int(np.count_nonzero(differs))
            np.logical_and(is_new, differs, out=is_new)
        if is_new.any():
            counts += bins.count(array[start : start + _BLOCK][is_new].tolist())
    return counts + count_tally(bins, ((known[place], n) for place, n in rows.items()))


class _Memo(dict[Any, int]):
    """Bin numbers of values met before."""

    def __init__(self, bins: Bins) -> None:
        super().__init__()
        self.bins = bins

    def __missing__(self, value: object) -> int:
        place = self[value] = self.bins.index(value)
        return place


def place_array(bins: Bins, array: Array) -> NDArray[np.intp]:
    """Return the bin number of every row of a column of hashable values, shape (n_rows,)."""
    if isinstance(bins, NumericBins):
        floats = as_floats(array, is_time=bins.is_time)
        if floats is not None:
            return bins.place(floats)
    # A list of times may be one of integers.
    return _places(_Memo(bins), array if array.dtype.kind in "mM" else array.tolist())


def _places(memo: _Memo, values: Iterable[object]) -> NDArray[np.intp]:
    return np.asarray([memo[value] for value in values], dtype=np.intp)
