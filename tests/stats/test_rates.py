"""Rates and their significance, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from modelmeter.stats.rates import check_rates, rate, rate_z


@given(st.integers(1, 10**5), st.integers(1, 10**5), st.data())
def test_rate_z_is_the_signed_root_of_scipys_g(n, m, data):
    """Squared, z is the log-likelihood test of the 2 x 2 table; its sign says which is higher."""
    x, y = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    assume(0 < x + y < n + m)
    table = [[x, n - x], [y, m - y]]
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    z = float(rate_z(x, n, y, m))
    assert z**2 == pytest.approx(g, rel=1e-6, abs=1e-7)
    assert np.sign(z) == np.sign(x / n - y / m) or abs(z) < 1e-3


@pytest.mark.parametrize(("x", "y"), [(0, 0), (20, 1000)])
def test_rate_z_is_zero_where_all_or_no_rows_count(x, y):
    """The same share of 0 or 1 on both sides is no difference."""
    assert rate_z(x, 20, y, 1000) == 0


def test_rate_z_does_not_cry_wolf_over_one_row():
    """One unseen row among 20 is no five standard deviations; 5 of 100 are."""
    assert rate_z(1, 20, 0, 10_000) == pytest.approx(3.53, abs=0.01)
    assert rate_z(5, 100, 0, 10_000) > 6


def test_rate_z_false_alarms_are_rare():
    """Without a difference, |z| > 4 is rarer than one in a thousand at any share."""
    random = np.random.default_rng(0)
    for share in (1e-4, 1e-3, 1e-2, 0.2):
        for n in (20, 100, 1000):
            x, y = random.binomial(n, share, 50_000), random.binomial(10_000, share, 50_000)
            assert (np.abs(rate_z(x, n, y, 10_000)) > 4).mean() < 1e-3


def test_rate_without_rows_is_nan():
    """0 of 0 is not known, and no warning."""
    assert np.isnan(rate([0, 1], [0, 2])).tolist() == [True, False]
    assert np.isnan(rate_z(0, 0, 1, 10))
    assert np.isnan(rate_z(1, 10, 0, 0))


def test_checks_are_those_that_bins_allow():
    """Kinds without a check count in the total only; below and above are out of range."""
    kinds = ["below", "interval", "above", "missing"]
    scores = check_rates([1, 6, 2, 1], [0, 9, 0, 1], kinds=kinds)
    assert list(scores) == ["missing", "out_of_range"]
    assert scores["out_of_range"].rate == pytest.approx(0.3)
    assert scores["out_of_range"].reference_rate == 0
    assert scores["missing"].z == 0
