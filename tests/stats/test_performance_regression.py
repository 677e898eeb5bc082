"""Regression performance against scikit-learn on the same rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from modelmeter.stats.performance import (
    ERROR_SUMS,
    TARGET_SUMS,
    error_sums,
    regression_performance,
    target_sums,
    z_score,
)

VALUES = st.floats(-1000, 1000).map(lambda v: round(v, 3))
PAIRS = st.integers(2, 40).flatmap(lambda n: arrays(np.float64, (2, n), elements=VALUES))


def measured(y_true, y_pred, center=0.0):
    return regression_performance(
        error_sums(y_true, y_pred)[0], target_sums(y_true, y_pred, center=center)
    )


@settings(deadline=None, max_examples=50)
@given(PAIRS, VALUES)
def test_figures_equal_scikit_learn(rows, center):
    """MAE, RMSE, bias and R2 are exact, wherever the sums are centered."""
    y_true, y_pred = rows
    found = measured(y_true, y_pred, center)
    close = {"rel": 1e-9, "abs": 1e-9}
    assert found.rows == len(y_true)
    assert found.mae.value == pytest.approx(sk.mean_absolute_error(y_true, y_pred), **close)
    assert found.rmse.value == pytest.approx(sk.root_mean_squared_error(y_true, y_pred), **close)
    assert found.bias.value == pytest.approx((y_pred - y_true).mean(), **close)
    if np.ptp(y_true) > 1:
        assert found.r2.value == pytest.approx(sk.r2_score(y_true, y_pred), rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(PAIRS, PAIRS, VALUES)
def test_merged_equals_sequential_and_nothing_falls(a, b, center):
    """Sums of parts add up to the sums of all rows, and none is negative."""
    whole = np.concatenate([a, b], axis=1)
    for sums in (error_sums, lambda y, p: target_sums(y, p, center=center)):
        assert sums(*a) + sums(*b) == pytest.approx(sums(*whole), rel=1e-9, abs=1e-9)
        assert (sums(*a) >= 0).all()


@settings(deadline=None, max_examples=50)
@given(PAIRS)
def test_bins_add_up(rows):
    """The sums by prediction bin are the sums of the rows in it, and add up to all."""
    y_true, y_pred = rows
    places = (y_pred > 0).astype(np.intp)
    sums = error_sums(y_true, y_pred, places=places, bins=3)
    assert sums.shape == (3, len(ERROR_SUMS))
    assert sums.sum(axis=0) == pytest.approx(error_sums(y_true, y_pred)[0])
    by_bin = regression_performance(sums)
    for i in range(3):
        part = places == i
        expected = np.abs(y_pred - y_true)[part].mean() if part.any() else math.nan
        assert by_bin.mae.value[i] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(by_bin.r2.value).all()


@pytest.mark.parametrize("noise", ["normal", "skewed", "heavy"])
@pytest.mark.parametrize("center", [0.0, 7.0])
def test_errors_are_the_scatter_of_windows(noise, center):
    """Over 2,000 windows the stated error is the standard deviation, whatever the errors."""
    random = np.random.default_rng(0)
    shape = (2000, 400)
    y_true = random.gamma(2, 3, shape)
    draw = {
        "normal": lambda: random.normal(0, 2, shape),
        "skewed": lambda: random.exponential(2, shape) - 1,
        "heavy": lambda: random.standard_t(9, shape) * (1 + 0.2 * y_true),
    }[noise]
    y_pred = y_true + draw()
    errors = np.stack([error_sums(*pair)[0] for pair in zip(y_true, y_pred, strict=True)])
    targets = np.stack(
        [target_sums(*pair, center=center) for pair in zip(y_true, y_pred, strict=True)]
    )
    found = regression_performance(errors, targets)
    for name, (value, error) in found.metrics.items():
        assert 0.9 < np.sqrt(np.mean(error**2)) / value.std() < 1.1, name


def test_errors_equal_the_bootstrap():
    """On one sample the stated errors are those of resampling its rows."""
    random = np.random.default_rng(1)
    y_true = random.normal(50, 10, 600)
    y_pred = 45 + 0.9 * (y_true - 50) + random.normal(0, 4, 600)
    found = measured(y_true, y_pred, 40.0)
    draws = random.integers(0, 600, (3000, 600))
    t, p = y_true[draws], y_pred[draws]
    spread = ((t - t.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    expected = {
        "mae": np.abs(p - t).mean(axis=1).std(),
        "rmse": np.sqrt(((p - t) ** 2).mean(axis=1)).std(),
        "bias": (p - t).mean(axis=1).std(),
        "r2": (1 - ((p - t) ** 2).sum(axis=1) / spread).std(),
    }
    for name, error in expected.items():
        assert found.metrics[name].error == pytest.approx(error, rel=0.06), name


def test_windows_without_change_are_no_alarm():
    """On 100 rows with skewed errors |z| > 5 is rarer than 1 in 300."""
    random = np.random.default_rng(2)
    errors = random.exponential(2, (3000, 100)) - 1
    sums = np.stack([error_sums(np.zeros(100), row)[0] for row in errors])
    baseline = regression_performance(
        error_sums(np.zeros(50_000), random.exponential(2, 50_000) - 1)[0]
    )
    live = regression_performance(sums)
    for name in ("mae", "rmse", "bias"):
        z = z_score(live.metrics[name], baseline.metrics[name])
        assert np.mean(np.abs(z) > 5) < 1 / 300, name


def test_targets_far_from_zero_lose_no_digits():
    """A target of a billion give or take one has its R2 when the center is near it."""
    random = np.random.default_rng(3)
    offset = random.normal(0, 1, 1000)
    error = random.normal(0, 0.5, 1000)
    near = measured(offset, offset + error)
    far = measured(1e9 + offset, 1e9 + offset + error, 1e9)
    assert far.r2.value == pytest.approx(near.r2.value, rel=1e-5)
    assert far.r2.error == pytest.approx(near.r2.error, rel=1e-5)


def test_few_rows_give_what_they_can():
    """No row has no figures, one has no errors, a constant target has no R2."""
    empty = regression_performance(np.zeros((2, 5)), np.zeros((2, len(TARGET_SUMS))))
    assert all(np.isnan([e.value, e.error]).all() for e in empty.metrics.values())
    one = measured([1.0], [3.0])
    assert one.mae.value == one.bias.value == one.rmse.value == 2
    assert np.isnan([e.error for e in one.metrics.values()]).all()
    constant = measured([5.0, 5.0, 5.0], [4.0, 5.0, 6.0], 5.0)
    assert math.isnan(constant.r2.value)
    assert math.isnan(constant.r2.error)


def test_perfect_predictions_have_no_error_at_all():
    """All errors 0: MAE, RMSE and bias are 0 with standard error 0, R2 is 1."""
    found = measured([1.0, 2.0, 4.0], [1.0, 2.0, 4.0])
    assert [e.value for e in found.metrics.values()] == [0, 0, 0, 1]
    assert [e.error for e in found.metrics.values()] == [0, 0, 0, 0]
