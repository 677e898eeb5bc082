"""What is known of the service at one moment, whoever measured it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from modelmeter.stats.rates import RateScore

FIGURES = {"accuracy": "accuracy", "roc_auc": "AUC"}
"""How good the model is: figures of the performance, and what to call them."""

SOURCES = ("estimated", "realised", "training")
"""Before labels, from the labels that came, and out of sample when the model was trained."""

Verdict = Literal["drift", "small", "quiet", "no data"]

REAL_Z = 5.0
"""From this z on a difference is hardly chance."""

MATTERS_EXCESS = 0.05
"""From this PSI beyond noise on a drift is large enough to care.

The natural variation from day to day, which a profile built with time stamps knows, is no
measure here: the demo's windows are months, in which days have long evened out."""

MATTERS_RATE = 0.02
"""From this difference of two rates on missing or unseen values matter."""


@dataclass(frozen=True)
class FeatureReading:
    """One feature, or one output of the model, over one window.

    Parameters
    ----------
    role
        ``feature`` or ``prediction``.
    name
        Name of the feature or output.
    rows
        Live rows in the window; need not be whole.
    psi_excess
        PSI beyond sampling noise: does it matter? NaN without rows.
    z
        Of the G test: is it real? NaN without rows.
    checks
        Rates of missing, unseen, ... values beside those in training.
    """

    role: str
    name: str
    rows: float = 0.0
    psi_excess: float = math.nan
    z: float = math.nan
    checks: Mapping[str, RateScore] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Whether it is real and matters (drift), only real (small), or neither (quiet)."""
        if math.isnan(self.psi_excess) or math.isnan(self.z):
            return "no data"
        if self.z < REAL_Z:
            return "quiet"
        return "drift" if self.psi_excess >= MATTERS_EXCESS else "small"


def rate_matters(score: RateScore) -> bool:
    """Return whether a rate differs from training's by enough to care, and not by chance.

    Parameters
    ----------
    score
        The two rates and the z of their difference.

    Returns
    -------
    bool
    """
    return abs(score.z) >= REAL_Z and abs(score.rate - score.reference_rate) >= MATTERS_RATE


@dataclass(frozen=True)
class Reading:
    """The service over one window, up to one moment; NaN where nothing is known.

    Parameters
    ----------
    at
        The moment, in Unix time.
    features
        Every feature and output.
    rows_per_second, requests_per_second
        Traffic of ``POST /predict/model``.
    error_ratio
        Share of the requests that the service failed to answer.
    median_seconds, slow_seconds
        Median and 95th percentile of the time to answer.
    positive
        Share of the predictions that say late.
    reference_positive
        The same in training.
    performance
        Figures of `FIGURES` by name and source, one of `SOURCES`.
    labelled
        Share of the predictions so far that have a label.
    """

    at: float
    features: tuple[FeatureReading, ...] = ()
    rows_per_second: float = math.nan
    requests_per_second: float = math.nan
    error_ratio: float = math.nan
    median_seconds: float = math.nan
    slow_seconds: float = math.nan
    positive: float = math.nan
    reference_positive: float = math.nan
    performance: Mapping[tuple[str, str], float] = field(default_factory=dict)
    labelled: float = math.nan

    def figure(self, metric: str, source: str) -> float:
        """Return how good the model was, NaN where that is not known.

        Parameters
        ----------
        metric
            One of `FIGURES`.
        source
            One of `SOURCES`.
        """
        return self.performance.get((metric, source), math.nan)

    def __getitem__(self, name: str) -> FeatureReading:
        """Return a feature or output by its name; one without rows when it is not there."""
        found = (feature for feature in self.features if feature.name == name)
        return next(found, FeatureReading("feature", name))

    def movers(self) -> tuple[FeatureReading, ...]:
        """Return features and outputs, those that moved most first."""
        return tuple(sorted(self.features, key=_excess, reverse=True))


def _excess(feature: FeatureReading) -> float:
    return -math.inf if math.isnan(feature.psi_excess) else feature.psi_excess


class Source(Protocol):
    """Whoever can say how the service does."""

    @property
    def name(self) -> str:
        """What to call it on the screen."""

    def read(self, at: float | None = None) -> Reading:
        """Return how the service did over the window that ends at Unix time `at`.

        By default now. Nothing known, the reading holds no features.
        """
