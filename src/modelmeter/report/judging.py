"""From which size and z on a change is an alarm: as the generated rules say, for one window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from modelmeter.generate.performance_alarms import HEADLINES, QUESTIONS
from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.report.schema import JudgingPart
from modelmeter.stats.budget import (
    SUDDEN,
    AlarmBudget,
    Floats,
    drift_that_matters,
    independent_windows,
    rate_that_matters,
    upper_quantile,
    variation_factor,
)
from modelmeter.stats.rates import CHECKS

ABSENT: Final = "absent"
"""The check that a column is there at all; of features only."""

RULE_HOURS: Final = (1.0, 24.0)
"""Lengths of the windows that the generated rules look back on, unless told otherwise."""

SMALLEST_LOSS: Final = 0.02
"""Points that a judged score must lose to matter, unless told otherwise."""

_SHORTEST: Final = 1 / 3600


@dataclass(frozen=True, kw_only=True)
class Judging:
    """How a window is judged.

    Parameters
    ----------
    budget
        What somebody is willing to be woken for.
    looks_per_month
        How often the window says something new.
    windows, drift_windows
        Over how many windows rates and drift are asked about, this one included.
    sudden
        Whether the window is so short that rates must move twice as far.
    under_a_day
        Whether the time of day shows as drift.
    smallest_loss
        How many points the judged score must lose to matter; of errors, `RELATIVE` times as
        large a share.
    """

    budget: AlarmBudget = field(default_factory=AlarmBudget)
    looks_per_month: float
    windows: int = 1
    drift_windows: int = 1
    sudden: bool = False
    under_a_day: bool = False
    smallest_loss: float = SMALLEST_LOSS

    def tests(self, profile: Profile) -> int:
        """Return how many questions are asked of a model, each of which may alarm falsely."""
        everything = (*profile.features, *profile.predictions)
        trained = [one for one in everything if one.rows]
        checks = sum(len(checks_of(one)) for one in trained)
        checks += sum(1 for one in profile.features if one.rows)
        of_performance = QUESTIONS if headline_of(profile) else 0
        return (len(everything) + of_performance) * self.drift_windows + 2 * checks * self.windows

    def limits(self, profile: Profile) -> Limits:
        """Work out the thresholds for a model."""
        tests = self.tests(profile)
        share = self.budget.alarms_per_month / (self.looks_per_month * max(tests, 1))
        features = len(profile.features) + len(profile.predictions)
        factor = variation_factor(max(features, 1), alarms_per_month=self.budget.alarms_per_month)
        return Limits(self, tests, float(upper_quantile(share)), float(factor))


@dataclass(frozen=True)
class Limits:
    """Thresholds for one model over one window.

    Parameters
    ----------
    judging
        What they follow from.
    tests
        Questions asked.
    z
        From which a difference is no chance.
    factor
        What the natural variation is multiplied by.
    """

    judging: Judging
    tests: int
    z: float
    factor: float

    def drift(self, features: Iterable[FeatureProfile]) -> Floats:
        """Return from which PSI beyond noise on drift matters, shape (n_features,)."""
        return drift_that_matters(
            _variations(features), factor=self.factor, psi_excess=self.judging.budget.psi_excess
        )

    def natural(self, features: Iterable[FeatureProfile]) -> Floats:
        """Return how far days drift by themselves, shape (n_features,); 0 when not known."""
        return np.asarray(_variations(features) * self.factor, dtype=np.float64)

    def rates(self, reference_rates: Floats, features: Iterable[FeatureProfile]) -> Floats:
        """Return from which difference on a rate matters, shape (n_features,)."""
        budget = self.judging.budget
        return rate_that_matters(
            np.nan_to_num(reference_rates),
            _variations(features),
            factor=self.factor,
            rate_difference=budget.rate_difference * (SUDDEN if self.judging.sudden else 1),
        )

    def part(self) -> JudgingPart:
        """Return what findings say of it."""
        budget = self.judging.budget
        return {
            "alarms_per_month": float(budget.alarms_per_month),
            "psi_excess": float(budget.psi_excess),
            "rate_difference": float(budget.rate_difference),
            "smallest_loss": self.judging.smallest_loss,
            "tests": self.tests,
            "looks_per_month": self.judging.looks_per_month,
            "z_threshold": self.z,
            "variation_factor": self.factor,
            "under_a_day": self.judging.under_a_day,
        }


def judge_window(
    seconds: float | None,
    budget: AlarmBudget | None = None,
    *,
    rule_hours: tuple[float, ...] = RULE_HOURS,
    smallest_loss: float = SMALLEST_LOSS,
) -> Judging:
    """Return how a window of live rows is judged: as the generated rules judge one as long.

    Parameters
    ----------
    seconds
        Length of the window; None where it is not known, which counts as a day.
    budget
        What somebody is willing to be woken for.
    rule_hours
        Lengths of the windows that the rules look back on, from short to long.
    smallest_loss
        See `Judging`.
    """
    hours = max((seconds or 86_400) / 3600, _SHORTEST)
    several = len(rule_hours) > 1
    return Judging(
        budget=budget or AlarmBudget(),
        looks_per_month=float(independent_windows(hours)),
        windows=len(rule_hours),
        drift_windows=len(rule_hours[1:] or rule_hours),
        sudden=several and hours <= rule_hours[0] * 1.1,
        under_a_day=hours < 23,
        smallest_loss=smallest_loss,
    )


def judge_batch(
    budget: AlarmBudget | None = None,
    *,
    batches_per_month: float = 30.0,
    smallest_loss: float = SMALLEST_LOSS,
) -> Judging:
    """Return how a batch of rows is judged that nothing else judges.

    Parameters
    ----------
    budget
        What somebody is willing to be woken for.
    batches_per_month
        How many such batches are looked at in a month; one a day by default.
    smallest_loss
        See `Judging`.
    """
    return Judging(
        budget=budget or AlarmBudget(),
        looks_per_month=batches_per_month,
        smallest_loss=smallest_loss,
    )


def headline_of(profile: Profile) -> str | None:
    """Return the figure that stands for a model, and is judged; None without a baseline."""
    measured = () if profile.baseline is None else profile.baseline.measures
    known = {one.metric for one in measured if one.of_class is None}
    return next((metric for metric in HEADLINES if metric in known), None)


def checks_of(feature: FeatureProfile) -> list[str]:
    """Return the checks that a feature's bins allow, in the order of `CHECKS`."""
    kinds = {place.kind for place in feature.bins.bins}
    return [check for check, wanted in CHECKS.items() if kinds.intersection(wanted)]


def _variations(features: Iterable[FeatureProfile]) -> Floats:
    return np.asarray([one.variation or 0.0 for one in features], dtype=np.float64)
