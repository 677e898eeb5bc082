"""Binary performance against scikit-learn on the same rows, and its errors against draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from modelmeter.stats.performance import (
    binary_performance,
    positive_bins,
    reliability,
    z_score,
)
from modelmeter.stats.performance.binary import METRICS, linearised

EDGES = np.linspace(0, 1, 21)
MIDDLES = (EDGES[:-1] + EDGES[1:]) / 2
POSITIVE = MIDDLES > 0.5
ROWS = st.integers(0, 200) | st.just(0)


def close(value, tolerance=1e-9):
    return pytest.approx(value, rel=tolerance, abs=tolerance, nan_ok=True)


@st.composite
def tables(draw, least=1):
    """Counts by bin and outcome, which bins mean positive, and a score for each bin."""
    bins = draw(st.integers(2, 8))
    counts = np.array(draw(st.lists(st.tuples(ROWS, ROWS), min_size=bins, max_size=bins)))
    assume(counts.sum() >= least)
    cut = draw(st.integers(0, bins))
    return counts, np.arange(bins) >= cut, (np.arange(bins) + 0.5) / bins


def rows_of(counts, positive):
    """Return y_true, y_pred and bin of every row."""
    bins, outcomes = (a.ravel() for a in np.indices(counts.shape))
    bins, outcomes = np.repeat(bins, counts.ravel()), np.repeat(outcomes, counts.ravel())
    return outcomes, positive[bins].astype(int), bins


def draw_counts(random, rows, windows, *, mean=0.0, spread=2.0):
    """Draw windows of calibrated scores in 20 bins."""
    logit = random.normal(mean, spread, (windows, rows))
    score = 1 / (1 + np.exp(-logit))
    outcome = random.random(score.shape) < score
    place = np.minimum((score * 20).astype(int), 19)
    cell = (np.arange(windows)[:, None] * 20 + place) * 2 + outcome
    return np.bincount(cell.ravel(), minlength=windows * 40).reshape(windows, 20, 2)


@settings(deadline=None, max_examples=50)
@given(tables())
def test_what_the_confusion_matrix_says_equals_scikit_learn(table):
    """Accuracy, precision, recall, specificity, F1 and MCC are exact; undefined ones NaN."""
    counts, positive, scores = table
    y_true, y_pred, _ = rows_of(counts, positive)
    found = binary_performance(counts, positive=positive, scores=scores)
    assert found.rows == len(y_true)
    assert found.confusion.tolist() == sk.confusion_matrix(y_true, y_pred, labels=[0, 1]).tolist()
    assert found.prevalence.value == close(y_true.mean())
    assert found.accuracy.value == close(sk.accuracy_score(y_true, y_pred))
    for name, function, label in (
        ("precision", sk.precision_score, 1),
        ("recall", sk.recall_score, 1),
        ("specificity", sk.recall_score, 0),
        ("f1", sk.f1_score, 1),
    ):
        expected = function(y_true, y_pred, pos_label=label, zero_division=math.nan)
        assert getattr(found, name).value == close(expected)
    if len(set(y_true)) == len(set(y_pred)) == 2:
        assert found.mcc.value == close(sk.matthews_corrcoef(y_true, y_pred))
    else:
        assert math.isnan(found.mcc.value)


@settings(deadline=None, max_examples=50)
@given(tables())
def test_what_scores_say_equals_scikit_learn_on_one_score_per_bin(table):
    """With every row at its bin's score, AUC, Brier score and log loss are exact."""
    counts, positive, scores = table
    y_true, _, bins = rows_of(counts, positive)
    found = binary_performance(counts, positive=positive, scores=scores)
    if len(set(y_true)) == 2:
        assert found.roc_auc.value == close(sk.roc_auc_score(y_true, bins))
    else:
        assert math.isnan(found.roc_auc.value)
    assert found.brier.value == close(sk.brier_score_loss(y_true, scores[bins], labels=[0, 1]))
    assert found.log_loss.value == close(sk.log_loss(y_true, scores[bins], labels=[0, 1]))
    used = np.unique(bins)
    gaps = [(bins == b).mean() * abs(y_true[bins == b].mean() - scores[b]) for b in used]
    assert found.ece.value == close(sum(gaps))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(-2, 2), st.floats(0.2, 3))
def test_binning_costs_no_more_than_stated(seed, mean, spread):
    """AUC, Brier score and log loss from bins stay within the documented bounds."""
    random = np.random.default_rng(seed)
    score = np.clip(1 / (1 + np.exp(-random.normal(mean, spread, 500))), 0.01, 0.99)
    outcome = (random.random(500) < score).astype(int)
    assume(0 < outcome.sum() < 500)
    place = np.minimum((score * 20).astype(int), 19)
    counts = np.zeros((20, 2))
    np.add.at(counts, (place, outcome), 1)
    found = binary_performance(counts, positive=POSITIVE, scores=MIDDLES)
    tied = (counts[:, 0] * counts[:, 1]).sum() / np.prod(counts.sum(axis=0))
    assert abs(found.roc_auc.value - sk.roc_auc_score(outcome, score)) <= tied / 2 + 1e-9
    assert abs(found.brier.value - sk.brier_score_loss(outcome, score)) <= 2 * 0.025
    shifts = np.abs(
        np.log(np.where(outcome, score / MIDDLES[place], (1 - score) / (1 - MIDDLES[place])))
    )
    assert abs(found.log_loss.value - sk.log_loss(outcome, score)) <= shifts.max() + 1e-9


