"""Answers out of sample: the same folds as scikit-learn's, the model given left alone."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    PredefinedSplit,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from modelmeter._errors import DataError, ModelError
from modelmeter.profile.facts import inspect_model
from modelmeter.profile.folds import group_folds, shuffled_folds, stratified_folds, time_blocks
from modelmeter.profile.labelled import labelled_batches, labelled_sample
from modelmeter.profile.outofsample import OutOfSample, cross_validate, hold_out
from modelmeter.profile.refit import Unmeasured, unfitted
from modelmeter.profile.sources import open_source

NAMES = ["a", "b", "c"]


@pytest.fixture
def rows():
    """Return 400 rows of three features whose sum decides, with noise."""
    random = np.random.default_rng(0)
    X = random.normal(size=(400, 3))
    y = (X.sum(axis=1) + random.normal(size=400) > 0).astype(int)
    return X, y


def measured(model, X, y, *, facts=None, **options):
    source = open_source(X, NAMES if isinstance(X, np.ndarray) else None)
    return cross_validate(model, facts or inspect_model(model), source, NAMES, y=y, **options)


def held(model, X, y):
    source = open_source(X, NAMES if isinstance(X, np.ndarray) else None)
    return hold_out(model, inspect_model(model), source, NAMES, y=y)


def reason(found):
    assert isinstance(found, Unmeasured), found
    return found.reason


# folds


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=300), st.integers(2, 7))
def test_stratified_folds_are_even_in_every_class(codes, folds):
    """Every class, and all rows together, differ by at most one row between folds."""
    codes = np.array(codes)
    found = stratified_folds(codes, folds)
    for part in (found, *(found[codes == code] for code in set(codes))):
        rows = np.bincount(part, minlength=folds)
        assert rows.max() - rows.min() <= 1
    assert (found == stratified_folds(codes, folds)).all()


def test_shuffled_folds_mix_the_order():
    """Folds are no blocks of neighbouring rows, and another seed deals otherwise."""
    found = shuffled_folds(1000, 5)
    assert np.bincount(found).tolist() == [200] * 5
    assert abs(np.corrcoef(found, np.arange(1000))[0, 1]) < 0.1
    assert (found != shuffled_folds(1000, 5, seed=1)).any()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(2, 7))
def test_time_blocks_follow_time_and_part_no_moment(times, folds):
    """A later row is never in an earlier block, whatever the order of the rows."""
    times = np.array(times, float)
    found = time_blocks(times, folds)
    order = np.argsort(times, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert all(len(set(found[times == moment])) == 1 for moment in times)
    assert found.max() < folds


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=200), st.integers(2, 5))
def test_groups_stay_together_in_even_folds(groups, folds):
    """A group is in one fold; the fullest fold has at most one group more than its share."""
    groups = np.array(groups)
    found = group_folds(groups, folds)
    assert all(len(set(found[groups == group])) == 1 for group in groups)
    largest = max(Counter(groups.tolist()).values())
    assert np.bincount(found).max() <= len(groups) / folds + largest


# a sample of the labelled rows


def test_a_sample_is_evenly_drawn_and_the_same_again():
    """Whatever the batches, so many rows, each as likely, in the order of the data."""
    X = np.arange(500_000, dtype=float).reshape(-1, 1)

    def draw():
        batches = labelled_batches(open_source(X, ["x"]), ["x"], as_array=True, y=X[:, 0])
        return labelled_sample(batches, 10_000)

    (sample, total), (again, _) = draw(), draw()
    assert total == 500_000
    assert len(sample) == 10_000
    assert (np.diff(sample.numbers) > 0).all()
    assert (sample.X[:, 0] == sample.numbers).all()
    assert (sample.y == sample.numbers).all()
    assert sample.numbers.mean() == pytest.approx(250_000, rel=0.03)
    assert (sample.numbers == again.numbers).all()


def test_frames_and_what_comes_with_them_are_put_together_again():
    """A sample over several batches of a frame has its times and groups beside it."""
    n = 150_000
    frame = pd.DataFrame({"x": np.arange(n), "y": np.arange(n) % 7, "g": np.arange(n) // 2})
    batches = labelled_batches(
        open_source(frame, None),
        ["x"],
        as_array=False,
        y="y",
        timestamps=np.arange(n) * 60.0,
        groups="g",
    )
    sample, total = labelled_sample(batches, 2 * n)
    assert total == len(sample) == len(sample.X) == n
    part = sample.take(np.array([3, 140_000]))
    assert part.X["x"].tolist() == part.numbers.tolist() == [3, 140_000]
    assert part.y.tolist() == [3, 0]
    assert part.times.tolist() == [180, 8_400_000]
    assert part.groups.tolist() == [1, 70_000]


def test_more_true_values_than_rows_are_refused():
    """An array that is longer than the data is as wrong as one that is shorter."""
    X = np.zeros((3, 1))
    with pytest.raises(DataError, match="y has 4 values for 3 rows"):
        list(labelled_batches(open_source(X, ["x"]), ["x"], as_array=True, y=np.zeros(4)))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_rows_without_a_true_value_are_left_out(make):
    """Missing labels of any kind are dropped, and whole numbers stay whole."""
    truths = [[1, None, 0, 1], ["x", None, "y", "x"], [0.5, float("nan"), 0.1, 2.0]]
    for truth in truths:
        frame = make({"a": [1, 2, 3, 4], "y": truth})
        batches = labelled_batches(open_source(frame, None), ["a"], as_array=False, y="y")
        found, total = labelled_sample(batches, 100)
        assert total == 3
        assert found.numbers.tolist() == [0, 2, 3]
        assert found.y.tolist() == [truth[0], truth[2], truth[3]]
        assert isinstance(found.X, make)
        assert list(found.X.columns) == ["a"]


# a model like the one given, not fitted


def test_a_new_model_has_learnt_nothing(rows):
    """It has the same settings, none of what was learnt, and shares nothing."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3)).fit(*rows)
    new = unfitted(model)
    assert new[-1].C == 0.3
    assert not hasattr(new[-1], "coef_")
    assert new[-1] is not model[-1]


