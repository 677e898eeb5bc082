"""Estimates before labels: CBPE row by row, what labels later say, and their errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from modelmeter.stats.performance import (
    OutcomeRatios,
    binary_performance,
    binary_ratios,
    error_sums,
    estimate_binary,
    estimate_multiclass,
    estimate_regression,
    multiclass_performance,
    multiclass_ratios,
    regression_performance,
)

MIDDLES = (np.arange(20) + 0.5) / 20
POSITIVE = MIDDLES > 0.5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def draw(random, rows, windows, *, mean=0.0, spread=1.5, slope=0.8, shift=-0.3):
    """Draw windows of rows whose outcome depends on the score in one and the same way."""
    logit = random.normal(mean, spread, (windows, rows))
    outcome = random.random(logit.shape) < sigmoid(slope * logit + shift)
    place = np.minimum((sigmoid(logit) * 20).astype(int), 19)
    cell = (np.arange(windows)[:, None] * 20 + place) * 2 + outcome
    return np.bincount(cell.ravel(), minlength=windows * 40).reshape(windows, 20, 2)


@settings(deadline=None, max_examples=50)
@given(arrays(np.int64, 20, elements=st.integers(0, 50)), st.integers(0, 10**6))
def test_it_is_cbpe_row_by_row(counts, seed):
    """The expected confusion matrix is the sum of calibrated probabilities over rows."""
    promised = np.random.default_rng(seed).random(20)
    calibration = OutcomeRatios(np.stack([1 - promised, promised], axis=1), np.full(20, 100.0))
    found = estimate_binary(counts, calibration, positive=POSITIVE, scores=MIDDLES)
    place = np.repeat(np.arange(20), counts)
    p, said = promised[place], POSITIVE[place]
    tp, fp, fn, tn = (float(s.sum()) for s in (p[said], 1 - p[said], p[~said], 1 - p[~said]))
    assert found.confusion == pytest.approx(np.array([[tn, fp], [fn, tp]]), rel=1e-12, abs=1e-9)
    if len(place):
        assert found.metrics["accuracy"].value == pytest.approx((tp + tn) / len(place))
    if tp + fp:
        assert found.metrics["precision"].value == pytest.approx(tp / (tp + fp))
        assert found.metrics["f1"].value == pytest.approx(2 * tp / (2 * tp + fp + fn))
    if len(place):
        weights = np.concatenate([1 - p, p])
        both = np.repeat([0, 1], len(place)), np.tile(place, 2)
        assert found.metrics["roc_auc"].value == pytest.approx(
            sk.roc_auc_score(*both, sample_weight=weights)
        )


def test_a_calibrated_model_does_as_estimated():
    """After a shift of the scores, realised figures lie about the estimate as stated."""
    random = np.random.default_rng(0)
    calibration = binary_ratios(draw(random, 50_000, 1)[0], MIDDLES)
    windows = draw(random, 1000, 800, mean=-0.5, spread=1.2)
    found = estimate_binary(windows.sum(axis=-1), calibration, positive=POSITIVE, scores=MIDDLES)
    realised = binary_performance(windows, positive=POSITIVE, scores=MIDDLES)
    for name, estimate in found.metrics.items():
        z = (realised.metrics[name].value - estimate.value) / found.label_error[name]
        assert abs(z.mean()) < 0.35, name
        assert 0.9 < z.std() < 1.12, name


@pytest.mark.parametrize("rows", [100, 2000])
def test_errors_count_the_calibration_and_the_sample(rows):
    """Calibrated anew each time, the estimate scatters about the truth as stated."""
    random = np.random.default_rng(1)
    shifted = {"mean": -0.5, "spread": 1.8}
    truth = binary_performance(
        draw(random, 500_000, 1, **shifted)[0], positive=POSITIVE, scores=MIDDLES
    )
    before = binary_performance(draw(random, 500_000, 1)[0], positive=POSITIVE, scores=MIDDLES)
    learnt, live = draw(random, 4000, 400), draw(random, rows, 400, **shifted)
    z, z_change = [], []
    for known, window in zip(learnt, live.sum(axis=-1), strict=True):
        found = estimate_binary(
            window, binary_ratios(known, MIDDLES), positive=POSITIVE, scores=MIDDLES
        )
        for name in ("accuracy", "precision", "recall", "roc_auc", "brier"):
            true, was = truth.metrics[name].value, before.metrics[name].value
            z.append((found.metrics[name].value - true) / found.metrics[name].error)
            z_change.append((found.change[name].value - (true - was)) / found.change[name].error)
    for scores in (np.reshape(z, (400, 5)), np.reshape(z_change, (400, 5))):
        assert (np.abs(scores.mean(axis=0)) < 0.6).all()
        assert (np.abs(scores.std(axis=0) - 1) < 0.2).all()


def test_unchanged_traffic_is_no_change():
    """Windows like the calibration's have a change of standard normal z; the same has 0."""
    random = np.random.default_rng(2)
    known = draw(random, 3000, 1)[0]
    calibration = binary_ratios(known, MIDDLES)
    same = estimate_binary(known.sum(axis=-1), calibration, positive=POSITIVE, scores=MIDDLES)
    assert all(abs(change.value) < 1e-12 for change in same.change.values())
    z = []
    for known in draw(random, 3000, 300):
        windows = draw(random, 300, 1).sum(axis=-1)
        found = estimate_binary(
            windows, binary_ratios(known, MIDDLES), positive=POSITIVE, scores=MIDDLES
        )
        z.append([float(c.value[0] / c.error[0]) for c in found.change.values()])
    assert (np.abs(np.std(z, axis=0) - 1) < 0.15).all()