def test_binning_costs_little_on_calibrated_scores():
    """With 100,000 rows in 20 bins: AUC within 1e-3, Brier score 3e-4, log loss 5e-3."""
    random = np.random.default_rng(0)
    score = 1 / (1 + np.exp(-random.normal(0, 1.5, 100_000)))
    outcome = (random.random(len(score)) < score).astype(int)
    place = np.minimum((score * 20).astype(int), 19)
    counts = np.bincount(place * 2 + outcome, minlength=40).reshape(20, 2)
    centers = np.bincount(place, weights=score, minlength=20) / counts.sum(axis=1)
    found = binary_performance(counts, positive=POSITIVE, scores=centers)
    assert found.roc_auc.value == pytest.approx(sk.roc_auc_score(outcome, score), abs=1e-3)
    assert found.brier.value == pytest.approx(sk.brier_score_loss(outcome, score), abs=3e-4)
    assert found.log_loss.value == pytest.approx(sk.log_loss(outcome, score), abs=5e-3)


@settings(deadline=None, max_examples=50)
@given(tables(), st.randoms(use_true_random=False))
def test_merged_equals_sequential(table, random):
    """Rows dealt out to two replicas have, added up, the figures of all rows."""
    counts, positive, scores = table
    y_true, y_pred, bins = rows_of(counts, positive)
    here = np.array([random.random() < 0.5 for _ in y_true], dtype=bool)
    parts = []
    for part in (here, ~here):
        parts.append(np.zeros_like(counts))
        np.add.at(parts[-1], (bins[part], y_true[part]), 1)
    merged = binary_performance(parts[0] + parts[1], positive=positive, scores=scores)
    assert merged.accuracy.value == close(sk.accuracy_score(y_true, y_pred))
    assert merged.brier.value == close(np.mean((scores[bins] - y_true) ** 2))


def test_windows_at_once_equal_one_by_one():
    """Leading axes are windows, segments, versions."""
    counts = draw_counts(np.random.default_rng(1), 50, 6).reshape(2, 3, 20, 2)
    whole = binary_performance(counts, positive=POSITIVE, scores=MIDDLES)
    for i, j in np.ndindex(2, 3):
        one = binary_performance(counts[i, j], positive=POSITIVE, scores=MIDDLES)
        for name in METRICS:
            assert whole.metrics[name].value[i, j] == close(one.metrics[name].value)
            assert whole.metrics[name].error[i, j] == close(one.metrics[name].error)


@settings(max_examples=40, deadline=None)
@given(tables(least=20))
def test_derivatives_equal_small_differences(table):
    """Every figure's gradient is what one more row in a cell does to it."""
    counts, positive, scores = table
    rows = counts + 1.5
    # One leading axis for the cell that is changed.
    steps = np.eye(rows.size).reshape(-1, *rows.shape) * 1e-5
    up, down = (linearised(rows + sign * steps, positive, scores) for sign in (1, -1))
    for name, (value, gradient) in linearised(rows, positive, scores).items():
        # The smallest step tips a bin that is exactly calibrated.
        if not name.startswith("ece") and not math.isnan(value):
            expected = (up[name].value - down[name].value) / 2e-5
            assert gradient.ravel() == pytest.approx(expected, rel=1e-4, abs=1e-7), name


@pytest.mark.parametrize(
    ("mean", "spread", "rows"), [(0, 2, 200), (0, 2, 2000), (-2, 1.5, 500), (0, 5, 500)]
)
def test_errors_are_the_scatter_of_windows(mean, spread, rows):
    """Over 2,000 windows the stated error is the standard deviation, within a tenth or so."""
    counts = draw_counts(np.random.default_rng(2), rows, 2000, mean=mean, spread=spread)
    found = binary_performance(counts, positive=POSITIVE, scores=MIDDLES)
    for name, (value, error) in found.metrics.items():
        ratio = np.sqrt(np.mean(error**2)) / value.std()
        # Around zero a calibration gap only scatters to one side: its error is generous.
        low, high = (1.0, 2.0) if name.startswith("ece") else (0.92, 1.18)
        assert low < ratio < high, name


