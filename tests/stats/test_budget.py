"""How large a difference must be to alarm, against scipy and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from modelmeter._errors import ConfigurationError
from modelmeter.stats.budget import (
    DAYS,
    DAYS_Z,
    AlarmBudget,
    drift_that_matters,
    independent_windows,
    natural_variation,
    rate_that_matters,
    upper_quantile,
    variation_factor,
    z_threshold,
)
from modelmeter.stats.drift import psi


@given(st.floats(1e-15, 0.5))
def test_quantile_is_scipys(probability):
    """The approximation that PromQL can say is within its 0.00045 of the exact quantile."""
    assert upper_quantile(probability) == pytest.approx(stats.norm.isf(probability), abs=4.5e-4)


def test_quantile_of_more_than_one_half_is_zero():
    """A budget larger than the number of looks lets everything alarm, and no more than that."""
    assert upper_quantile([0.5, 0.9, 30]) == pytest.approx(0, abs=4.5e-4)


def test_threshold_spends_the_budget():
    """Tests x looks x the chance of one false alarm are the alarms per month."""
    tests, hours = np.array([[10], [450], [9000]]), np.array([1, 24, 168])
    for alarms in (0.1, 1, 10):
        z = z_threshold(tests, hours, alarms_per_month=alarms)
        spent = tests * independent_windows(hours) * stats.norm.sf(z)
        assert z.shape == (3, 3)
        assert spent == pytest.approx(np.full((3, 3), alarms), rel=3e-3)


@pytest.mark.parametrize(("window", "step"), [(60, 1), (1440, 5)])
@pytest.mark.parametrize("df", [1, 6])
def test_looks_bound_what_windows_do(window, step, df):
    """One test looked at all the time alarms no more often than budgeted, and half as often."""
    random = np.random.default_rng(window + df)
    months, budget = (20, 12.0) if window == 60 else (120, 2.0)
    long, short, hold = window // step, 60 // step, 10 // step
    number = months * 43_200 // step
    g = np.zeros(number)
    for _ in range(df):
        total = np.cumsum(random.standard_normal(number + long + short))
        moving = total[short:] - total[:-short]
        if long > short:  # a long window adds up what the short one showed
            total = np.cumsum(moving)
            moving = total[long:] - total[:-long]
        g += (moving[-number:] / moving.std()) ** 2
    spread = 2 / (9 * df)
    z = (np.cbrt(g / df) - 1 + spread) / np.sqrt(spread)
    on = z > z_threshold(1, window / 60, alarms_per_month=budget)
    edges = np.diff(np.concatenate([[0], on.astype(int), [0]]))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    alarms = np.count_nonzero(lengths > hold) / months
    assert 0.25 * budget < alarms < 1.35 * budget


def test_variation_factor_is_students():
    """The factor is the squared ratio of Student's quantile to that of 95 of 100 days."""
    features = np.array([1, 5, 27, 200])
    exact = (stats.t.isf(1 / (2 * 30 * features), DAYS) / DAYS_Z) ** 2
    assert variation_factor(features) == pytest.approx(exact, rel=0.06)
    assert variation_factor(1, alarms_per_month=100) == 1


@pytest.mark.parametrize("rows", [60, 200, 2000])
def test_days_that_are_alike_have_no_natural_variation(rows):
    """Without a difference between days the variation is about 0, however few rows they have."""
    random = np.random.default_rng(rows)
    days = random.multinomial(rows, np.full(12, 1 / 12), size=(50, 56))
    found = natural_variation(days, days.sum(axis=1))
    assert found.shape == (50,)
    assert np.median(found) < 0.3 / rows * 11
    assert found.max() < 2 / rows * 11


@pytest.mark.parametrize("rows", [200, 2000])
def test_natural_variation_is_what_days_stay_under(rows):
    """Where one thing differs from day to day, 95 of 100 days stay under the variation."""
    random = np.random.default_rng(rows)
    edges = stats.norm.ppf(np.linspace(0, 1, 11))

    def shares(days):
        below = stats.norm.cdf(edges - 0.3 * random.standard_normal((days, 1)))
        return np.diff(below, axis=1)

    training = random.multinomial(rows, shares(500))
    found = natural_variation(training, training.sum(axis=0))
    million = shares(4000) * 1_000_000
    under = (psi(million, training.sum(axis=0)) < found).mean()
    assert under == pytest.approx(0.95, abs=0.025)


def test_what_matters_is_never_below_natural_variation():
    """Known variation raises what matters; unknown leaves the setting."""
    assert drift_that_matters([0, np.nan, 0.004, 0.03], factor=4).tolist() == [
        *(0.05, 0.05, 0.05),
        0.12,
    ]
    assert rate_that_matters([0, 0.1], [0.03, 0], factor=4).tolist() == [0.02, 0.02]
    assert rate_that_matters(0.1, 0.03, factor=4) == pytest.approx(np.sqrt(0.12 * 0.09))


def test_rates_vary_no_more_than_their_feature():
    """The share of no bin differs by more than the PSI of all bins allows."""
    random = np.random.default_rng(0)
    before = random.dirichlet(np.full(6, 20.0), size=5000)
    after = before * np.exp(random.normal(0, 0.1, before.shape))
    after /= after.sum(axis=-1, keepdims=True)
    many = 1e9
    drifted = psi(after * many, before * many)
    allowed = rate_that_matters(before[:, 0], drifted, factor=1, rate_difference=1e-9)
    assert np.all(np.abs(after - before)[:, 0] <= 1.1 * allowed)


@pytest.mark.parametrize("name", ["alarms_per_month", "psi_excess", "rate_difference"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "1", True, None])
def test_budget_of_nonsense_is_refused(name, value):
    """A setting that is no number above 0 is named, with what was given."""
    with pytest.raises(ConfigurationError, match=f"{name} must be a number above 0"):
        AlarmBudget(**{name: value})


def test_rate_difference_is_a_share():
    """A rate cannot differ by 1 or more."""
    with pytest.raises(ConfigurationError, match="rate_difference must be a share below 1, not 2"):
        AlarmBudget(rate_difference=2)