def test_a_search_stands_for_its_best_estimator(rows):
    """The settings that were found are used; the search is not run again."""
    search = GridSearchCV(LogisticRegression(), {"C": [0.01, 1]}, cv=2).fit(*rows)
    new = unfitted(search)
    assert isinstance(new, LogisticRegression)
    assert search.best_params_["C"] == new.C


class Parameters:
    """A model of another library, with get_params and no hook of scikit-learn's."""

    def __init__(self, inner=None, depth=1):
        self.inner = inner
        self.depth = depth

    def get_params(self, deep=True):
        return {"inner": self.inner, "depth": self.depth}

    def fit(self, X, y):
        self.learnt = True
        return self


def test_other_libraries_are_made_anew_from_their_parameters():
    """Parts that were fitted are made anew too, not copied with what they know."""
    inner, depth = LogisticRegression().fit([[0], [1]], [0, 1]), [3]
    new = unfitted(Parameters(inner, depth).fit(None, None))
    assert isinstance(new, Parameters)
    assert new.depth == depth
    assert new.depth is not depth
    assert not hasattr(new, "learnt")
    assert not hasattr(new.inner, "coef_")


def test_what_would_stay_fitted_is_refused(rows):
    """Frozen and prefit parts have seen the rows: no figures are made from them."""
    fitted = LogisticRegression().fit(*rows)
    for model in (
        FrozenEstimator(fitted),
        make_pipeline(StandardScaler(), FrozenEstimator(fitted)).fit(*rows),
        CalibratedClassifierCV(FrozenEstimator(fitted)).fit(*rows),
        make_pipeline(SelectFromModel(fitted, prefit=True), LogisticRegression()).fit(*rows),
    ):
        assert "X_holdout" in reason(unfitted(model))
        assert "X_holdout" in reason(measured(model, *rows))


class Homemade:
    """A model that goes on learning when fitted again, as many do."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.zeros(len(X))


@pytest.mark.parametrize("model", [Homemade(), lambda X: X[:, 0], LogisticRegression])
def test_what_cannot_be_made_anew_is_refused(model):
    """Callables, classes and objects without get_params are not fitted again."""
    assert "cannot be fitted again" in reason(unfitted(model))


def test_a_constructor_that_fails_is_a_reason():
    """Nothing is raised from making a model anew."""

    class Odd(Parameters):
        def get_params(self, deep=True):
            return {"wrong": 1}

    assert "wrong" in reason(unfitted(Odd()))


# cross-validation


@pytest.mark.parametrize("as_frame", [False, True])
def test_answers_equal_scikit_learns_over_the_same_folds(rows, as_frame):
    """Scores are cross_val_predict's; every row is answered once, in order."""
    X, y = rows
    X = pd.DataFrame(X, columns=NAMES) if as_frame else X
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    found = measured(model, X, y)
    split = PredefinedSplit(stratified_folds(y, 5))
    expected = cross_val_predict(model, X, y, cv=split, method="predict_proba")[:, 1]
    assert found.y_score == pytest.approx(expected)
    assert found.y_pred.tolist() == (expected > 0.5).astype(int).tolist()
    assert found.y_true.tolist() == y.tolist()
    assert found.numbers.tolist() == list(range(400))
    assert found.method == "cross-validation, 5 folds"


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(warm_start=True),
        RandomForestClassifier(n_estimators=5, random_state=np.random.RandomState(0)),
        make_pipeline(StandardScaler(copy=False), LogisticRegression()),
    ],
    ids=["warm_start", "random_state", "in_place"],
)
def test_the_model_and_the_data_are_not_touched(rows, model):
    """Before and after, the model pickles to the same bytes and the data are the same."""
    X, y = rows
    model.fit(X.copy(), y)
    before, data = pickle.dumps(model), X.copy()
    assert len(measured(model, X, y)) == 400
    assert pickle.dumps(model) == before
    assert (data == X).all()


