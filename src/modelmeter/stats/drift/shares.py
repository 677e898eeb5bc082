"""Shares of rows by bin, smoothed so that no statistic is ever infinite."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelmeter.stats.values import Floats

REFERENCE_PSEUDO_ROWS: Final = 0.5
"""Rows added to every training bin: Jeffreys' prior for the shares of a multinomial."""

PSEUDO_ROWS: Final = 5
"""Live rows, placed as the training rows are, that small windows are blended with."""


def reference_shares(reference: ArrayLike) -> Floats:
    """Return the smoothed share of training rows per bin.

    Parameters
    ----------
    reference
        Training rows per bin, shape (..., n_bins).

    Returns
    -------
    Floats
        Shape (..., n_bins), positive, summing to 1; NaN without training rows.
    """
    rows = as_rows(reference)
    total = _total(rows)
    smoothed = rows + REFERENCE_PSEUDO_ROWS
    whole = np.where(total > 0, smoothed.sum(axis=-1, keepdims=True), np.nan)
    return np.asarray(smoothed / whole, dtype=np.float64)


def live_shares(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Return the smoothed share of live rows per bin.

    Parameters
    ----------
    counts
        Live rows per bin, shape (..., n_bins); need not be whole numbers.
    reference
        Training rows per bin, shape (..., n_bins).

    Returns
    -------
    Floats
        Shape (..., n_bins), positive, summing to 1; NaN without rows on either side.
    """
    rows = as_rows(counts)
    total = _total(rows)
    shares = reference_shares(reference)
    whole = np.where(total > 0, total, np.nan) + PSEUDO_ROWS
    return np.asarray((rows + PSEUDO_ROWS * shares) / whole, dtype=np.float64)


def both_shares(counts: ArrayLike, reference: ArrayLike) -> tuple[Floats, Floats]:
    """Return `live_shares` and `reference_shares`."""
    return live_shares(counts, reference), reference_shares(reference)


def as_rows(values: ArrayLike) -> Floats:
    """Return rows per bin as floats."""
    return np.asarray(values, dtype=np.float64)


def over_bins(terms: NDArray[Any]) -> Floats:
    """Return the sum over the last axis."""
    return np.asarray(terms.sum(axis=-1), dtype=np.float64)


def comparable(live: Floats, training: Floats) -> NDArray[np.bool_]:
    """Tell where there are rows on both sides, shape (...)."""
    return np.asarray((live.sum(axis=-1) > 0) & (training.sum(axis=-1) > 0))


def _total(rows: Floats) -> Floats:
    return np.asarray(rows.sum(axis=-1, keepdims=True), dtype=np.float64)
