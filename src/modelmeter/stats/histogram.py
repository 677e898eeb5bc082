"""Quantiles of a histogram whose buckets are fixed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def bucket_quantile(quantile: float, counts: ArrayLike, bounds: Sequence[float]) -> float:
    """Read a quantile off the buckets, as PromQL's ``histogram_quantile`` does.

    Parameters
    ----------
    quantile
        From 0 to 1.
    counts
        Observations by bucket, not cumulative, shape (len(bounds) + 1,): the last above all
        bounds.
    bounds
        Upper bounds of the buckets, increasing and above 0.

    Returns
    -------
    float
        Values are taken as evenly spread within a bucket; the highest bound where the quantile
        lies above it; NaN without observations.

    Examples
    --------
    >>> bucket_quantile(0.5, [10, 10, 0], [0.1, 0.2])
    0.1
    """
    rows = np.asarray(counts, dtype=np.float64)
    total = float(rows.sum())
    if not total > 0:
        return math.nan
    cumulative = np.concatenate(([0.0], np.cumsum(rows)))
    rank = quantile * total
    place = int(np.searchsorted(cumulative[1:], rank, side="left"))
    if place >= len(bounds):
        return float(bounds[-1])
    low = bounds[place - 1] if place else 0.0
    inside = (rank - cumulative[place]) / rows[place] if rows[place] > 0 else 1.0
    return float(low + (bounds[place] - low) * inside)
