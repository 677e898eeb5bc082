"""Multiclass performance against scikit-learn on the same rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from modelmeter.stats.performance import binary_performance, multiclass_performance, z_score
from modelmeter.stats.performance.multiclass import linearised

CELLS = st.integers(0, 60) | st.just(0)


def close(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True)


def confusions(smallest=2, largest=5):
    sizes = st.integers(smallest, largest)
    return sizes.flatmap(lambda k: arrays(np.int64, (k, k), elements=CELLS)).filter(np.any)


def rows_of(confusion):
    true, said = (np.repeat(a.ravel(), confusion.ravel()) for a in np.indices(confusion.shape))
    return true, said


@settings(deadline=None, max_examples=50)
@given(confusions())
def test_figures_equal_scikit_learn(confusion):
    """Accuracy, macro F1, MCC and the figures by class are exact; undefined ones NaN."""
    y_true, y_pred = rows_of(confusion)
    labels = range(len(confusion))
    found = multiclass_performance(confusion)
    assert found.rows == len(y_true)
    assert found.accuracy.value == close(sk.accuracy_score(y_true, y_pred))
    assert found.macro_f1.value == close(
        sk.f1_score(y_true, y_pred, average="macro", zero_division=0)
    )
    for name, function in (
        ("precision", sk.precision_score),
        ("recall", sk.recall_score),
        ("f1", sk.f1_score),
    ):
        expected = function(y_true, y_pred, labels=labels, average=None, zero_division=math.nan)
        assert found.by_class[name].value == close(expected)
    if len(set(y_true)) > 1 and len(set(y_pred)) > 1:
        assert found.mcc.value == close(sk.matthews_corrcoef(y_true, y_pred))
    else:
        assert math.isnan(found.mcc.value)


@settings(deadline=None, max_examples=50)
@given(arrays(np.int64, (2, 2), elements=CELLS).filter(np.any))
def test_two_classes_are_the_binary_case(confusion):
    """Values and errors are those of two score bins."""
    found = multiclass_performance(confusion)
    binary = binary_performance(confusion.T, positive=[False, True])
    for name in ("accuracy", "mcc"):
        for mine, theirs in zip(getattr(found, name), getattr(binary, name), strict=True):
            assert mine == close(theirs)
    for name in ("precision", "recall", "f1"):
        for mine, theirs in zip(getattr(found, name), getattr(binary, name), strict=True):
            assert mine[1] == close(theirs)


@settings(max_examples=30, deadline=None)
@given(confusions(3, 4))
def test_derivatives_equal_small_differences(confusion):
    """Every figure's gradient is what one more row in a cell does to it."""
    rows = confusion + 1.5
    # One leading axis for the cell that is changed.
    steps = np.eye(rows.size).reshape(-1, *rows.shape) * 1e-5
    sides = linearised(rows), linearised(rows + steps), linearised(rows - steps)
    for (name, found), (_, up), (_, down) in zip(*sides, strict=True):
        expected = (up.value - down.value) / 2e-5
        assert found.gradient.ravel() == pytest.approx(expected, rel=1e-4, abs=1e-7), name


@settings(deadline=None, max_examples=50)
@given(confusions(3, 3), confusions(3, 3))
def test_merged_equals_sequential_and_windows_equal_one_by_one(a, b):
    """Matrices add up; leading axes are windows."""
    y_true, y_pred = (np.concatenate(p) for p in zip(rows_of(a), rows_of(b), strict=True))
    whole = multiclass_performance(np.stack([a, b, a + b]))
    assert whole.accuracy.value[2] == close(sk.accuracy_score(y_true, y_pred))
    for i, confusion in enumerate((a, b, a + b)):
        one = multiclass_performance(confusion)
        assert whole.macro_f1.value[i] == close(one.macro_f1.value)
        assert whole.macro_f1.error[i] == close(one.macro_f1.error)
        assert whole.f1.error[i] == close(one.f1.error)


def test_errors_are_the_scatter_of_windows():
    """Over 3,000 windows the stated error is the standard deviation, within a tenth or so."""
    random = np.random.default_rng(0)
    shares = np.array([[0.4, 0.05, 0.05], [0.03, 0.25, 0.02], [0.05, 0.02, 0.13]])
    tables = random.multinomial(400, shares.ravel(), 3000).reshape(-1, 3, 3)
    found = multiclass_performance(tables)
    for name, (value, error) in {**found.overall, **found.by_class}.items():
        ratio = np.sqrt(np.mean(error**2, axis=0)) / value.std(axis=0)
        assert (ratio > 0.94).all(), name
        assert (ratio < 1.12).all(), name


def test_windows_without_change_are_no_alarm():
    """With ten classes, one of them rare, |z| > 5 is rarer than 1 in 300 on 100 rows."""
    random = np.random.default_rng(1)
    frequency = np.array([0.3, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.04, 0.01])
    shares = frequency[:, None] * (0.9 * np.eye(10) + 0.01)
    baseline = multiclass_performance(shares * 20_000)
    live = multiclass_performance(random.multinomial(100, shares.ravel(), 2000).reshape(-1, 10, 10))
    for name, estimate in {**live.overall, **live.by_class}.items():
        z = z_score(estimate, getattr(baseline, name))
        assert np.mean(np.abs(z[np.isfinite(z)]) > 5) < 1 / 300, name


def test_no_rows_give_nothing():
    """Without rows every figure is NaN and nothing warns."""
    found = multiclass_performance(np.zeros((2, 3, 3)))
    assert found.rows.tolist() == [0, 0]
    for estimate in (*found.overall.values(), *found.by_class.values()):
        assert np.isnan(estimate.value).all()
        assert np.isnan(estimate.error).all()


def test_a_class_that_never_came_has_no_figures_and_does_not_count():
    """Macro F1 is over the classes that were true or predicted."""
    found = multiclass_performance([[5, 1, 0], [1, 5, 0], [0, 0, 0]])
    assert np.isnan([found.precision.value[2], found.recall.value[2], found.f1.value[2]]).all()
    assert found.macro_f1.value == pytest.approx(5 / 6)
    assert found.macro_f1.error > 0.05


def test_one_class_only_is_no_contradiction():
    """All rows right in the only class: accuracy 1 with an error, no MCC."""
    found = multiclass_performance([[20, 0], [0, 0]])
    assert found.accuracy.value == 1
    assert found.accuracy.error > 0.05
    assert math.isnan(found.mcc.value)
