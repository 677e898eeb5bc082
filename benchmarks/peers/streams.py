"""Streams of rows without drift, and with a change: as counts per minute, and as raw rows.

Every feature is a normal number behind cuts: left as a number, or named by category. Both
views are of one process: counts per minute and bin are Poisson with its probabilities, raw
rows are drawn from it. A stream is *independent* (rows alike at all hours, even traffic) or
*cyclic*: traffic and values follow the hour and the weekend, and every day is a little
different from the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from modelmeter.profile.passes import MIN_ROWS_PER_DAY
from modelmeter.stats.budget import natural_variation
from modelmeter.stats.edges import quantile_edges

DAY = 1440
"""Minutes."""

TRAINING_DAYS, TRAINING_ROWS = 56, 50_000
MEAN, SPREAD = 20.0, 4.0
FEATURES = 25


@dataclass(frozen=True)
class Cycle:
    """How a feature's mean moves, in standard deviations; all 0 for an independent stream.

    Parameters
    ----------
    hour
        Half the swing over the day, highest at `phase` (share of the day).
    weekend
        What Saturday and Sunday add.
    day
        Standard deviation of what a day adds; the next day keeps 0.7 of it.
    missing
        Share of the missing values that comes and goes with the hour.
    """

    hour: float = 0.0
    phase: float = 0.0
    weekend: float = 0.0
    day: float = 0.0
    missing: float = 0.0


@dataclass(frozen=True)
class Change:
    """What goes wrong from a minute on."""

    shift: float = 0.0
    scale: float = 1.0
    missing: float = 0.0
    unseen: float = 0.0


NO_CHANGE = Change()


def traffic(minutes, *, cyclic):
    """Return how busy each minute is, 1 on average over a week."""
    if not cyclic:
        return np.ones(len(minutes))
    hour = 1 + 0.7 * np.sin(2 * np.pi * (minutes / DAY - 0.35))
    return hour * np.where(_is_weekend(minutes), 0.6, 1) * 7 / (5 + 2 * 0.6)


def _is_weekend(minutes):
    return minutes // DAY % 7 >= 5


class Feature:
    """One feature: its process, its bins, and what training saw of it.

    Parameters
    ----------
    name, categories
        Its name; number of categories, 0 for a number.
    missing
        Share of missing values, on average.
    cycle
        How its mean moves.
    seed
        Of everything random about it.
    known
        Whether training had time stamps, so that its natural variation is known.
    training_rows
        Rows of the reference.
    """

    def __init__(
        self, name, *, categories, missing, cycle, seed, known=True, training_rows=TRAINING_ROWS
    ):
        self.name, self.categories, self.missing, self.cycle = name, categories, missing, cycle
        self.random = np.random.default_rng(seed)
        days = self.random.standard_normal(3 * 365)
        for day in range(1, len(days)):
            days[day] = 0.7 * days[day - 1] + np.sqrt(1 - 0.7**2) * days[day]
        self._days = days
        self.cuts = ()
        if categories:
            # A few frequent categories, many rarer ones.
            weights = 1 / np.arange(1, categories + 1)
            shares = np.cumsum(weights / weights.sum())[:-1]
            self.cuts = np.quantile(self.random.standard_normal(200_000), shares)
        self.training = self._train(training_rows)
        if not categories:
            self.cuts = np.asarray(quantile_edges(self.training[~np.isnan(self.training)], 10))
        own = ("category",) * categories + ("unseen",)
        if not categories:
            own = ("below", *("interval",) * (len(self.cuts) - 1), "above")
        self.kinds = (*own, "missing", "invalid")
        places = self._place(self.training)
        self.reference = np.bincount(places, minlength=len(self.kinds)).astype(np.float64)
        self.variation = self._variation() if known else 0.0

    def mean(self, minutes):
        """Return the mean behind the cuts at each minute."""
        c = self.cycle
        swing = c.hour * np.sin(2 * np.pi * (minutes / DAY + c.phase))
        own = c.day * self._days[(minutes // DAY) % len(self._days)]
        return swing + c.weekend * _is_weekend(minutes) + own

    def missing_share(self, minutes):
        """Return the share of missing values at each minute."""
        swing = self.cycle.missing * np.sin(2 * np.pi * (minutes / DAY + self.cycle.phase))
        return self.missing * (1 + swing)

    def draw(self, minutes, change=NO_CHANGE):
        """Return raw values of one row per minute given, NaN or None where missing."""
        values = self.mean(minutes) + change.shift + self.random.standard_normal(len(minutes))
        lost = self.random.random(len(minutes)) < self.missing_share(minutes) + change.missing
        if not self.categories:
            return np.where(lost, np.nan, (MEAN + SPREAD * values) * change.scale)
        names = np.array([f"c{i:02d}" for i in range(self.categories)] + ["new"], dtype=object)
        places = np.searchsorted(self.cuts, values, side="right")
        places[self.random.random(len(minutes)) < change.unseen] = self.categories
        return np.where(lost, None, names[places])

    def counts(self, minutes, rows, change=None, since=0):
        """Return rows per minute and bin, shape (n_minutes, n_bins).

        Parameters
        ----------
        minutes
            Consecutive minutes.
        rows
            Rows expected in each.
        change, since
            What goes wrong from which index on.
        """
        shares = self.shares(minutes)
        if change is not None:
            shares[since:] = self.shares(minutes[since:], change)
        return self.random.poisson(shares * rows[:, None]).astype(np.float64)

    def shares(self, minutes, change=NO_CHANGE):
        """Return the probability of each bin at each minute."""
        mean = self.mean(minutes) + change.shift
        cuts = np.asarray(self.cuts)
        if not self.categories:
            cuts = (cuts / change.scale - MEAN) / SPREAD
        below = ndtr(cuts[None, :] - mean[:, None])
        edge = np.zeros((len(minutes), 1))
        parts = np.diff(below, axis=1, prepend=edge, append=edge + 1)
        lost = (self.missing_share(minutes) + change.missing)[:, None]
        if self.categories:
            parts = np.hstack([parts * (1 - change.unseen), edge + change.unseen])
        return np.hstack([parts * (1 - lost), lost, edge])

    def _train(self, rows):
        minutes = np.arange(-TRAINING_DAYS * DAY, 0)
        busy = traffic(minutes, cyclic=self.cycle != Cycle())
        drawn = np.sort(self.random.choice(minutes, size=rows, p=busy / busy.sum()))
        self._training_days = drawn // DAY
        return self.draw(drawn)

    def _place(self, values):
        if self.categories:
            place = {f"c{i:02d}": i for i in range(self.categories)} | {None: self.categories + 1}
            return np.array([place[value] for value in values])
        places = np.searchsorted(self.cuts, values, side="right")
        return np.where(np.isnan(values), len(self.cuts) + 1, places)

    def _variation(self):
        places, days = self._place(self.training), self._training_days - self._training_days[0]
        size = len(self.kinds)
        table = np.bincount(days * size + places, minlength=(days[-1] + 1) * size)
        by_day = table.reshape(-1, size)
        by_day = by_day[by_day.sum(axis=1) >= MIN_ROWS_PER_DAY]
        return float(natural_variation(by_day, self.reference))


def make_features(*, cyclic, seed, number=FEATURES, known=True):
    """Return features of a model: two of three numbers, the rest categories; some with gaps.

    Parameters
    ----------
    cyclic
        Whether days and weeks show in the values.
    seed
        Of all of them.
    number
        How many.
    known
        Whether training had time stamps.
    """
    random = np.random.default_rng(seed)
    features = []
    for i in range(number):
        cycle = Cycle()
        if cyclic:
            cycle = Cycle(
                hour=min(random.exponential(0.3), 1.0),
                phase=random.random(),
                weekend=float(np.clip(random.laplace(0, 0.15), -0.6, 0.6)),
                day=min(random.exponential(0.05), 0.2),
                missing=0.5,
            )
        features.append(
            Feature(
                f"f{i:02d}",
                categories=(4, 8, 12)[i // 3 % 3] if i % 3 == 2 else 0,
                missing=0.02 if i % 4 == 0 else 0.0,
                cycle=cycle,
                seed=int(random.integers(2**62)),
                known=known,
            )
        )
    return features