def test_what_was_learnt_by_heart_does_not_help():
    """On random labels a tree that knows its rows is right half of the time."""
    random = np.random.default_rng(1)
    X, y = random.normal(size=(600, 3)), random.integers(0, 2, 600)
    model = DecisionTreeClassifier(random_state=0).fit(X, y)
    assert model.score(X, y) == 1
    found = measured(model, X, y)
    assert 0.42 < np.mean(found.y_true == found.y_pred) < 0.58


def test_time_stamps_make_blocks_of_time():
    """A model that knows its days by heart is not asked about days that it knows."""
    random = np.random.default_rng(2)
    day = np.repeat(np.arange(60), 20)
    X = np.stack([day + random.normal(0, 0.01, 1200), *random.normal(size=(2, 1200))], axis=1)
    y = random.integers(0, 2, 60)[day]
    model = DecisionTreeClassifier(random_state=0).fit(X, y)
    blocked = measured(model, X, y, timestamps=day * 86_400.0)
    mixed = measured(model, X, y)
    assert blocked.method == "cross-validation, 5 blocks of time"
    assert np.mean(mixed.y_true == mixed.y_pred) > 0.95
    assert np.mean(blocked.y_true == blocked.y_pred) < 0.75


def test_groups_are_held_out_as_wholes():
    """A model that knows its customers by heart is asked about strangers."""
    random = np.random.default_rng(3)
    who = np.repeat(np.arange(50), 20)
    X = np.stack([who, *random.normal(size=(2, 1000))], axis=1)
    y = random.integers(0, 2, 50)[who]
    model = DecisionTreeClassifier(random_state=0).fit(X, y)
    found = measured(model, X, y, groups=who, timestamps=np.arange(1000.0))
    assert found.method == "cross-validation, 5 folds of whole groups"
    assert np.mean(found.y_true == found.y_pred) < 0.75


def test_cost_is_bounded(rows):
    """Of many rows a sample is used, and the method says so."""
    X, y = rows
    found = measured(LogisticRegression().fit(X, y), X, y, max_rows=100, folds=2)
    assert len(found) == 100
    assert found.method == "cross-validation, 2 folds, on a sample of 100 of 400 rows"


def test_columns_of_the_frame_are_taken_by_name(rows):
    """True values and times may be columns of the data."""
    X, y = rows
    frame = pd.DataFrame(X, columns=NAMES).assign(
        y=np.where(y, "yes", "no"), when=pd.date_range("2026-01-01", periods=400, freq="h")
    )
    model = LogisticRegression().fit(frame[NAMES], frame["y"])
    found = measured(model, frame, "y", timestamps="when")
    assert found.y_true.tolist() == y.tolist()
    assert "blocks of time" in found.method


def test_a_threshold_decides_as_in_production(rows):
    """Classes follow from scores and the profile's threshold, not from the model's predict."""
    X, y = rows
    model = LogisticRegression().fit(X, y)
    found = measured(model, X, y, facts=inspect_model(model, 0.8))
    assert found.y_pred.tolist() == (found.y_score >= 0.8).astype(int).tolist()
    fixed = FixedThresholdClassifier(LogisticRegression(), threshold=0.8).fit(X, y)
    assert len(measured(fixed, X, y)) == 400


