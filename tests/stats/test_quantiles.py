"""Quantiles of values of which only the bins are known."""

from __future__ import annotations

import numpy as np
import pytest

from modelmeter.stats.edges import quantile_edges
from modelmeter.stats.quantiles import binned_live_quantiles

WANTED = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def binned(values, edges):
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


@pytest.fixture(scope="module")
def training():
    """Training values with a long tail, their edges and counts."""
    values = np.random.default_rng(0).lognormal(0, 1, 50_000)
    edges = np.asarray(quantile_edges(values, 10))
    return values, edges, binned(values, edges)


def test_training_itself_has_its_own_quantiles(training):
    """Counts like training's give training's quantiles, in the tail too."""
    values, edges, counts = training
    known = np.quantile(values, WANTED)
    found = binned_live_quantiles(WANTED, counts / 10, counts, edges, known)
    assert found == pytest.approx(known, rel=1e-3)


def test_shifted_values_are_found(training):
    """A shift is seen, to within a fraction of a bin."""
    values, edges, counts = training
    known = np.quantile(values, WANTED)
    live = values[:20_000] * 1.2
    found = binned_live_quantiles(WANTED, binned(live, edges), counts, edges, known)
    assert found[:-1] == pytest.approx(np.quantile(live, WANTED)[:-1], rel=0.15)
    assert (np.diff(found) >= 0).all()


def test_beyond_the_edges_nothing_is_known(training):
    """Of values out of range no quantile is made up; within range the others are there."""
    _, edges, counts = training
    known = np.asarray(WANTED)
    live = np.zeros_like(counts)
    live[0], live[5], live[-1] = 40, 20, 40
    found = binned_live_quantiles(WANTED, live, counts, edges, known)
    assert np.isnan(found).tolist() == [True, True, True, False, True, True, True]
    assert edges[4] <= found[3] <= edges[5]


def test_no_rows_have_no_quantiles(training):
    """Without rows on either side all are unknown."""
    _, edges, counts = training
    for pair in ((counts * 0, counts), (counts, counts * 0)):
        assert np.isnan(binned_live_quantiles(WANTED, *pair, edges, WANTED)).all()
