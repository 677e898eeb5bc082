"""Thresholds of a window or a batch: those of the generated rules."""

from __future__ import annotations

import pytest

from modelmeter.report.judging import headline_of, judge_batch, judge_window
from modelmeter.stats.budget import AlarmBudget, upper_quantile, variation_factor, z_threshold


def checks(profile):
    """How many shares are checked: 3 of a number, 3 of categories, and whether it is there."""
    everything = [*profile.features, *profile.predictions]
    return 3 * len(everything) + len(profile.features)


def test_tests_are_counted_as_the_rules_count_them(profile):
    """A question per feature and output for drift, two per check, three of performance."""
    features = len(profile.features) + len(profile.predictions)
    assert headline_of(profile) == "roc_auc"
    expected = features + 3 + 2 * checks(profile) * 2
    assert judge_window(86_400).tests(profile) == expected
    assert judge_batch().tests(profile) == features + 3 + 2 * checks(profile)


@pytest.mark.parametrize("hours", [1, 6, 24, 168])
def test_z_is_that_of_the_budget(profile, hours):
    """The threshold on z is the budget's, for a window as long."""
    budget = AlarmBudget(alarms_per_month=2.0)
    judging = judge_window(hours * 3600, budget)
    limits = judging.limits(profile)
    expected = z_threshold(judging.tests(profile), hours, alarms_per_month=2.0)
    assert limits.z == pytest.approx(float(expected), rel=1e-12)
    features = len(profile.features) + len(profile.predictions)
    assert limits.factor == float(variation_factor(features, alarms_per_month=2.0))


def test_z_of_a_batch_follows_from_their_number(profile):
    """Batches that come rarely may each be wrong more often."""
    daily, yearly = judge_batch(), judge_batch(batches_per_month=1 / 12)
    expected = upper_quantile(1 / (30 * daily.tests(profile)))
    assert daily.limits(profile).z == pytest.approx(float(expected))
    assert yearly.limits(profile).z < daily.limits(profile).z


@pytest.mark.parametrize(
    ("seconds", "sudden", "under_a_day"),
    [(300, True, True), (3_600, True, True), (7_200, False, True), (86_400, False, False)],
)
def test_short_windows_look_for_what_breaks_suddenly(seconds, sudden, under_a_day):
    """In an hour or less rates must move twice as far, and the time of day shows as drift."""
    judging = judge_window(seconds)
    assert (judging.sudden, judging.under_a_day) == (sudden, under_a_day)
