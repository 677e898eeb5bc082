"""Whether two samples over bins come from one distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from modelmeter.stats.drift.shares import as_rows, comparable, over_bins
from modelmeter.stats.values import Floats


def degrees_of_freedom(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Return the bins in use on either side, less one; at least 1.

    Returns
    -------
    Floats
        Shape (...); NaN without rows on either side.
    """
    live, training = as_rows(counts), as_rows(reference)
    used = np.count_nonzero((live + training) > 0, axis=-1)
    df = np.maximum(used - 1.0, 1.0)
    return np.asarray(np.where(comparable(live, training), df, np.nan), dtype=np.float64)


def g_test(counts: ArrayLike, reference: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Test whether live and training rows come from the same distribution.

    The two-sample likelihood-ratio test on the 2 x n_bins table of raw counts: training
    is a sample too, not the truth.

    Parameters
    ----------
    counts, reference
        Live and training rows per bin, shape (..., n_bins).

    Returns
    -------
    g : Floats
        The statistic, shape (...).
    df : Floats
        Degrees of freedom: bins in use less one, shape (...).
    z : Floats
        The same as a standard normal deviate by Wilson and Hilferty's approximation: an
        alarm threshold on z means the same for any number of bins. Shape (...).
        All three are NaN without rows on either side.

    References
    ----------
    S. S. Wilks, "The likelihood test of independence in contingency tables", Annals of
    Mathematical Statistics 6 (1935). E. B. Wilson and M. M. Hilferty, "The distribution of
    chi-square", Proceedings of the National Academy of Sciences 17 (1931).

    Examples
    --------
    >>> g, df, z = g_test([30, 70], [500, 500])
    >>> round(float(g), 2), float(df), round(float(z), 2)
    (15.0, 1.0, 3.58)
    """
    live, training = as_rows(counts), as_rows(reference)
    n, m = live.sum(axis=-1), training.sum(axis=-1)
    g = 2 * (
        over_bins(xlogx(live))
        + over_bins(xlogx(training))
        - over_bins(xlogx(live + training))
        - xlogx(n)
        - xlogx(m)
        + xlogx(n + m)
    )
    g = np.where(comparable(live, training), np.maximum(g, 0), np.nan)
    df = degrees_of_freedom(live, training)
    spread = 2 / (9 * df)
    return g, df, (np.cbrt(g / df) - 1 + spread) / np.sqrt(spread)


def xlogx(values: Floats) -> Floats:
    """Return v ln v, which is 0 at 0, the way PromQL can say it."""
    return np.asarray(values * np.log(np.maximum(values, 1e-300)), dtype=np.float64)
