"""Every statistic of all features at once, in microseconds.

Bins of all features stand one after another in flat arrays. What training alone decides is
computed once (`Training`); live counts then take a fixed number of numpy calls, however many
features there are. Each number is that of the function of the same name, but for the order
in which terms are added up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelmeter.stats.drift.likelihood import xlogx
from modelmeter.stats.drift.shares import PSEUDO_ROWS, reference_shares
from modelmeter.stats.drift.single import DriftScores
from modelmeter.stats.rates import CHECKS, RateScore
from modelmeter.stats.values import Floats

Places = NDArray[np.intp]

_TINY: Final = 1e-300


@dataclass(frozen=True, slots=True)
class DriftTable:
    """Every statistic of every feature, each of shape (..., n_features).

    `check_rate`, `check_reference_rate` and `check_z` have shape (..., n_checks), in the
    order of `Training.checks`. What is NaN is NaN as in `DriftScores`.
    """

    rows: Floats
    reference_rows: Floats
    psi: Floats
    psi_excess: Floats
    kl: Floats
    js_distance: Floats
    hellinger: Floats
    tvd: Floats
    ks: Floats
    wasserstein: Floats
    g: Floats
    df: Floats
    g_z: Floats
    check_rate: Floats
    check_reference_rate: Floats
    check_z: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TrainedFeature:
    """Training rows per bin of one feature; see `drift` for the parameters."""

    reference: ArrayLike
    kinds: Sequence[str] = ()
    ordered: Sequence[bool] | None = None
    gaps: ArrayLike | None = None


class Training:
    """What training alone decides, of all features.

    Parameters
    ----------
    features
        At least one, each with at least one bin.

    Attributes
    ----------
    checks
        The data quality checks that there are: the feature's number and the check's name.
    """

    def __init__(self, features: Sequence[TrainedFeature]) -> None:
        by_feature = [np.asarray(one.reference, dtype=np.float64) for one in features]
        sizes = np.asarray([len(rows) for rows in by_feature])
        self._starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        self._of = np.repeat(np.arange(len(sizes)), sizes)
        self._rows = np.concatenate(by_feature)
        self._m = np.add.reduceat(self._rows, self._starts)
        # Nothing to compare with becomes NaN at the end: until then any shares will do.
        shares = [reference_shares(rows if rows.any() else rows + 1) for rows in by_feature]
        self._q = np.concatenate(shares)
        self._pseudo = PSEUDO_ROWS * self._q
        self._sqrt_q = np.sqrt(self._q)
        self._m_or_nan = np.where(self._m > 0, self._m, np.nan)
        self._g_terms = np.add.reduceat(xlogx(self._rows), self._starts) - xlogx(self._m)
        self._order = _Order(features, self._q, self._starts)
        self._checks = _Checks(features, self._rows, self._m_or_nan, self._starts)
        self.checks = self._checks.names

    def compare(self, counts: ArrayLike) -> DriftTable:
        """Compute every statistic of every feature.

        Parameters
        ----------
        counts
            Live rows per bin, feature after feature, shape (..., n_bins).

        Returns
        -------
        DriftTable
        """
        live = np.asarray(counts, dtype=np.float64)
        n = np.add.reduceat(live, self._starts, axis=-1)
        p = (live + self._pseudo) / (n + PSEUDO_ROWS).take(self._of, axis=-1)
        both = live + self._rows
        sums = np.add.reduceat(self._terms(live, p, both), self._starts, axis=-1)
        # NaN where there is nothing to compare: whatever is added to it or multiplied is NaN.
        rows = np.where(n > 0, n, np.nan)
        nothing = 0 * rows * self._m_or_nan
        psi, kl, js, hellinger, tvd, g_live, used = sums + nothing
        df = np.maximum(used - 1, 1)
        psi_floor = df * (1 / rows + 1 / self._m_or_nan)
        g = np.maximum(2 * (g_live + self._g_terms - xlogx(n) + xlogx(n + self._m)), 0)
        spread = 2 / (9 * df)
        ks, wasserstein = self._order.compare(p)
        rate, z = self._checks.compare(live, rows)
        return DriftTable(
            rows=n,
            reference_rows=self._m,
            psi=psi,
            psi_excess=psi - psi_floor,
            kl=kl,
            js_distance=np.sqrt(np.maximum(js / (2 * math.log(2)), 0)),
            hellinger=np.sqrt(hellinger / 2),
            tvd=tvd / 2,
            ks=ks + nothing,
            wasserstein=wasserstein + nothing,
            g=g,
            df=df,
            g_z=(np.cbrt(g / df) - 1 + spread) / np.sqrt(spread),
            check_rate=rate,
            check_reference_rate=self._checks.reference_rate,
            check_z=z,
        )

    def one(self, table: DriftTable, feature: int) -> DriftScores:
        """Return the statistics of one feature, from a table of one set of counts."""
        numbers: dict[str, Any] = {
            name: float(getattr(table, name)[feature])
            for name in DriftScores.__dataclass_fields__
            if name != "checks"
        }
        checks = {
            check: RateScore(
                float(table.check_rate[i]),
                float(table.check_reference_rate[i]),
                float(table.check_z[i]),
            )
            for i, (number, check) in enumerate(self.checks)
            if number == feature
        }
        return DriftScores(**numbers, checks=checks)

    def _terms(self, live: Floats, p: Floats, both: Floats) -> Floats:
        """Return what is added up over bins: of PSI, KL, JS, Hellinger, TVD, G, bins in use."""
        q = self._q
        middle = (p + q) / 2
        logs = np.empty((5, *live.shape))
        np.divide(p, q, out=logs[0])
        np.divide(p, middle, out=logs[1])
        np.divide(q, middle, out=logs[2])
        np.maximum(live, _TINY, out=logs[3])
        np.maximum(both, _TINY, out=logs[4])
        np.log(logs, out=logs)  # all logarithms in one call
        terms = np.empty((7, *live.shape))
        difference = p - q
        np.multiply(difference, logs[0], out=terms[0])
        np.multiply(p, logs[0], out=terms[1])
        np.add(p * logs[1], q * logs[2], out=terms[2])
        np.square(np.sqrt(p) - self._sqrt_q, out=terms[3])
        np.abs(difference, out=terms[4])
        np.subtract(live * logs[3], both * logs[4], out=terms[5])
        np.greater(both, 0, out=terms[6], casting="unsafe")
        return terms


class _Order:
    """The ordered bins of the features that have any, one after another."""

    def __init__(self, features: Sequence[TrainedFeature], q: Floats, starts: Places) -> None:
        places: list[Places] = []
        gaps: list[Floats] = []
        having: list[int] = []
        for i, one in enumerate(features):
            chosen = np.flatnonzero(one.ordered) if one.ordered is not None else np.empty(0, int)
            if not len(chosen):
                continue
            distance = np.full(len(chosen), np.nan)
            if one.gaps is not None:
                distance[:] = np.broadcast_to(np.asarray(one.gaps, np.float64), len(chosen))
                distance[-1] = 0  # behind the last bin nothing is left to move
            places.append(chosen + starts[i])
            gaps.append(distance)
            having.append(i)
        sizes = np.asarray([len(chosen) for chosen in places], dtype=np.intp)
        self._n_features = len(features)
        self._having = np.asarray(having, dtype=np.intp)
        if not having:
            return
        self._places = np.concatenate(places)
        self._starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        self._of = np.repeat(np.arange(len(having)), sizes)
        self._gaps = np.concatenate(gaps)
        self._q = self._shares(q)

    def _shares(self, shares: Floats) -> Floats:
        chosen = shares.take(self._places, axis=-1)
        whole = np.add.reduceat(chosen, self._starts, axis=-1)
        return np.asarray(chosen / whole.take(self._of, axis=-1), dtype=np.float64)

    def compare(self, p: Floats) -> tuple[Floats, Floats]:
        """Return KS and Wasserstein, NaN without ordered bins or without gaps."""
        found = np.full((2, *p.shape[:-1], self._n_features), np.nan)
        if not len(self._having):
            return found[0], found[1]
        # Differences of a feature add up to 0, so that the next one's sum starts from 0.
        difference = np.abs(np.cumsum(self._shares(p) - self._q, axis=-1))
        found[0][..., self._having] = np.maximum.reduceat(difference, self._starts, axis=-1)
        moved = np.add.reduceat(difference * self._gaps, self._starts, axis=-1)
        found[1][..., self._having] = moved
        return found[0], found[1]


class _Checks:
    """The data quality checks that there are, one after another."""

    def __init__(
        self, features: Sequence[TrainedFeature], reference: Floats, m: Floats, starts: Places
    ) -> None:
        self.names: list[tuple[int, str]] = []
        places: list[Places] = []
        for i, one in enumerate(features):
            for check, wanted in CHECKS.items():
                chosen = np.flatnonzero([kind in wanted for kind in one.kinds])
                if len(chosen):
                    self.names.append((i, check))
                    places.append(chosen + starts[i])
        sizes = np.asarray([len(chosen) for chosen in places], dtype=np.intp)
        self._places = np.concatenate([*places, np.empty(0, np.intp)])
        self._starts = np.cumsum(sizes) - sizes
        self._of = np.asarray([i for i, _ in self.names], dtype=np.intp)
        self._m = m[self._of]
        self.reference_rate = self._rows(reference) / self._m
        self._b_rows = self.reference_rate * self._m

    def _rows(self, rows: Floats) -> Floats:
        if not self.names:
            return np.empty((*rows.shape[:-1], 0))
        return np.add.reduceat(rows.take(self._places, axis=-1), self._starts, axis=-1)

    def compare(self, live: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """Return the share of live rows of each check and its z (`rates.rate_z`)."""
        n, m = rows.take(self._of, axis=-1), self._m
        coins = np.empty((4, *n.shape))
        a = np.divide(self._rows(live), n, out=coins[0])
        coins[1] = self.reference_rate
        np.subtract(1, coins[:2], out=coins[2:])
        pooled = np.empty((2, 1, *n.shape))
        np.divide(a * n + self._b_rows, n + m, out=pooled[0, 0])
        np.subtract(1, pooled[0], out=pooled[1])
        logs = np.maximum(coins, _TINY).reshape(2, *coins[:2].shape)
        logs /= np.maximum(pooled, _TINY)
        np.log(logs, out=logs)
        terms = coins * logs.reshape(coins.shape)
        g = 2 * (n * (terms[0] + terms[2]) + m * (terms[1] + terms[3]))
        return a, np.sign(a - self.reference_rate) * np.sqrt(np.maximum(g, 0))
