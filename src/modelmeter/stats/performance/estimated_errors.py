"""Performance of a regression before labels arrive, from the errors that its bins had.

What `modelmeter.stats.performance.estimated` is for a classifier: live rows per prediction
bin times the errors to be expected there. It sees production move to predictions that
are harder; it knows nothing of the features beyond the prediction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from modelmeter.stats.performance.calibration import PRIOR_ROWS
from modelmeter.stats.performance.expected import (
    EstimatedPerformance,
    Figure,
    Side,
    figure_of,
    gathered,
)
from modelmeter.stats.performance.sampling import Floats, as_floats, divide


def expected_errors(sums: ArrayLike) -> Floats:
    """Return the mean of each error's power by prediction bin.

    Parameters
    ----------
    sums
        Out-of-sample sums by prediction bin, shape (n_bins, 5), as in `ERROR_SUMS`.

    Returns
    -------
    Floats
        Shape (n_bins, 4): over, under, squared, fourth. Blended with `PRIOR_ROWS` rows of
        the mean over all bins; NaN without any rows.
    """
    table = as_floats(sums)
    rows, powers = table[:, 0], table[:, 1:]
    overall = divide(powers.sum(axis=0), rows.sum())
    return np.asarray(
        (powers + PRIOR_ROWS * overall) / (rows + PRIOR_ROWS)[:, None], dtype=np.float64
    )


def estimate_regression(counts: ArrayLike, sums: ArrayLike) -> EstimatedPerformance:
    """Estimate a regression's performance.

    Parameters
    ----------
    counts
        Live rows by prediction bin, shape (..., n_bins).
    sums
        Out-of-sample sums by prediction bin, shape (n_bins, 5), as in `ERROR_SUMS`.

    Returns
    -------
    EstimatedPerformance
        ``mae``, ``rmse`` and ``bias``.

    References
    ----------
    NannyML's documentation of direct loss estimation, which learns the expected loss from
    all features; here it is a constant by prediction bin.

    Examples
    --------
    >>> sums = [[1000, 500, 500, 1500, 6000], [1000, 1000, 1000, 6000, 90000]]
    >>> found = estimate_regression([50, 150], sums)
    >>> round(float(found.metrics["mae"].value), 2), round(float(found.change["mae"].value), 2)
    (1.75, 0.25)
    """
    over, under, squared, fourth = np.moveaxis(expected_errors(sums), -1, 0)
    live, own = as_floats(counts), as_floats(sums)[:, 0]
    moments = {
        "mae": (over + under, squared),
        "rmse": (squared, fourth),
        "bias": (over - under, squared),
    }
    figures = {
        name: [_figure(live, own, mean, square, root=name == "rmse")]
        for name, (mean, square) in moments.items()
    }
    return gathered(live, None, figures)


def _figure(live: Floats, own: Floats, mean: Floats, square: Floats, *, root: bool) -> Figure:
    """Return a mean over rows, or its root, from the mean and mean square by bin."""
    variance = np.maximum(square - mean**2, 0)
    (here, scale), (there, own_scale) = (
        _side(rows, mean, variance, root=root) for rows in (live, own)
    )
    moved = live * scale - own * own_scale
    return figure_of(here, there, moved=moved**2 * variance, weight=own + PRIOR_ROWS)


def _side(rows: Floats, mean: Floats, variance: Floats, *, root: bool) -> tuple[Side, Floats]:
    """Return the figure over some rows, and by how much a row's own error moves it."""
    total = rows.sum(axis=-1)
    value = divide((rows * mean).sum(axis=-1), total)
    centred = mean - value[..., None]
    scale = divide(1, total)
    if root:
        value = np.sqrt(value)
        # A root has no slope at 0, where nothing varies.
        scale = scale / np.where(value > 0, 2 * value, 1)
    each = scale[..., None]
    return Side(value, rows, each * centred, each**2 * variance), each
