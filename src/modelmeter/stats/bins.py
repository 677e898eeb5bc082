"""Bins: from a value to the number of its bin, for one value and for a column.

A feature's bins are fixed when the profile is built. Numeric bins are half-open intervals
between edges, with a bin `below` and a bin `above` the training range; categorical bins
are the frequent training values, `other` for the rest of the training values and `unseen`
for values that training never had. Both end in `missing` and `invalid`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmeter.stats.labels import category_labels, hash_category, interval_labels
from modelmeter.stats.values import NUMBERS, Floats, as_number, epoch_seconds, is_missing

__all__ = [
    "MAX_INTERVALS",
    "Bin",
    "Bins",
    "CategoricalBins",
    "Counts",
    "Floats",
    "NumericBins",
    "ValueType",
    "count_each",
    "count_tally",
    "epoch_seconds",
    "is_missing",
]

Counts = NDArray[np.int64]
ValueType = Literal["str", "int", "float", "bool"]

MAX_INTERVALS = 98
"""Positions have two digits (`below` is 00), so that Prometheus can sort and cut them."""

# Up to which length searching, and sorting, is faster than comparing with every edge; and
# what a comparison works on at a time: 256 kB, which stay in the cache of a core.
_FEW = 1_024
_SMALL = 4_096
_BLOCK = 32_768


class Bin(NamedTuple):
    """One bin as metric labels: its kind, its position if it has one, and its name."""

    kind: str
    ord: str
    label: str


@dataclass(frozen=True)
class NumericBins:
    """Half-open intervals ``[edge, next edge)`` with `below`, `above`, `missing`, `invalid`.

    Parameters
    ----------
    edges
        Strictly increasing; the last is the smallest float above the training maximum, so
        that the maximum itself falls in the last interval. Empty when training had no
        value: then every value, of whatever type, is `unseen`.
    is_time
        Whether values are points in time (edges are seconds since 1970).
    """

    edges: tuple[float, ...]
    is_time: bool = False

    @cached_property
    def bins(self) -> tuple[Bin, ...]:
        """Every bin in the order of the counts: below, intervals, above, missing, invalid."""
        tail = (Bin("missing", "", "missing"), Bin("invalid", "", "invalid"))
        if not self.edges:
            return (Bin("unseen", "", "unseen"), *tail)
        labels = interval_labels(self.edges, is_time=self.is_time)
        middle = (Bin("interval", f"{i:02d}", label) for i, label in enumerate(labels, 1))
        last = f"{len(self.edges):02d}"
        return (Bin("below", "00", "below"), *middle, Bin("above", last, "above"), *tail)

    @cached_property
    def edge_array(self) -> Floats:
        """The edges as an array."""
        return np.asarray(self.edges, dtype=np.float64)

    @cached_property
    def _edges_and_nan(self) -> Floats:
        # NaN sorts last, and so falls into the bin after `above`: `missing`.
        return np.asarray([*self.edges, np.nan])

    @property
    def missing(self) -> int:
        """Number of the bin for missing values."""
        return len(self.edges) + 1

    @property
    def invalid(self) -> int:
        """Number of the bin for values of the wrong type."""
        return len(self.edges) + 2

    def index(self, value: object) -> int:
        """Return the number of the bin of one value; never raises."""
        if type(value) is np.float64 and not self.is_time:  # what a model answers with
            number = float(value)
            return bisect_right(self.edges, number) if number == number else self.missing
        try:
            if is_missing(value):
                return self.missing
            if not self.edges:
                return 0
            found = as_number(value, is_time=self.is_time)
        except Exception:  # noqa: BLE001 - a stranger's methods may raise anything
            return self.invalid
        return self.invalid if found is None else bisect_right(self.edges, found)

    def count(self, values: Floats) -> Counts:
        """Count a column of numbers, NaN meaning missing.

        Parameters
        ----------
        values
            Shape (n_rows,).

        Returns
        -------
        Counts
            Shape (n_bins,), zeros for an empty column.
        """
        under = self._under_sorted(values) if len(values) <= _SMALL else self._under(values)
        counts = np.zeros(len(self.bins), dtype=np.int64)
        counts[0] = under[0]
        np.subtract(under[1:], under[:-1], out=counts[1 : len(under)])
        counts[self.missing] = len(values) - under[-1]
        return counts

    def _under_sorted(self, values: Floats) -> NDArray[np.intp]:
        """Return how many values are under each edge, and how many are no NaN."""
        # Sorting a short column and searching the edges in it beats searching each value in
        # the edges by far: NumPy sorts without branches.
        return np.sort(values).searchsorted(self._edges_and_nan)

    def _under(self, values: Floats) -> NDArray[np.intp]:
        """Return the same, block by block while it is in the cache; NaN is under no edge."""
        under = np.zeros(len(self.edges) + 1, dtype=np.intp)
        is_under = np.empty(_BLOCK, dtype=bool)
        edges = [*self._edges_and_nan[:-1, np.newaxis]]
        for start in range(0, len(values), _BLOCK):
            block = np.ascontiguousarray(values[start : start + _BLOCK])
            out = is_under[: len(block)]
            for i, edge in enumerate(edges):
                under[i] += np.count_nonzero(np.less(block, edge, out=out))
            under[-1] += np.count_nonzero(np.equal(block, block, out=out))
        return under

    def place(self, values: Floats) -> NDArray[np.intp]:
        """Return the bin number of every value of a column, shape (n_rows,)."""
        if len(values) <= _FEW or self.missing > np.iinfo(np.uint8).max:
            return self._edges_and_nan.searchsorted(values, side="right")
        # How many edges each value reaches, edge by edge: many times as fast as a search,
        # which guesses wrong at every step.
        places = np.empty(len(values), dtype=np.intp)
        for start in range(0, len(values), _BLOCK):
            block = np.ascontiguousarray(values[start : start + _BLOCK])
            reached = np.zeros(len(block), dtype=np.uint8)
            is_reached = np.empty(len(block), dtype=bool)
            for edge in self._edges_and_nan[:-1, np.newaxis]:
                np.add(reached, np.greater_equal(block, edge, out=is_reached), out=reached)
            np.not_equal(block, block, out=is_reached)
            reached[is_reached] = self.missing
            places[start : start + len(block)] = reached
        return places


@dataclass(frozen=True)
class CategoricalBins:
    """Frequent training values, then `other`, `unseen`, `missing` and `invalid`.

    Parameters
    ----------
    categories
        Values that have a bin of their own.
    value_type
        The type of all values; a value of another type is `invalid`.
    known
        Hashes (`hash_category`) of the training values without a bin of their own: they
        are `other`, anything else is `unseen`.
    open_ended
        Whether training had too many values to remember: then every value without a bin
        is `other`.
    """

    categories: tuple[Any, ...]
    value_type: ValueType
    known: frozenset[str] = field(default=frozenset())
    open_ended: bool = False

    @cached_property
    def bins(self) -> tuple[Bin, ...]:
        """Every bin in the order of the counts."""
        return (
            *(Bin("category", "", label) for label in category_labels(self.categories)),
            Bin("other", "", "other"),
            Bin("unseen", "", "unseen"),
            Bin("missing", "", "missing"),
            Bin("invalid", "", "invalid"),
        )

    @cached_property
    def table(self) -> Mapping[Any, int]:
        """Bin number by category."""
        return {category: i for i, category in enumerate(self.categories)}

    @property
    def other(self) -> int:
        """Number of the bin for training values without a bin of their own."""
        return len(self.categories)

    @property
    def unseen(self) -> int:
        """Number of the bin for values that training never had."""
        return len(self.categories) + 1

    @property
    def missing(self) -> int:
        """Number of the bin for missing values."""
        return len(self.categories) + 2

    @property
    def invalid(self) -> int:
        """Number of the bin for values of the wrong type."""
        return len(self.categories) + 3

    def index(self, value: object) -> int:
        """Return the number of the bin of one value; never raises."""
        try:
            found = self.table.get(value)
            return self._outside(value) if found is None else found
        except Exception:  # noqa: BLE001 - unhashable, or a stranger's methods
            return self.missing if is_missing(value) else self.invalid

    def _outside(self, value: object) -> int:
        """Return the number of the bin of a value without a bin of its own."""
        if is_missing(value):
            return self.missing
        if not _is_a(value, self.value_type):
            return self.invalid
        if self.open_ended or hash_category(value) in self.known:
            return self.other
        return self.unseen

    def count(self, values: Iterable[object]) -> Counts:
        """Count a column of values, each looked up once however often it comes.

        Returns
        -------
        Counts
            Shape (n_bins,), zeros for an empty column.
        """
        try:
            tally: Mapping[object, int] = Counter(values)
        except Exception:  # noqa: BLE001 - unhashable cells: one by one
            return count_each(self, values)
        return count_tally(self, tally.items())


Bins = NumericBins | CategoricalBins


def count_tally(bins: Bins, tally: Iterable[tuple[object, int]]) -> Counts:
    """Count a column given as pairs of value and number of rows, shape (n_bins,)."""
    counts = [0] * len(bins.bins)
    for value, rows in tally:
        counts[bins.index(value)] += rows
    return np.asarray(counts, dtype=np.int64)


def count_each(bins: Bins, values: Iterable[object]) -> Counts:
    """Count a column of values of any types one by one, shape (n_bins,)."""
    counts = np.zeros(len(bins.bins), dtype=np.int64)
    for value in values:
        counts[bins.index(value)] += 1
    return counts


def _is_a(value: object, value_type: ValueType) -> bool:
    if value_type == "str":
        return isinstance(value, str)
    if value_type == "bool":
        return isinstance(value, (bool, np.bool_))
    if not isinstance(value, NUMBERS) or isinstance(value, np.timedelta64):
        return False
    return value_type == "float" or float(value).is_integer()