def test_concept_drift_is_not_seen_but_shows_beside_labels():
    """When the outcome turns at equal scores, only the realised figure moves, by many errors."""
    random = np.random.default_rng(3)
    calibration = binary_ratios(draw(random, 20_000, 1)[0], MIDDLES)
    turned = draw(random, 5000, 1, slope=0.2)[0]
    found = estimate_binary(turned.sum(axis=-1), calibration, positive=POSITIVE, scores=MIDDLES)
    realised = binary_performance(turned, positive=POSITIVE, scores=MIDDLES)
    assert abs(found.change["roc_auc"].value) < 4 * found.change["roc_auc"].error
    gap = realised.roc_auc.value - found.metrics["roc_auc"].value
    assert gap < -10 * found.label_error["roc_auc"]


def test_a_tiny_window_is_not_certain():
    """Three rows of one bin have an error, and their change is no alarm."""
    random = np.random.default_rng(4)
    calibration = binary_ratios(draw(random, 100_000, 1)[0], MIDDLES)
    counts = np.zeros(20)
    counts[11] = 3
    found = estimate_binary(counts, calibration, positive=POSITIVE, scores=MIDDLES)
    for name in ("accuracy", "prevalence", "brier"):
        assert abs(found.change[name].value) < 5 * found.change[name].error


@settings(max_examples=30, deadline=None)
@given(arrays(np.int64, (4, 20), elements=st.integers(0, 50)))
def test_windows_at_once_equal_one_by_one(counts):
    """Leading axes are windows, and expected confusions of parts add up."""
    calibration = binary_ratios(np.tile([[30, 10], [10, 30]], (10, 1)), MIDDLES)
    whole = estimate_binary(counts, calibration, positive=POSITIVE)
    for i, window in enumerate(counts):
        one = estimate_binary(window, calibration, positive=POSITIVE)
        for name, estimate in one.metrics.items():
            close = {"rel": 1e-9, "abs": 1e-12, "nan_ok": True}
            assert whole.metrics[name].value[i] == pytest.approx(estimate.value, **close)
            assert whole.metrics[name].error[i] == pytest.approx(estimate.error, **close)
            assert whole.label_error[name][i] == pytest.approx(one.label_error[name], **close)
    together = estimate_binary(counts.sum(axis=0), calibration, positive=POSITIVE)
    assert whole.confusion.sum(axis=0) == pytest.approx(together.confusion)


def test_two_classes_are_the_binary_case():
    """By predicted class and bin, or by score bin, estimates and errors are the same."""
    random = np.random.default_rng(5)
    share = random.random(20)
    rows = random.integers(1, 200, 20).astype(float)
    binary = OutcomeRatios(np.stack([1 - share, share], axis=1), rows)
    by_class = np.zeros((2, 20))
    by_class[POSITIVE.astype(int), np.arange(20)] = 1
    both = OutcomeRatios(np.stack([binary.ratios, binary.ratios]), by_class * rows)
    counts = random.integers(0, 100, 20)
    mine = estimate_multiclass(by_class * counts, both)
    theirs = estimate_binary(counts, binary, positive=POSITIVE)
    assert mine.confusion == pytest.approx(theirs.confusion)
    for name, of_class in (("accuracy", ...), ("mcc", ...), ("precision", 1), ("recall", 1)):
        for a, b in zip(mine.metrics[name], theirs.metrics[name], strict=True):
            assert a[of_class] == pytest.approx(b)
        assert mine.change[name].error[of_class] == pytest.approx(theirs.change[name].error)
        assert mine.label_error[name][of_class] == pytest.approx(theirs.label_error[name])


