"""How far two distributions over bins are apart that have an order."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from modelmeter.stats.drift.shares import both_shares, over_bins
from modelmeter.stats.values import Floats


def cdf_difference(
    counts: ArrayLike, reference: ArrayLike, *, ordered: ArrayLike | None = None
) -> Floats:
    """Compute live minus training cumulative share at the upper end of each ordered bin.

    Parameters
    ----------
    counts, reference
        Live and training rows per bin, shape (..., n_bins).
    ordered
        Which bins have an order, shape (n_bins,), booleans; shares are among those bins.
        All of them by default.

    Returns
    -------
    Floats
        Shape (..., n_ordered), the last one 0; NaN without rows on either side.
    """
    p, q = both_shares(counts, reference)
    chosen = slice(None) if ordered is None else np.asarray(ordered, dtype=bool)
    p, q = p[..., chosen], q[..., chosen]
    difference = p / p.sum(axis=-1, keepdims=True) - q / q.sum(axis=-1, keepdims=True)
    return np.asarray(np.cumsum(difference, axis=-1), dtype=np.float64)


def ks(counts: ArrayLike, reference: ArrayLike, *, ordered: ArrayLike | None = None) -> Floats:
    """Compute the Kolmogorov-Smirnov statistic over the ordered bins.

    Parameters
    ----------
    counts, reference
        Live and training rows per bin, shape (..., n_bins).
    ordered
        Which bins have an order, shape (n_bins,), booleans. All of them by default.

    Returns
    -------
    Floats
        Shape (...), from 0 to 1; NaN without rows on either side or without ordered bins.

    References
    ----------
    N. V. Smirnov, "Table for estimating the goodness of fit of empirical distributions",
    Annals of Mathematical Statistics 19 (1948). Binned, it is a lower bound of the
    statistic on the values.
    """
    difference = np.abs(cdf_difference(counts, reference, ordered=ordered))
    if not difference.shape[-1]:
        return np.full(difference.shape[:-1], np.nan)
    return np.asarray(difference.max(axis=-1), dtype=np.float64)


def wasserstein(
    counts: ArrayLike,
    reference: ArrayLike,
    gaps: ArrayLike,
    *,
    ordered: ArrayLike | None = None,
) -> Floats:
    """Compute the Wasserstein-1 (earth mover's) distance over the ordered bins.

    Parameters
    ----------
    counts, reference
        Live and training rows per bin, shape (..., n_bins).
    gaps
        Distance from each ordered bin's representative point to the next one's, shape
        (..., n_ordered), in standard deviations of training; the last has no effect.
    ordered
        Which bins have an order, shape (n_bins,), booleans. All of them by default.

    Returns
    -------
    Floats
        Shape (...), in the unit of `gaps`; NaN without rows on either side or without
        ordered bins.

    References
    ----------
    L. V. Kantorovich, "On the translocation of masses", Doklady Akademii Nauk SSSR 37
    (1942). S. S. Vallender, "Calculation of the Wasserstein distance between probability
    distributions on the line", Theory of Probability and its Applications 18 (1974).
    """
    difference = np.abs(cdf_difference(counts, reference, ordered=ordered))
    if not difference.shape[-1]:
        return np.full(difference.shape[:-1], np.nan)
    # Behind the last bin nothing is left to move, whatever rounding says.
    difference[..., -1] = 0
    return over_bins(difference * np.asarray(gaps, dtype=np.float64))
