"""Every statistic of one feature."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from modelmeter.stats.drift.divergences import hellinger, js_distance, kl, psi, psi_excess, tvd
from modelmeter.stats.drift.likelihood import g_test
from modelmeter.stats.drift.order import ks, wasserstein
from modelmeter.stats.drift.shares import as_rows
from modelmeter.stats.rates import RateScore, check_rates


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
    live, training = as_rows(counts), as_rows(reference)
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
