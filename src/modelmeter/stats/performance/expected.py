"""What estimates before labels have in common: a figure and three kinds of error.

By the law of total variance, rows that were drawn at random vary in which bins they fall
into (sampling) and in how they turn out within a bin (labels); and what is expected of a
bin was itself learnt from a limited number of rows (calibration).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from modelmeter.stats.performance.sampling import Estimate, Floats, divide

LIVE_PSEUDO_ROWS = 2
"""Rows placed as the calibration's that the sampling error of a small window counts in."""


@dataclass(frozen=True, slots=True)
class EstimatedPerformance:
    """What is to be expected without labels; NaN throughout without rows.

    Parameters
    ----------
    rows
        Rows predicted, labelled or not, shape (...).
    confusion
        Expected rows by outcome (down) and prediction (across), shape
        (..., n_classes, n_classes); None for a regression.
    metrics
        Each figure by name. Its error says how far the figure of endless such traffic may
        lie: these rows are a sample, and so were those of the calibration.
    change
        Each figure less the same estimate over the calibration's own rows. Both share the
        calibration, whose error so nearly cancels out: value / error is the z that tells
        whether traffic has moved to where the model is worse.
    label_error
        Standard error by which the realised figure over these same rows may differ, once
        all their labels are there. A difference of several times as much is concept drift.
    """

    rows: Floats
    confusion: Floats | None
    metrics: Mapping[str, Estimate]
    change: Mapping[str, Estimate]
    label_error: Mapping[str, Floats]


class Side(NamedTuple):
    """A figure over some rows.

    Parameters
    ----------
    value
        Shape (...).
    rows
        By bin, shape (..., n_bins).
    slope, spread
        What a row of each bin adds to the figure on average, and the variance of that over
        outcomes, shape (..., n_bins).
    """

    value: Floats
    rows: Floats
    slope: Floats
    spread: Floats


class Figure(NamedTuple):
    """One figure of `EstimatedPerformance`."""

    metric: Estimate
    change: Estimate
    label_error: Floats


def figure_of(live: Side, own: Side, *, moved: Floats, weight: Floats) -> Figure:
    """Work out the errors of one figure.

    Parameters
    ----------
    live, own
        The figure over live rows, and over the calibration's own.
    moved
        Variance over outcomes of the difference, all rows of a bin together, between what
        live and own rows add; shape (..., n_bins).
    weight
        Rows that each bin's expectation is worth, shape (n_bins,).
    """
    own_shares = np.nan_to_num(divide(own.rows, own.rows.sum()))
    blended = live.rows + LIVE_PSEUDO_ROWS * own_shares
    sampling = _sampling(blended, live, weight) + _sampling(own.rows, own, weight)
    learnt = (live.rows**2 * live.spread / weight).sum(axis=-1)
    drawn = (blended * live.slope**2).sum(axis=-1)
    labels = (live.rows * live.spread).sum(axis=-1)
    unlike = (moved / weight).sum(axis=-1)
    return Figure(
        Estimate(live.value, np.sqrt(drawn + learnt)),
        Estimate(live.value - own.value, np.sqrt(sampling + unlike)),
        np.sqrt(labels + learnt),
    )


def _sampling(rows: Floats, side: Side, weight: Floats) -> Floats:
    """Return the variance from which bins rows fall into.

    Slopes differ between bins by the noise of the calibration too: that part is left out
    here, since what it does to a difference is in `moved`.
    """
    own = side.slope**2 - side.spread / weight
    return np.asarray(np.maximum((rows * own).sum(axis=-1), 0), dtype=np.float64)


def gathered(
    rows: Floats, confusion: Floats | None, figures: Mapping[str, list[Figure]]
) -> EstimatedPerformance:
    """Put figures together; those by class come as several of one name."""
    return EstimatedPerformance(
        rows=np.asarray(rows.sum(axis=-1), dtype=np.float64),
        confusion=confusion,
        metrics={name: _estimates([f.metric for f in parts]) for name, parts in figures.items()},
        change={name: _estimates([f.change for f in parts]) for name, parts in figures.items()},
        label_error={
            name: _side_by_side([f.label_error for f in parts]) for name, parts in figures.items()
        },
    )


def _estimates(parts: list[Estimate]) -> Estimate:
    return Estimate(
        _side_by_side([part.value for part in parts]), _side_by_side([part.error for part in parts])
    )


def _side_by_side(parts: list[Floats]) -> Floats:
    return parts[0] if len(parts) == 1 else np.stack(parts, axis=-1)
