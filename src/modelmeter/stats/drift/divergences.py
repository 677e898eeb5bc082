"""How far two distributions over bins are apart, whatever the order of the bins."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from modelmeter.stats.drift.likelihood import degrees_of_freedom
from modelmeter.stats.drift.shares import as_rows, both_shares, over_bins
from modelmeter.stats.rates import rate
from modelmeter.stats.values import Floats


def psi(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute the population stability index, the symmetric Kullback-Leibler divergence.

    Parameters
    ----------
    counts, reference
        Live and training rows per bin, shape (..., n_bins).

    Returns
    -------
    Floats
        Shape (...), in nats, 0 for equal shares; NaN without rows on either side.

    References
    ----------
    S. Kullback and R. A. Leibler, "On information and sufficiency", Annals of Mathematical
    Statistics 22 (1951), where it is J(1, 2). N. Siddiqi, "Credit Risk Scorecards" (2006).

    Examples
    --------
    >>> float(psi([50, 50], [500, 500]))
    0.0
    >>> round(float(psi([80, 20], [500, 500])), 3)
    0.371
    """
    p, q = both_shares(counts, reference)
    return over_bins((p - q) * np.log(p / q))


def psi_floor(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute what the PSI is on average when nothing has drifted: sampling noise.

    It is df (1/n + 1/m) with n live and m training rows, where df counts only the bins in
    use: bins that are empty on both sides add no noise.

    References
    ----------
    B. Yurdakul and J. Naranjo, "Statistical properties of the population stability index",
    Journal of Risk Model Validation 14 (2020).
    """
    live, training = as_rows(counts), as_rows(reference)
    return degrees_of_freedom(live, training) * _inverse_rows(live, training)


def psi_excess(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute the PSI beyond sampling noise: about 0 without drift at any number of rows.

    Parameters
    ----------
    counts, reference
        Live and training rows per bin, shape (..., n_bins).

    Returns
    -------
    Floats
        Shape (...), negative when the shares agree better than chance would have it; NaN
        without rows on either side.

    References
    ----------
    See `psi_floor`.
    """
    return psi(counts, reference) - psi_floor(counts, reference)


def kl(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute the Kullback-Leibler divergence of live from training shares.

    Returns
    -------
    Floats
        Shape (...), in nats, at least 0; NaN without rows on either side.

    References
    ----------
    S. Kullback and R. A. Leibler, "On information and sufficiency", Annals of Mathematical
    Statistics 22 (1951).
    """
    p, q = both_shares(counts, reference)
    return over_bins(p * np.log(p / q))


def js_distance(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute the Jensen-Shannon distance, the square root of the divergence in bits.

    Returns
    -------
    Floats
        Shape (...), from 0 (equal shares) to 1 (no bin in common); NaN without rows on
        either side.

    References
    ----------
    J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on
    Information Theory 37 (1991). D. M. Endres and J. E. Schindelin, "A new metric for
    probability distributions", ibid. 49 (2003).
    """
    p, q = both_shares(counts, reference)
    middle = (p + q) / 2
    divergence = over_bins(p * np.log(p / middle) + q * np.log(q / middle))
    return np.sqrt(np.maximum(divergence / (2 * math.log(2)), 0))


def hellinger(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute the Hellinger distance.

    Returns
    -------
    Floats
        Shape (...), from 0 (equal shares) to 1 (no bin in common); NaN without rows on
        either side.

    References
    ----------
    E. Hellinger, "Neue Begründung der Theorie quadratischer Formen von unendlichvielen
    Veränderlichen", Journal für die reine und angewandte Mathematik 136 (1909).
    """
    p, q = both_shares(counts, reference)
    return np.sqrt(over_bins((np.sqrt(p) - np.sqrt(q)) ** 2) / 2)


def tvd(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute the total variation distance: the share of rows that changed bins.

    Returns
    -------
    Floats
        Shape (...), from 0 to 1; NaN without rows on either side.

    References
    ----------
    D. A. Levin, Y. Peres and E. L. Wilmer, "Markov Chains and Mixing Times" (2009), ch. 4.
    """
    p, q = both_shares(counts, reference)
    return over_bins(np.abs(p - q)) / 2


def _inverse_rows(live: Floats, training: Floats) -> Floats:
    """Return 1/n + 1/m, NaN without rows on either side."""
    return rate(1, live.sum(axis=-1)) + rate(1, training.sum(axis=-1))