def test_several_classes_have_their_confidence(rows):
    """Three classes: answers are positions in classes_, scores the largest probability."""
    X, _ = rows
    y = np.array(["low", "mid", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    model = LogisticRegression().fit(X, y)
    found = measured(model, X, y)
    assert np.asarray(model.classes_)[found.y_true].tolist() == y.tolist()
    assert np.mean(found.y_true == found.y_pred) > 0.9
    assert (found.y_score >= 1 / 3).all()


def test_a_class_too_rare_for_every_fold_is_no_failure(rows):
    """A fit that never saw a class cannot predict it, and the others are measured."""
    X, _ = rows
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    y[0] = 3
    found = measured(LogisticRegression().fit(X, y), X, y)
    assert found.y_true[0] == 3
    assert found.y_pred[0] != 3


def test_classifiers_without_probabilities_have_margins_or_nothing(rows):
    """Scores come from the method that the facts name, and are None where there is none."""
    X, y = rows
    margins = measured(RidgeClassifier().fit(X, y), X, y)
    assert margins.y_score.min() < 0
    assert (margins.y_pred == (margins.y_score > 0)).all()

    class Bare(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return self.classes_[(X[:, 0] > 0).astype(int)]

    bare = measured(Bare().fit(X, y), X, y)
    assert bare.y_score is None
    assert bare.y_pred.tolist() == (X[:, 0] > 0).astype(int).tolist()


def test_a_regression_has_numbers(rows):
    """Predictions are cross_val_predict's over the same folds."""
    X, _ = rows
    y = X @ [1.0, 2.0, 3.0] + np.random.default_rng(4).normal(size=400)
    model = LinearRegression().fit(X, y)
    found = measured(model, X, y)
    expected = cross_val_predict(model, X, y, cv=PredefinedSplit(shuffled_folds(400, 5)))
    assert found.y_pred == pytest.approx(expected)
    assert found.y_score is None


def test_what_cannot_be_measured_says_why(rows):
    """No truth, a transformer, too few rows, one class in a fold, a fit that fails."""
    X, y = rows
    model = LogisticRegression().fit(X, y)
    assert "give y" in reason(measured(model, X, None))
    assert "does not predict" in reason(measured(StandardScaler().fit(X), X, y))
    assert "no true value" in reason(measured(model, X, np.full(400, np.nan)))
    lonely = np.zeros(400, dtype=int)
    lonely[7] = 1
    assert "one class" in reason(measured(model, X, lonely))
    assert "too few" in reason(measured(model, X[:1], y[:1]))
    assert "too few" in reason(measured(model, X, y, groups=np.zeros(400)))

    class Stubborn(DummyClassifier):
        def fit(self, X, y, sample_weight=None):
            if len(X) < 400:
                raise RuntimeError("not again")
            return super().fit(X, y)

    assert "not again" in reason(measured(Stubborn().fit(X, y), X, y))


def test_truth_that_the_model_cannot_have_learnt_is_refused(rows):
    """A strange class, an infinite number, a text, another length: the row is named."""
    X, y = rows
    strange = y.copy()
    strange[5] = 9
    with pytest.raises(DataError, match=r"row 5 holds .*9.* none of the model's classes \[0, 1\]"):
        measured(LogisticRegression().fit(X, y), X, strange)
    model = LinearRegression().fit(X, y)
    endless = y.astype(float)
    endless[3] = np.inf
    with pytest.raises(DataError, match=r"row 3 holds .*inf"):
        measured(model, X, endless)
    with pytest.raises(DataError, match="must be numbers"):
        measured(model, X, np.array(["x"] * 400))
    with pytest.raises(DataError, match="y has 399 values"):
        measured(model, X, y[:-1])


# hold-out


def test_a_hold_out_is_asked_of_the_model_itself(rows):
    """Answers are the model's own, over batches, without rows whose truth is unknown."""
    X, y = rows
    model = LogisticRegression().fit(X[:200], y[:200])
    truth = y[200:].astype(float)
    truth[[0, 50]] = np.nan
    found = held(model, X[200:], truth)
    kept = ~np.isnan(truth)
    assert found.y_score == pytest.approx(model.predict_proba(X[200:][kept])[:, 1])
    assert found.y_true.tolist() == truth[kept].astype(int).tolist()
    assert found.numbers.tolist() == np.flatnonzero(kept).tolist()
    assert found.method == "hold-out"


def test_a_hold_out_serves_models_that_cannot_be_fitted_again(rows):
    """A callable is measured where rows were set aside, and only there."""
    X, y = rows

    def double(X):
        return 2.0 * X[:, 0]

    found = held(double, X, X[:, 0] * 2.0)
    assert found.y_pred == pytest.approx(found.y_true)
    assert "cannot be fitted again" in reason(measured(double, X, y))


def test_a_hold_out_without_truth_says_so(rows):
    """No y, or none known."""
    X, y = rows
    model = LogisticRegression().fit(X, y)
    assert "give y" in reason(held(model, X, None))
    assert "held out" in reason(held(model, X, np.full(400, np.nan)))


def test_a_model_that_fails_on_the_hold_out_is_named(rows):
    """The model's own message is kept."""

    def broken(X):
        raise RuntimeError("no such column")

    with pytest.raises(ModelError, match="no such column"):
        held(broken, *rows)


def test_a_segment_is_some_of_the_rows():
    """Rows are taken by mask, scores where there are any."""
    whole = OutOfSample(np.arange(3), np.arange(3), np.arange(3) / 2, np.arange(3), "hold-out")
    part = whole.take(np.array([True, False, True]))
    assert (part.y_true.tolist(), part.y_score.tolist(), len(part)) == ([0, 2], [0, 1], 2)
    bare = OutOfSample(whole.y_true, whole.y_pred, None, whole.numbers, "hold-out")
    assert bare.take(np.array([1])).y_score is None