def test_the_auc_error_is_delongs():
    """On many rows it equals DeLong's covariance, worked out row by row."""
    counts = draw_counts(np.random.default_rng(3), 4000, 1)[0]
    y_true, _, bins = rows_of(counts, POSITIVE)
    positive, negative = bins[y_true == 1][:, None], bins[y_true == 0][None, :]
    wins = (positive > negative) + 0.5 * (positive == negative)
    expected = math.sqrt(
        wins.mean(axis=1).var(ddof=1) / len(positive)
        + wins.mean(axis=0).var(ddof=1) / negative.shape[1]
    )
    found = binary_performance(counts, positive=POSITIVE)
    assert found.roc_auc.error == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize(("mean", "spread"), [(0, 2), (-4, 1.5), (-5, 1), (0, 6)])
@pytest.mark.parametrize("rows", [30, 300])
def test_windows_without_change_are_no_alarm(mean, spread, rows):
    """Down to 30 rows with hardly a positive, |z| > 5 is rarer than 1 in 300."""
    random = np.random.default_rng(4)
    big = draw_counts(random, 20_000, 1, mean=mean, spread=spread)[0]
    baseline = binary_performance(big, positive=POSITIVE, scores=MIDDLES)
    windows = draw_counts(random, rows, 3000, mean=mean, spread=spread)
    live = binary_performance(windows, positive=POSITIVE, scores=MIDDLES)
    for name in METRICS:
        # The plain gap is never 0 by chance alone: it is ece_excess that compares.
        if name != "ece":
            z = z_score(live.metrics[name], baseline.metrics[name])
            assert np.mean(np.abs(z) > 5) < 1 / 300, name


def test_a_few_perfect_answers_prove_nothing():
    """20 right of 20 is no significant rise from 95 %, and its error is not 0."""
    counts = np.array([[10, 0], [0, 10]])
    found = binary_performance(counts, positive=[False, True], scores=[0.1, 0.9])
    assert found.accuracy.value == found.roc_auc.value == 1
    assert found.accuracy.error == pytest.approx(math.sqrt(22 * 2 / 24**3))
    assert all(estimate.error > 0.02 for estimate in found.metrics.values())


@pytest.mark.parametrize("rows", [20, 50, 500])
def test_calibration_excess_is_nothing_for_a_calibrated_model(rows):
    """Chance makes the ECE of a calibrated model 0.19 on 50 rows; the excess stays near 0."""
    random = np.random.default_rng(5)
    place = random.integers(0, 20, (4000, rows))
    outcome = random.random(place.shape) < MIDDLES[place]
    cell = (np.arange(4000)[:, None] * 20 + place) * 2 + outcome
    counts = np.bincount(cell.ravel(), minlength=4000 * 40).reshape(4000, 20, 2)
    found = binary_performance(counts, positive=POSITIVE, scores=MIDDLES)
    assert abs(found.ece_excess.value.mean()) < 0.1 * found.ece.value.mean()
    if rows == 50:
        assert found.ece.value.mean() == pytest.approx(0.19, abs=0.01)


def test_no_rows_give_nothing():
    """Without rows every figure is NaN and `rows` is 0; without scores only some are."""
    empty = binary_performance(np.zeros((3, 20, 2)), positive=POSITIVE, scores=MIDDLES)
    assert empty.rows.tolist() == [0, 0, 0]
    assert all(np.isnan([e.value, e.error]).all() for e in empty.metrics.values())
    counts = np.ones((4, 2))
    bare = binary_performance(counts, positive=[False, False, True, True])
    unknown = {name for name, e in bare.metrics.items() if np.isnan(e.value)}
    assert unknown == {"brier", "log_loss", "ece", "ece_excess"}


def test_one_outcome_only_leaves_out_what_needs_both():
    """Without positive outcomes there is no recall, AUC or MCC; nothing warns."""
    counts = np.array([[5, 0], [3, 0]])
    found = binary_performance(counts, positive=[False, True], scores=[0.2, 0.7])
    undefined = {name for name, e in found.metrics.items() if np.isnan(e.value)}
    assert undefined == {"recall", "mcc", "roc_auc"}
    assert found.precision.value == found.f1.value == 0
    assert all(np.isnan(found.metrics[name].error) for name in undefined)


@settings(deadline=None, max_examples=50)
@given(tables())
def test_reliability_equals_scikit_learn(table):
    """The curve is calibration_curve's, with NaN in bins without rows."""
    counts, positive, scores = table
    y_true, _, bins = rows_of(counts, positive)
    found = reliability(counts)
    expected, _ = calibration_curve(y_true, scores[bins], n_bins=len(scores), pos_label=1)
    assert found.value[counts.sum(axis=1) > 0] == close(expected)
    assert (np.isnan(found.value) == (counts.sum(axis=1) == 0)).all()
    assert (np.isnan(found.error) == np.isnan(found.value)).all()


def test_positive_bins_start_at_the_threshold():
    """The bin that starts at the threshold is the first positive one; below never is."""
    assert positive_bins([0, 0.25, 0.5], 0.25).tolist() == [False, False, True, True]
    assert positive_bins([0, 0.25, 0.5], 0.3).tolist() == [False, False, False, True]
    assert positive_bins([0, 0.25, 0.5], -1).tolist() == [False, True, True, True]
