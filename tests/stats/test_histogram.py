"""Quantiles of histograms: between the right bounds, and as Prometheus says them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelmeter.stats.histogram import bucket_quantile

BOUNDS = (0.1, 0.2, 0.5, 1.0)


def test_nothing_has_no_quantile():
    """Without observations there is no quantile."""
    assert math.isnan(bucket_quantile(0.5, [0, 0, 0, 0, 0], BOUNDS))


@pytest.mark.parametrize(
    ("quantile", "counts", "expected"),
    [
        (0.5, [0, 10, 0, 0, 0], 0.15),
        (0.5, [10, 0, 0, 10, 0], 0.1),
        (0.75, [10, 0, 0, 10, 0], 0.75),
        (1.0, [1, 1, 1, 1, 0], 1.0),
        (0.99, [1, 0, 0, 0, 99], 1.0),
    ],
)
def test_known_quantiles(quantile, counts, expected):
    """Linear within a bucket, the highest bound beyond; as PromQL computes them."""
    assert bucket_quantile(quantile, counts, BOUNDS) == pytest.approx(expected)


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_quantile_lies_in_the_bucket_of_the_true_one(values, quantile):
    """The bucket is that of the value which so many observations are at most."""
    counts = np.bincount(np.searchsorted(BOUNDS, values), minlength=5)
    rank = max(math.ceil(quantile * len(values) - 1e-9), 1)
    place = int(np.searchsorted(BOUNDS, sorted(values)[rank - 1]))
    low = (0.0, *BOUNDS)[place]
    found = bucket_quantile(quantile, counts, BOUNDS)
    assert low - 1e-9 <= found <= BOUNDS[place] + 1e-9
