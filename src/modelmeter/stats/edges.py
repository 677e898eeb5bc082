"""Where the edges of numeric bins lie."""

from __future__ import annotations

import math

import numpy as np

from modelmeter.stats.bins import Floats


def quantile_edges(values: Floats, bins: int) -> tuple[float, ...]:
    """Choose the edges of about `bins` intervals that hold equal shares of the values.

    A value that alone holds more than one bin's share (an atom, such as the zeros of an
    amount) gets a bin of its own; a column with at most `bins` different values gets one
    bin for each. Edges are values of the column, so that they read well and fit integers.

    Parameters
    ----------
    values
        Shape (n_rows,), finite, in any order.
    bins
        Number of intervals aimed at, at least 2.

    Returns
    -------
    tuple of float
        Strictly increasing; the last is the next float above the maximum. Empty for no
        values.
    """
    if not len(values):
        return ()
    distinct, rows = np.unique(values, return_counts=True)
    end = math.nextafter(float(distinct[-1]), math.inf)
    if len(distinct) <= bins:
        return (*map(float, distinct), end)
    is_atom = rows > len(values) / bins
    starts = {float(distinct[0])}
    # The first value after an atom starts a bin, so that the atom's bin holds nothing else.
    after = np.flatnonzero(is_atom) + 1
    starts.update(map(float, distinct[is_atom]))
    starts.update(map(float, distinct[after[after < len(distinct)]]))
    rest, rest_rows = distinct[~is_atom], rows[~is_atom]
    wanted = bins - int(is_atom.sum())
    cumulative = np.cumsum(rest_rows)
    targets = cumulative[-1] * np.arange(1, wanted) / wanted
    starts.update(map(float, rest[cumulative.searchsorted(targets, side="right")]))
    return (*sorted(starts), end)


def score_edges(threshold: float | None, bins: int) -> tuple[float, ...]:
    """Return equal-width edges over [0, 1] of which the decision threshold is one.

    Parameters
    ----------
    threshold
        Smallest score that means the positive class, or None.
    bins
        Number of equal-width bins.
    """
    edges = {round(i / bins, 12) for i in range(bins)}
    if threshold is not None and 0 < threshold < 1:
        # A threshold that is an edge but for the last bit replaces that edge.
        edges = {edge for edge in edges if not math.isclose(edge, threshold, rel_tol=1e-9)}
        edges.add(threshold)
    return (*sorted(edges), math.nextafter(1.0, math.inf))
