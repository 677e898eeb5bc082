"""Quantiles of values of which only the bins are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def binned_live_quantiles(
    wanted: Sequence[float],
    counts: ArrayLike,
    reference: ArrayLike,
    edges: ArrayLike,
    known: ArrayLike,
) -> Floats:
    """Read quantiles off counts, taking values to lie within a bin as training's do.

    Evenly spread within a bin would put the 95th percentile half-way between the last edge and
    the maximum: far too high where the last bin is a long tail.

    Parameters
    ----------
    wanted
        Which quantiles, increasing, shape (n_quantiles,).
    counts, reference
        Live and training rows by ordered bin: below the edges, between them, above; shape
        (n_edges + 1,).
    edges
        Increasing, shape (n_edges,).
    known
        Training's quantiles at `wanted`, shape (n_quantiles,).

    Returns
    -------
    Floats
        Shape (n_quantiles,); NaN beyond the edges, of which nothing is known, and without
        rows.

    Examples
    --------
    >>> binned_live_quantiles([0.5], [0, 10, 30, 0], [0, 50, 50, 0], [0, 1, 9], [1.0]).round(2)
    array([3.67])
    """
    live, training = (np.asarray(rows, dtype=np.float64) for rows in (counts, reference))
    points, values = np.asarray(edges, dtype=np.float64), np.asarray(known, dtype=np.float64)
    if not live.sum() or not training.sum():
        return np.full(len(wanted), np.nan)
    at_edges, normal = (np.cumsum(rows)[:-1] / rows.sum() for rows in (live, training))
    # The training rows' own quantiles tell how values lie within a bin.
    shares = np.concatenate((normal, wanted))
    order = np.lexsort((np.concatenate((points, values)), shares))
    knots = np.maximum.accumulate(np.concatenate((points, values))[order])
    bins = np.clip(np.searchsorted(at_edges, wanted, side="left"), 1, len(points) - 1)
    width = at_edges[bins] - at_edges[bins - 1]
    within = (np.asarray(wanted) - at_edges[bins - 1]) / np.where(width > 0, width, 1)
    there = normal[bins - 1] + np.clip(within, 0, 1) * (normal[bins] - normal[bins - 1])
    found = np.clip(np.interp(there, shares[order], knots), points[bins - 1], points[bins])
    # Training may have nothing there that could tell how: evenly.
    even = points[bins - 1] + np.clip(within, 0, 1) * (points[bins] - points[bins - 1])
    found = np.where(normal[bins] > normal[bins - 1], found, even)
    inside = (np.asarray(wanted) >= at_edges[0]) & (np.asarray(wanted) <= at_edges[-1])
    return np.where(inside, found, np.nan)
