"""How far live counts are from training counts, feature by feature.

Every function takes the rows per bin of one feature, live and in training, over the last
axis; leading axes (features, windows) broadcast. The recording rules
(`modelmeter.generate.rules`) compute the same in PromQL, to the last digits: tests hold
them equal, so a change here is a change there.

Shares are smoothed so that no statistic is ever infinite: half a row on each training bin,
and `PSEUDO_ROWS` live rows placed as training was. Without live rows (or without training
rows) there is nothing to compare and every statistic is NaN; PromQL records no sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelmeter.stats.rates import RateScore, check_rates, rate

Floats = NDArray[np.float64]

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
    rows = _rows(reference)
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
    rows = _rows(counts)
    total = _total(rows)
    shares = reference_shares(reference)
    whole = np.where(total > 0, total, np.nan) + PSEUDO_ROWS
    return np.asarray((rows + PSEUDO_ROWS * shares) / whole, dtype=np.float64)


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
    p, q = _shares(counts, reference)
    return _sum((p - q) * np.log(p / q))


def psi_floor(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Compute what the PSI is on average when nothing has drifted: sampling noise.

    It is df (1/n + 1/m) with n live and m training rows, where df counts only the bins in
    use: bins that are empty on both sides add no noise.

    References
    ----------
    B. Yurdakul and J. Naranjo, "Statistical properties of the population stability index",
    Journal of Risk Model Validation 14 (2020).
    """
    live, training = _rows(counts), _rows(reference)
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
    p, q = _shares(counts, reference)
    return _sum(p * np.log(p / q))


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
    p, q = _shares(counts, reference)
    middle = (p + q) / 2
    divergence = _sum(p * np.log(p / middle) + q * np.log(q / middle))
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
    p, q = _shares(counts, reference)
    return np.sqrt(_sum((np.sqrt(p) - np.sqrt(q)) ** 2) / 2)


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
    p, q = _shares(counts, reference)
    return _sum(np.abs(p - q)) / 2


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
    p, q = _shares(counts, reference)
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
    return _sum(difference * np.asarray(gaps, dtype=np.float64))


def degrees_of_freedom(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """Return the bins in use on either side, less one; at least 1.

    Returns
    -------
    Floats
        Shape (...); NaN without rows on either side.
    """
    live, training = _rows(counts), _rows(reference)
    used = np.count_nonzero((live + training) > 0, axis=-1)
    df = np.maximum(used - 1.0, 1.0)
    return np.asarray(np.where(_comparable(live, training), df, np.nan), dtype=np.float64)


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
    live, training = _rows(counts), _rows(reference)
    n, m = live.sum(axis=-1), training.sum(axis=-1)
    g = 2 * (
        _sum(_xlogx(live))
        + _sum(_xlogx(training))
        - _sum(_xlogx(live + training))
        - _xlogx(n)
        - _xlogx(m)
        + _xlogx(n + m)
    )
    g = np.where(_comparable(live, training), np.maximum(g, 0), np.nan)
    df = degrees_of_freedom(live, training)
    spread = 2 / (9 * df)
    return g, df, (np.cbrt(g / df) - 1 + spread) / np.sqrt(spread)


@dataclass(frozen=True, slots=True)
class DriftScores:
    """Every statistic of one feature (or of a prediction) over one window.

    `rows` and `reference_rows` are always numbers; everything else is NaN when one of
    them is 0, and `ks` and `wasserstein` also where bins have no order.
    """

    rows: float
    reference_rows: float
    psi: float
    psi_excess: float
    kl: float
    js_distance: float
    hellinger: float
    tvd: float
    ks: float
    wasserstein: float
    g: float
    df: float
    g_z: float
    checks: Mapping[str, RateScore]


def drift(
    counts: ArrayLike,
    reference: ArrayLike,
    *,
    kinds: Sequence[str] = (),
    ordered: Sequence[bool] | None = None,
    gaps: ArrayLike | None = None,
) -> DriftScores:
    """Compute every statistic of one feature.

    Parameters
    ----------
    counts, reference
        Live and training rows per bin, shape (n_bins,).
    kinds
        The kind of each bin, length n_bins: what the data quality checks add up. None of
        them by default.
    ordered
        Which bins have an order, length n_bins (``[bool(bin.ord) for bin in bins]``).
        None of them by default.
    gaps
        See `wasserstein`; without it there is no Wasserstein distance.

    Returns
    -------
    DriftScores
        NaN in every statistic when `counts` or `reference` are all 0.

    Examples
    --------
    >>> scores = drift([8, 1, 1], [50, 50, 0], kinds=["category", "category", "missing"])
    >>> round(scores.psi, 3), scores.checks["missing"].rate
    (0.437, 0.1)
    """
    live, training = _rows(counts), _rows(reference)
    order = np.zeros(live.shape, dtype=bool) if ordered is None else np.asarray(ordered, bool)
    g, df, g_z = g_test(live, training)
    distance = math.nan
    if gaps is not None:
        distance = float(wasserstein(live, training, gaps, ordered=order))
    return DriftScores(
        rows=float(live.sum()),
        reference_rows=float(training.sum()),
        psi=float(psi(live, training)),
        psi_excess=float(psi_excess(live, training)),
        kl=float(kl(live, training)),
        js_distance=float(js_distance(live, training)),
        hellinger=float(hellinger(live, training)),
        tvd=float(tvd(live, training)),
        ks=float(ks(live, training, ordered=order)),
        wasserstein=distance,
        g=float(g),
        df=float(df),
        g_z=float(g_z),
        checks=check_rates(live, training, kinds=kinds),
    )


def _rows(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _total(rows: Floats) -> Floats:
    return np.asarray(rows.sum(axis=-1, keepdims=True), dtype=np.float64)


def _sum(terms: NDArray[Any]) -> Floats:
    return np.asarray(terms.sum(axis=-1), dtype=np.float64)


def _shares(counts: ArrayLike, reference: ArrayLike) -> tuple[Floats, Floats]:
    return live_shares(counts, reference), reference_shares(reference)


def _comparable(live: Floats, training: Floats) -> NDArray[np.bool_]:
    return np.asarray((live.sum(axis=-1) > 0) & (training.sum(axis=-1) > 0))


def _inverse_rows(live: Floats, training: Floats) -> Floats:
    """Return 1/n + 1/m, NaN without rows on either side."""
    return rate(1, live.sum(axis=-1)) + rate(1, training.sum(axis=-1))


def _xlogx(values: Floats) -> Floats:
    """Return v ln v, which is 0 at 0, the way PromQL can say it."""
    return np.asarray(values * np.log(np.maximum(values, 1e-300)), dtype=np.float64)
