"""Edges hold equal shares, give atoms a bin of their own, and survive any column."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelmeter.stats.bins import MAX_INTERVALS, NumericBins
from modelmeter.stats.edges import quantile_edges, score_edges

patient = settings(deadline=None, max_examples=150)


@patient
@given(
    st.lists(st.one_of(st.floats(-1e100, 1e100), st.integers(-3, 3).map(float)), min_size=1),
    st.integers(2, 40),
)
def test_any_column(values, bins):
    """Every value is inside the edges, edges rise strictly, and there are never too many."""
    edges = quantile_edges(np.asarray(values), bins)
    assert all(low < high for low, high in itertools.pairwise(edges))
    assert edges[0] == min(values)
    assert edges[-1] == math.nextafter(max(values), math.inf)
    assert len(edges) - 1 <= min(2 * bins, MAX_INTERVALS)
    assert set(edges[:-1]) <= set(values)
    counts = NumericBins(edges).count(np.asarray(values))
    assert counts[1 : len(edges)].sum() == len(values)
    assert (counts[1 : len(edges)] > 0).all()


@patient
@given(st.lists(st.integers(0, 30).map(float), min_size=1, max_size=300), st.integers(2, 12))
def test_atoms_have_a_bin_of_their_own(values, bins):
    """A value that holds more than one bin's share is alone in its bin."""
    column = np.asarray(values)
    edges = quantile_edges(column, bins)
    counts = NumericBins(edges).count(column)
    distinct, rows = np.unique(column, return_counts=True)
    for value, n in zip(distinct, rows, strict=True):
        if n > len(values) / bins:
            assert counts[NumericBins(edges).index(value)] == n


def test_equal_shares():
    """A column without repetitions is cut into equal shares."""
    values = np.random.default_rng(0).normal(size=10_000)
    counts = NumericBins(quantile_edges(values, 10)).count(values)
    assert counts[1:11].tolist() == [1_000] * 10


def test_few_distinct_values():
    """With no more different values than bins each has its own bin."""
    edges = quantile_edges(np.asarray([3.0, 1.0, 1.0, 7.0]), 10)
    assert edges == (1.0, 3.0, 7.0, math.nextafter(7.0, math.inf))


def test_zero_inflated():
    """The zeros of an amount are one bin, and the amounts share the others evenly."""
    amounts = np.random.default_rng(0).lognormal(size=4_000)
    values = np.concatenate((np.zeros(6_000), amounts))
    counts = NumericBins(quantile_edges(values, 10)).count(values)
    assert counts[1] == 6_000
    assert counts[2:-3].max() <= 4_000 / 9 + 1


def test_constant_and_empty():
    """A constant column is one interval, one without values none."""
    assert quantile_edges(np.full(5, 2.0), 10) == (2.0, math.nextafter(2.0, math.inf))
    assert quantile_edges(np.empty(0), 10) == ()


@pytest.mark.parametrize("bins", [2, 10, 20, 90])
@pytest.mark.parametrize("threshold", [None, 0.0, 1.0, 0.5, 0.37, math.nextafter(0.5, 1), 1e-300])
def test_score_edges(threshold, bins):
    """Equal-width bins cover [0, 1], and a threshold inside is an edge."""
    edges = score_edges(threshold, bins)
    assert edges[0] == 0.0
    assert edges[-1] == math.nextafter(1.0, math.inf)
    assert all(low < high for low, high in itertools.pairwise(edges))
    assert len(edges) - 1 <= bins + 1
    if threshold is not None and 0 < threshold < 1:
        assert threshold in edges
        side = NumericBins(edges)
        assert side.index(threshold) == side.index(math.nextafter(threshold, 0)) + 1
    assert len({b.label for b in NumericBins(edges).bins}) == len(edges) + 3


def test_threshold_replaces_a_neighbour():
    """A threshold one bit above an edge replaces it, so that no bin is empty by construction."""
    assert len(score_edges(math.nextafter(0.5, 1), 20)) == 21
    assert len(score_edges(0.52, 20)) == 22
