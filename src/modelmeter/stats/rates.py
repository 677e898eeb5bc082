"""Data quality: shares of rows that are missing, unseen, invalid or out of range.

Each check adds up the rows of some bins and compares their share with training's. The
recording rules (`modelmeter.generate.rules`) compute the same in PromQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

CHECKS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "missing": ("missing",),
        "unseen": ("unseen",),
        "invalid": ("invalid",),
        "out_of_range": ("below", "above"),
    }
)
"""Kinds of bin that each data quality check adds up."""


@dataclass(frozen=True, slots=True)
class RateScore:
    """A share of live rows beside the same share in training, and the z of the difference."""

    rate: float
    reference_rate: float
    z: float


def rate(rows: ArrayLike, total: ArrayLike) -> Floats:
    """Return rows / total, NaN where the total is 0."""
    number, of = _rows(rows), _rows(total)
    return np.asarray(number / np.where(of > 0, of, np.nan), dtype=np.float64)


def rate_z(
    rows: ArrayLike, total: ArrayLike, reference_rows: ArrayLike, reference_total: ArrayLike
) -> Floats:
    """Test whether a share of rows differs between live and training.

    The signed root of the two-proportion likelihood ratio. The usual pooled z is useless
    where such checks live, at shares near 0: one unseen row among 20, against none among
    10,000, would be z = 18; here it is 3.5 (the chance is 0.002).

    Parameters
    ----------
    rows, total
        Live rows that the check counts, of how many; shape (...).
    reference_rows, reference_total
        The same in training.

    Returns
    -------
    Floats
        Shape (...), positive when the live share is higher; NaN without rows on either
        side.

    References
    ----------
    O. E. Barndorff-Nielsen, "Inference on full or partial parameters based on the
    standardized signed log likelihood ratio", Biometrika 73 (1986).
    """
    n, m = _rows(total), _rows(reference_total)
    a, b = rate(rows, n), rate(reference_rows, m)
    pooled = (a * n + b * m) / (n + m)
    g = 2 * (n * _binary_kl(a, pooled) + m * _binary_kl(b, pooled))
    return np.asarray(np.sign(a - b) * np.sqrt(np.maximum(g, 0)), dtype=np.float64)


def check_rates(
    counts: ArrayLike, reference: ArrayLike, *, kinds: Sequence[str]
) -> dict[str, RateScore]:
    """Compute the data quality checks of one feature, those that its bins allow.

    Parameters
    ----------
    counts, reference
        Live and training rows per bin, shape (n_bins,).
    kinds
        The kind of each bin, length n_bins.

    Returns
    -------
    dict of str to RateScore
        By check (`CHECKS`); a numeric feature, for one, has no `unseen`.
    """
    live, training = _rows(counts), _rows(reference)
    scores = {}
    for check, wanted in CHECKS.items():
        chosen = np.array([kind in wanted for kind in kinds], dtype=bool)
        if chosen.any():
            sides = live[chosen].sum(), live.sum(), training[chosen].sum(), training.sum()
            scores[check] = RateScore(
                float(rate(*sides[:2])), float(rate(*sides[2:])), float(rate_z(*sides))
            )
    return scores


def _rows(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _binary_kl(a: Floats, b: Floats) -> Floats:
    """Return the divergence of a coin of probability `a` from one of `b`."""
    heads = a * np.log(np.maximum(a, 1e-300) / np.maximum(b, 1e-300))
    tails = (1 - a) * np.log(np.maximum(1 - a, 1e-300) / np.maximum(1 - b, 1e-300))
    return np.asarray(heads + tails, dtype=np.float64)