def draw_classes(random, rows, *, sharpness):
    """Draw rows of three classes by predicted class, confidence bin and true class."""
    logits = random.normal([0.5, 0, -0.5], sharpness, (rows, 3))
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    true = (random.random((rows, 1)) > np.cumsum(p, axis=1)).sum(axis=1)
    place = np.minimum((p.max(axis=1) * 20).astype(int), 19)
    counts = np.zeros((3, 20, 3))
    np.add.at(counts, (p.argmax(axis=1), place, true), 1)
    return counts


def test_a_calibrated_multiclass_model_does_as_estimated():
    """When confidence falls, the estimate follows the realised figures within their error."""
    random = np.random.default_rng(6)
    calibration = multiclass_ratios(draw_classes(random, 60_000, sharpness=2), MIDDLES)
    z = []
    for _ in range(200):
        window = draw_classes(random, 1500, sharpness=1.3)
        found = estimate_multiclass(window.sum(axis=-1), calibration)
        realised = multiclass_performance(window.sum(axis=1).T)
        z.append(
            [
                (getattr(realised, name).value - found.metrics[name].value)
                / found.label_error[name]
                for name in ("accuracy", "macro_f1", "mcc")
            ]
            + [
                (realised.recall.value - found.metrics["recall"].value)[1]
                / found.label_error["recall"][1]
            ]
        )
    assert found.metrics["precision"].value.shape == (3,)
    assert (np.abs(np.mean(z, axis=0)) < 0.6).all()
    assert (np.abs(np.std(z, axis=0) - 1) < 0.2).all()
    assert found.change["accuracy"].value < -10 * found.change["accuracy"].error


def draw_errors(random, rows, *, mean=0.0):
    """Draw predictions whose errors grow with them; return sums by 30 bins."""
    y_pred = random.normal(mean, 1, rows)
    y_true = y_pred + np.exp(y_pred / 2) * random.standard_normal(rows) - 0.1 * y_pred
    place = np.clip(((y_pred + 3) / 0.2).astype(int), 0, 29)
    return error_sums(y_true, y_pred, places=place, bins=30)


def test_a_regression_does_as_estimated():
    """When predictions move to where errors are larger, MAE, RMSE and bias are foreseen."""
    random = np.random.default_rng(7)
    sums = draw_errors(random, 50_000)
    z = []
    for _ in range(300):
        window = draw_errors(random, 1000, mean=0.5)
        found = estimate_regression(window[:, 0], sums)
        realised = regression_performance(window.sum(axis=0))
        z.append(
            [
                (realised.metrics[name].value - found.metrics[name].value) / found.label_error[name]
                for name in ("mae", "rmse", "bias")
            ]
        )
    assert (np.abs(np.mean(z, axis=0)) < 0.6).all()
    assert (np.abs(np.std(z, axis=0) - 1) < 0.15).all()
    assert found.change["mae"].value > 5 * found.change["mae"].error
    assert found.confusion is None


def test_unchanged_regression_traffic_is_no_change():
    """Windows like the calibration's have a change of standard normal z; the same has 0."""
    random = np.random.default_rng(8)
    z = []
    for _ in range(300):
        sums = draw_errors(random, 2000)
        found = estimate_regression(draw_errors(random, 300)[:, 0], sums)
        z.append([change.value / change.error for change in found.change.values()])
    assert (np.abs(np.std(z, axis=0) - 1) < 0.15).all()
    same = estimate_regression(sums[:, 0], sums)
    assert all(change.value == 0 for change in same.change.values())


def test_no_rows_give_nothing():
    """Without live rows, or without any calibration rows of a regression, all is NaN."""
    calibration = binary_ratios(np.ones((20, 2)), MIDDLES)
    tables = [
        estimate_binary(np.zeros((2, 20)), calibration, positive=POSITIVE, scores=MIDDLES),
        estimate_multiclass(np.zeros((3, 4)), multiclass_ratios(np.ones((3, 4, 3)))),
        estimate_regression(np.zeros(4), np.ones((4, 5))),
        estimate_regression(np.ones(4), np.zeros((4, 5))),
    ]
    for found in tables:
        for name, estimate in found.metrics.items():
            assert np.isnan(estimate.value).all(), name
            assert np.isnan(estimate.error).all(), name
            assert np.isnan(found.change[name].value).all(), name
            assert np.isnan(found.label_error[name]).all(), name


def test_an_unmeasured_calibration_takes_scores_at_their_word():
    """Without out-of-sample rows the estimate is that of a calibrated model; it has no change."""
    calibration = binary_ratios(np.zeros((20, 2)), MIDDLES)
    found = estimate_binary(np.ones(20), calibration, positive=POSITIVE, scores=MIDDLES)
    expected = np.maximum(MIDDLES, 1 - MIDDLES).mean()
    assert found.metrics["accuracy"].value == pytest.approx(expected)
    assert found.metrics["accuracy"].error > 0.03
    assert math.isnan(found.change["accuracy"].value)
