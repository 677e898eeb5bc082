"""Performance of a regression from sums that add up and never fall.

An error is ``y_pred - y_true``. A sum that errors of either sign would move up and down is
kept as two, one by sign, so that each can be a Prometheus counter. Fourth powers are there
for the standard errors of RMSE and R2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelmeter.stats.performance.sampling import Estimate, Floats, as_floats, divide

METRICS = ("mae", "rmse", "bias", "r2")
"""Every figure of a regression."""

ERROR_SUMS = ("rows", "over", "under", "squared", "fourth")
"""Sums over labelled rows: their number, the errors above and below 0 (as positive
numbers), and the second and fourth powers of all errors."""

TARGET_SUMS = (
    "above",
    "below",
    "squared",
    "cubed_above",
    "cubed_below",
    "fourth",
    "weighted_above",
    "weighted_below",
    "weighted_squared",
)
"""Sums of powers of ``y_true - center``, by sign where they are odd; `weighted` by the
squared error. R2 takes the first three, its standard error all of them."""


@dataclass(frozen=True, slots=True)
class RegressionPerformance:
    """What sums of errors say, each figure with its standard error.

    Parameters
    ----------
    rows
        Labelled rows, shape (...).
    mae, rmse
        Mean absolute error and root of the mean squared error; NaN without rows.
    bias
        Mean error, positive where predictions are too high; NaN without rows.
    r2
        Share of the target's variance that is explained; NaN without `TARGET_SUMS` and
        where the target does not vary.
    """

    rows: Floats
    mae: Estimate
    rmse: Estimate
    bias: Estimate
    r2: Estimate

    @property
    def metrics(self) -> Mapping[str, Estimate]:
        """Every figure by name, in the order of `METRICS`."""
        return {name: getattr(self, name) for name in METRICS}


def error_sums(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    places: NDArray[np.intp] | None = None,
    bins: int = 1,
) -> Floats:
    """Add up errors.

    Parameters
    ----------
    y_true, y_pred
        Shape (n_rows,), finite.
    places
        Bin of every row's prediction, shape (n_rows,), from 0 to `bins` - 1. All rows in
        one bin by default.
    bins
        Number of prediction bins.

    Returns
    -------
    Floats
        Shape (bins, 5), as in `ERROR_SUMS`; zeros for no rows.

    Examples
    --------
    >>> error_sums([1, 2, 3], [1, 4, 2]).tolist()
    [[3.0, 2.0, 1.0, 5.0, 17.0]]
    """
    error = as_floats(y_pred) - as_floats(y_true)
    which = np.zeros(len(error), dtype=np.intp) if places is None else places
    powers = np.ones_like(error), np.maximum(error, 0), np.maximum(-error, 0), error**2, error**4
    columns = [np.bincount(which, weights=power, minlength=bins) for power in powers]
    return np.stack(columns, axis=-1)


def target_sums(y_true: ArrayLike, y_pred: ArrayLike, *, center: float) -> Floats:
    """Add up powers of the target.

    Parameters
    ----------
    y_true, y_pred
        Shape (n_rows,), finite.
    center
        Any number near the target's mean, so that no digits are lost; the same for all
        sums that are to be added up.

    Returns
    -------
    Floats
        Shape (9,), as in `TARGET_SUMS`; zeros for no rows.
    """
    z = as_floats(y_true) - center
    weight = (as_floats(y_pred) - as_floats(y_true)) ** 2
    up, down = np.maximum(z, 0), np.maximum(-z, 0)
    powers = up, down, z**2, up**3, down**3, z**4, weight * up, weight * down, weight * z**2
    return np.asarray([power.sum() for power in powers], dtype=np.float64)


def regression_performance(
    errors: ArrayLike, targets: ArrayLike | None = None
) -> RegressionPerformance:
    """Compute every figure that follows from sums of errors.

    Parameters
    ----------
    errors
        Shape (..., 5), as in `ERROR_SUMS`: one of the leading axes may be the prediction
        bins.
    targets
        Shape (..., 9), as in `TARGET_SUMS`, over the same rows.

    Returns
    -------
    RegressionPerformance
        Standard errors are those of means for MAE and bias, and follow by the delta method
        for RMSE and R2: no distribution of errors is assumed. NaN below two rows; below
        some 30, or with a few errors far above all others, they are rough themselves.

    References
    ----------
    G. W. Oehlert, "A note on the delta method", The American Statistician 46 (1992).

    Examples
    --------
    >>> y_true, y_pred = [1.0, 2.0, 3.0, 4.0], [1.0, 4.0, 2.0, 4.0]
    >>> sums = error_sums(y_true, y_pred)[0], target_sums(y_true, y_pred, center=2.5)
    >>> found = regression_performance(*sums)
    >>> float(found.mae.value), float(found.bias.value), float(found.r2.value)
    (0.75, 0.25, 0.0)
    """
    sums = as_floats(errors)
    rows, over, under, squared, fourth = (sums[..., i] for i in range(len(ERROR_SUMS)))
    mae, bias, square = (divide(s, rows) for s in (over + under, over - under, squared))
    rmse = np.sqrt(square)
    square_error = _error_of_mean(square, divide(fourth, rows), rows)
    # All errors 0: the root has no slope there, and nothing varies.
    slope = np.where(rmse > 0, 2 * rmse, 1)
    return RegressionPerformance(
        rows=rows,
        mae=Estimate(mae, _error_of_mean(mae, square, rows)),
        rmse=Estimate(rmse, square_error / slope),
        bias=Estimate(bias, _error_of_mean(bias, square, rows)),
        r2=_r2(rows, squared, fourth, targets),
    )


def _error_of_mean(mean: Floats, square: Floats, rows: Floats) -> Floats:
    """Return the standard error of a mean, given the mean of squares."""
    return np.sqrt(divide(np.maximum(square - mean**2, 0), rows - 1))


def _r2(rows: Floats, squared: Floats, fourth: Floats, targets: ArrayLike | None) -> Estimate:
    if targets is None:
        return Estimate(np.full(rows.shape, np.nan), np.full(rows.shape, np.nan))
    sums = as_floats(targets)
    up, down, z2, up3, down3, z4, w_up, w_down, wz2 = (
        sums[..., i] for i in range(len(TARGET_SUMS))
    )
    z1, z3, wz = up - down, up3 - down3, w_up - w_down
    mean = divide(z1, rows)
    total = z2 - z1 * mean
    total = np.where(total > 1e-12 * z2, total, np.nan)
    unexplained = squared / total
    # Moments about the mean of these rows, from those about the center.
    fourth_moment = z4 - 4 * mean * z3 + 6 * mean**2 * z2 - 4 * mean**3 * z1 + rows * mean**4
    weighted = wz2 - 2 * mean * wz + mean**2 * squared
    spread = fourth - 2 * unexplained * weighted + unexplained**2 * fourth_moment
    error = np.sqrt(np.maximum(spread, 0) * divide(rows, rows - 1)) / total
    return Estimate(1 - unexplained, error)
