"""Performance of a classifier before labels arrive, from what its scores promise.

Out of sample, training showed how likely each outcome is in each bin. Production rows per
bin times these probabilities are the confusion matrix to be expected, and every figure
follows from it. This is confidence-based performance estimation (CBPE) with calibration by
bin.

It holds as long as P(outcome | bin) is what it was: it sees production move to bins where
the model is less sure. It cannot see concept drift, a changed relation between features
and outcome at equal scores: only labels can. Rows of one bin count as alike, so a shift
within wide bins is missed too.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from modelmeter.stats.performance import binary, multiclass
from modelmeter.stats.performance.calibration import PRIOR_ROWS, OutcomeRatios
from modelmeter.stats.performance.expected import (
    EstimatedPerformance,
    Figure,
    Side,
    figure_of,
    gathered,
)
from modelmeter.stats.performance.sampling import Floats, Linear, as_floats


def estimate_binary(
    counts: ArrayLike,
    calibration: OutcomeRatios,
    *,
    positive: ArrayLike,
    scores: ArrayLike | None = None,
) -> EstimatedPerformance:
    """Estimate a binary classifier's performance.

    Parameters
    ----------
    counts
        Live rows by score bin, shape (..., n_bins).
    calibration
        Probability of either outcome by score bin, of shape (n_bins, 2), from
        `binary_ratios`.
    positive, scores
        As in `binary_performance`.

    Returns
    -------
    EstimatedPerformance
        With the figures of `BinaryPerformance` but for the calibration error, which is
        taken to be as it was.

    References
    ----------
    J. Białek et al., "Estimating model performance under covariate shift without labels"
    (2024), and NannyML's documentation of CBPE. The errors: A. DasGupta, "Asymptotic
    Theory of Statistics and Probability" (2008), ch. 3, by the law of total variance.

    Examples
    --------
    >>> from modelmeter.stats.performance.calibration import binary_ratios
    >>> promised = binary_ratios([[8000, 2000], [2000, 8000]], [0.2, 0.8])
    >>> found = estimate_binary([100, 100], promised, positive=[False, True])
    >>> round(float(found.metrics["accuracy"].value), 3)
    0.8
    """
    side = np.asarray(positive, dtype=bool)
    points = None if scores is None else as_floats(scores)

    def figures(expected: Floats) -> Iterable[tuple[str, Linear]]:
        found = binary.linearised(expected, side, points)
        return [(name, found[name]) for name in found if not name.startswith("ece")]

    expected, own = _expected(counts, calibration)
    said = np.stack([~side, side], axis=-1).astype(np.float64)
    return _estimated(
        as_floats(counts),
        calibration,
        np.einsum("...bk,bj->...kj", expected, said),
        zip(figures(expected), figures(own), strict=True),
    )


def estimate_multiclass(counts: ArrayLike, calibration: OutcomeRatios) -> EstimatedPerformance:
    """Estimate a classifier's performance.

    Parameters
    ----------
    counts
        Live rows by predicted class and confidence bin, shape (..., n_classes, n_bins).
    calibration
        Probability of every class by predicted class and confidence bin, of shape
        (n_classes, n_bins, n_classes), from `multiclass_ratios`.

    Returns
    -------
    EstimatedPerformance
        With the figures of `MulticlassPerformance`; those by class are of shape
        (..., n_classes).

    References
    ----------
    See `estimate_binary`.
    """
    ratios = calibration.ratios
    classes, bins, _ = ratios.shape
    rows = as_floats(counts)

    def figures(cells: Floats) -> Iterable[tuple[str, Linear]]:
        table = cells.reshape(*cells.shape[:-2], classes, bins, classes)
        for name, found in multiclass.linearised(np.swapaxes(table.sum(axis=-2), -1, -2)):
            by_cell = np.repeat(np.swapaxes(found.gradient, -1, -2), bins, axis=-2)
            yield name, Linear(found.value, by_cell)

    flat = OutcomeRatios(ratios.reshape(-1, classes), calibration.rows.ravel())
    live = rows.reshape(*rows.shape[:-2], -1)
    expected, own = _expected(live, flat)
    by_class = expected.reshape(*live.shape[:-1], classes, bins, classes).sum(axis=-2)
    return _estimated(
        live,
        flat,
        np.swapaxes(by_class, -1, -2),
        zip(figures(expected), figures(own), strict=True),
    )


def _expected(counts: ArrayLike, calibration: OutcomeRatios) -> tuple[Floats, Floats]:
    """Return the expected rows by bin and outcome, live and of the calibration itself."""
    rows = as_floats(counts)
    return (
        np.asarray(rows[..., None] * calibration.ratios, dtype=np.float64),
        np.asarray(calibration.rows[:, None] * calibration.ratios, dtype=np.float64),
    )


def _estimated(
    rows: Floats,
    calibration: OutcomeRatios,
    confusion: Floats,
    figures: Iterable[tuple[tuple[str, Linear], tuple[str, Linear]]],
) -> EstimatedPerformance:
    ratios, own_rows = calibration
    found: dict[str, list[Figure]] = {}
    for (name, live), (_, own) in figures:
        moved = rows[..., None] * live.gradient - own_rows[:, None] * own.gradient
        figure = figure_of(
            _side(live, rows, ratios),
            _side(own, own_rows, ratios),
            moved=_variance(moved, ratios),
            weight=own_rows + PRIOR_ROWS + 1,
        )
        found.setdefault(name, []).append(figure)
    return gathered(rows, confusion, found)


def _side(figure: Linear, rows: Floats, ratios: Floats) -> Side:
    mean = (ratios * figure.gradient).sum(axis=-1)
    return Side(figure.value, rows, mean, _variance(figure.gradient, ratios))


def _variance(values: Floats, shares: Floats) -> Floats:
    """Return the variance over outcomes, the last axis."""
    mean = (values * shares).sum(axis=-1)
    variance = np.maximum((values**2 * shares).sum(axis=-1) - mean**2, 0)
    return np.asarray(variance, dtype=np.float64)
