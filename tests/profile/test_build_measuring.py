"""Measuring a model when its profile is built: scikit-learn's figures, or the reason why not."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, mean_absolute_error, recall_score, roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import modelmeter as mm
from modelmeter.profile.folds import stratified_folds

RANDOM = np.random.default_rng(21)
N = 900
FRAME = pd.DataFrame(
    {
        "temp": RANDOM.normal(10, 5, N),
        "hour": RANDOM.integers(0, 24, N),
        "origin": RANDOM.choice(["JFK", "LGA", "EWR"], N),
    }
)
NUMBER = (FRAME["temp"] / 5 + FRAME["hour"] / 6 - 4 + RANDOM.normal(size=N)).rename("number")
LATE = (NUMBER > 0).astype(int).rename("late")
LEVEL = pd.Series(np.array(["low", "mid", "top"])[np.digitize(NUMBER, [-1, 1])], name="level")
TRAIN, HELD = slice(0, 600), slice(600, N)


def pipeline(final):
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["origin"]), remainder=StandardScaler()
    )
    return make_pipeline(encode, final)


def build(model, X, y=None, **options):
    return mm.Profile.build(model, X, y, name="m", version="1", **options)


def value(profile, metric, of_class=None):
    return profile.baseline.get(metric, of_class).value


# rows held out


@pytest.mark.parametrize("form", ["pandas", "polars", "parquet", "column", "batches"])
def test_a_hold_out_is_measured_as_scikit_learn_does(form, tmp_path, request):
    """Accuracy and AUC are those of the model on the rows held out, however they are given."""
    model = pipeline(LogisticRegression()).fit(FRAME[TRAIN], LATE[TRAIN])
    X, y = FRAME[HELD], LATE[HELD]
    if form == "polars":
        X = pl.from_pandas(X)
    elif form in ("parquet", "column"):
        X, y = X.assign(late=y, comment="text"), "late"
    elif form == "batches":
        request.getfixturevalue("small_batches")
    if form == "parquet":
        X.to_parquet(tmp_path / "held.parquet")
        X = tmp_path / "held.parquet"
    profile = build(model, FRAME[TRAIN], LATE[TRAIN], X_holdout=X, y_holdout=y)
    assert profile.baseline.method == "hold-out"
    assert profile.baseline.rows == profile.calibration.rows == 300
    assert profile.unmeasured == ""
    said, score = model.predict(FRAME[HELD]), model.predict_proba(FRAME[HELD])[:, 1]
    assert value(profile, "accuracy") == pytest.approx(accuracy_score(LATE[HELD], said))
    assert value(profile, "roc_auc") == pytest.approx(roc_auc_score(LATE[HELD], score), abs=5e-3)


def test_a_hold_out_needs_no_y():
    """A callable without true values of its training data is measured on rows held out."""

    def late(X):
        return (X["hour"] > 12).to_numpy()

    y = FRAME["hour"][HELD] > 12
    profile = build(late, FRAME[TRAIN], X_holdout=FRAME[HELD], y_holdout=y)
    assert profile.target is None
    assert value(profile, "accuracy") == 1


def test_arrays_are_held_out_by_their_columns():
    """An array held out has the columns of the training array."""
    X = FRAME[["temp", "hour"]].to_numpy()
    model = LinearRegression().fit(X[TRAIN], NUMBER[TRAIN])
    held = {"X_holdout": X[HELD], "y_holdout": NUMBER[HELD].to_numpy()}
    profile = build(model, X[TRAIN], feature_names=["temp", "hour"], **held)
    expected = mean_absolute_error(NUMBER[HELD], model.predict(X[HELD]))
    assert value(profile, "mae") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"X_holdout": FRAME}, "X_holdout is given without y_holdout"),
        ({"y_holdout": LATE}, "y_holdout is given without X_holdout"),
        ({"X_holdout": FRAME[["temp", "hour"]], "y_holdout": LATE}, "X_holdout has no .*'origin'"),
        ({"X_holdout": FRAME, "y_holdout": "late"}, "X_holdout has no column 'late'"),
        ({"X_holdout": FRAME, "y_holdout": "hour"}, "y_holdout='hour' is a column that the model"),
        ({"X_holdout": FRAME, "y_holdout": LATE[:5]}, "X_holdout and y_holdout: y has 5 values"),
        ({"X_holdout": FRAME, "y_holdout": LATE + 7}, "none of the model's classes"),
        ({"X_holdout": 3, "y_holdout": LATE}, "X_holdout: X must be a data frame"),
    ],
)
def test_rows_held_out_that_do_not_fit_are_refused(options, words):
    """One without the other, a column that lacks, another length, strange classes."""
    model = pipeline(LogisticRegression()).fit(FRAME, LATE)
    with pytest.raises(mm.DataError, match=words):
        build(model, FRAME, LATE, **options)


# cross-validation


@pytest.mark.parametrize(
    ("final", "y"),
    [(LogisticRegression(), LATE), (LinearSVC(), LATE), (LogisticRegression(), LEVEL)],
    ids=["probabilities", "margins", "classes"],
)
def test_folds_give_the_figures_of_scikit_learn(final, y):
    """Over the same folds, accuracy and recall are those of `cross_val_predict`."""
    model = pipeline(final).fit(FRAME, y)
    profile = build(model, FRAME, y)
    codes = np.unique(y, return_inverse=True)[1]
    said = cross_val_predict(model, FRAME, y, cv=PredefinedSplit(stratified_folds(codes, 5)))
    assert profile.baseline.method == "cross-validation, 5 folds"
    assert value(profile, "accuracy") == pytest.approx(accuracy_score(y, said))
    if y is LEVEL:
        found = [value(profile, "recall", c) for c in profile.model.classes]
        assert found == pytest.approx(recall_score(y, said, average=None))


def sources(folder):
    whole = FRAME.assign(late=LATE)
    whole.to_parquet(folder / "train.parquet")
    return {
        "pandas": (FRAME, LATE),
        "column": (whole, "late"),
        "polars": (pl.from_pandas(whole), "late"),
        "parquet": (folder / "train.parquet", "late"),
    }


def test_every_source_is_measured_alike(tmp_path):
    """The same data give the same baseline and calibration, wherever they come from."""
    model = pipeline(LogisticRegression()).fit(FRAME, LATE)
    found = [build(model, *source) for source in sources(tmp_path).values()]
    assert all(profile.baseline == found[0].baseline for profile in found)
    # What stands for a bin is a mean, whose sum polars adds up in another order.
    for profile in found:
        assert profile.calibration.counts == found[0].calibration.counts
        assert profile.calibration.scores == pytest.approx(found[0].calibration.scores)


class Strict(ClassifierMixin, BaseEstimator):
    """Refuses to be asked about who it was fitted on, unless it was fitted on all."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.known_ = set(X["who"])
        self.rows_ = len(X)
        return self

    def predict(self, X):
        assert self.rows_ == N or not self.known_ & set(X["who"])
        return self.classes_[(X["temp"] > 10).astype(int)]


@pytest.mark.parametrize("as_column", [True, False])
def test_rows_of_a_group_are_never_split(as_column):
    """No model is asked about a group that it was fitted on, and no group reaches a model."""
    who = RANDOM.integers(0, 40, N)
    X = FRAME[["temp"]].assign(who=who)
    model = Strict().fit(X, LATE)
    groups = pd.Series(who).map("customer {}".format)
    given = X.assign(customer=groups) if as_column else X
    measuring = mm.Measuring(groups="customer" if as_column else groups)
    profile = build(model, given, LATE, measuring=measuring)
    assert profile.baseline.method == "cross-validation, 5 folds of whole groups"
    assert profile.baseline.rows == N
    assert [f.name for f in profile.features] == ["temp", "who"]
    assert "AssertionError" in build(model, X, LATE).unmeasured


def test_companions_named_as_columns_do_not_reach_the_model():
    """Target, time stamps and groups are columns of the data and no features."""
    when = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(N), "h")
    X = FRAME.assign(late=LATE, when=when, customer=np.arange(N) // 9)
    model = pipeline(LogisticRegression()).fit(FRAME, LATE)
    by_time = build(model, X, "late", timestamps="when", drop=["customer"])
    assert by_time.baseline.method == "cross-validation, 5 blocks of time"
    profile = build(
        model, X, "late", timestamps="when", measuring=mm.Measuring(groups="customer", folds=3)
    )
    assert profile.baseline.method == "cross-validation, 3 folds of whole groups"
    assert [f.name for f in profile.features] == list(FRAME.columns)


def test_what_measuring_costs_is_bounded(caplog):
    """Of many rows a sample is drawn; how it was measured is logged and kept."""
    model = pipeline(LogisticRegression()).fit(FRAME, LATE)
    with caplog.at_level(logging.INFO, logger="modelmeter"):
        profile = build(model, FRAME, LATE, measuring=mm.Measuring(max_rows=100, folds=2))
    how = "cross-validation, 2 folds, on a sample of 100 of 900 rows"
    assert (profile.baseline.method, profile.baseline.rows) == (how, 100)
    assert f"m: performance is measured by {how}, 100 rows" in caplog.messages


def test_a_part_is_measured_by_the_bins_of_another():
    """With bins given, the calibration is by those bins."""
    model = pipeline(LogisticRegression()).fit(FRAME, LATE)
    whole = build(model, FRAME, LATE)
    part = build(model, FRAME[HELD], LATE[HELD], bins_from=whole)
    assert np.shape(part.calibration.counts) == np.shape(whole.calibration.counts)
    assert part.baseline.rows == 300


# models that do not name their classes


class Nameless(BaseEstimator):
    """A classifier without ``classes_``, that never says the third class."""

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.where(X["temp"].to_numpy() > 10, "top", "low")


def test_classes_that_are_true_and_never_predicted_are_classes():
    """Without ``classes_`` the classes are those predicted and those true."""
    profile = build(Nameless().fit(FRAME, LEVEL), FRAME, LEVEL)
    assert profile.model.classes == ("low", "mid", "top")
    assert profile.model.task == "multiclass"
    assert value(profile, "recall", "mid") == 0
    assert build(Nameless(), FRAME).model.classes == ("low", "top")


def test_whole_numbers_beside_fractions_are_no_classes():
    """A model that rounds is a regression where the truth is not round."""

    def rounded(X):
        return (X["hour"].to_numpy() > 11).astype(int)

    truth = np.linspace(0, 1, 11)[np.arange(N) % 11]
    assert build(rounded, FRAME, truth).model.task == "regression"
    assert build(rounded, FRAME, truth.round().astype(float)).model.classes == (0, 1)


def test_truth_in_another_language_is_no_error():
    """An outlier detector says 1 and -1 of what its user calls 0 and 1: it is not measured."""
    X = FRAME[["temp", "hour"]]
    profile = build(IsolationForest(n_estimators=5, random_state=0).fit(X), X, LATE)
    assert profile.model.classes == (-1, 1)
    assert "which the model never answered: give it classes_" in profile.unmeasured


# nothing to measure


class Stubborn(LogisticRegression):
    """Fits once, on all rows."""

    def fit(self, X, y):
        if len(X) < N:
            raise RuntimeError("not again")
        return super().fit(X, y)


NUMBERS = FRAME[["temp", "hour"]]


@pytest.mark.parametrize(
    ("model", "y", "options", "words"),
    [
        (None, LATE, {}, "does not predict"),
        (StandardScaler().fit(NUMBERS), LATE, {}, "does not predict"),
        (LogisticRegression().fit(NUMBERS, LATE), None, {}, "no true values were given"),
        (LogisticRegression().fit(NUMBERS, LATE), LATE, {"folds": 0}, "folds=0"),
        (lambda X: X["temp"] * 2, NUMBER, {}, "X_holdout and y_holdout"),
        (FrozenEstimator(LogisticRegression().fit(NUMBERS, LATE)), LATE, {}, "X_holdout"),
        (Stubborn().fit(NUMBERS, LATE), LATE, {}, "not again"),
        (lambda X: np.full(len(X), "a"), np.full(N, "a"), {}, "one class only"),
        (lambda X: [f"Dear {i}" for i in range(len(X))], LEVEL, {}, "too many different"),
        (LinearRegression().fit(NUMBERS, NUMBER * 1e90), NUMBER * 1e90, {}, "too large"),
    ],
    ids=[
        "none",
        "transformer",
        "no y",
        "no folds",
        "callable",
        "frozen",
        "fails",
        "one class",
        "texts",
        "huge",
    ],
)
def test_what_cannot_be_measured_is_built_and_says_why(model, y, options, words, tmp_path, caplog):
    """The profile is built all the same, keeps the reason and logs it, and can be saved."""
    with caplog.at_level(logging.INFO, logger="modelmeter"):
        profile = build(model, NUMBERS, y, measuring=mm.Measuring(**options))
    assert (profile.baseline, profile.calibration) == (None, None)
    assert words in profile.unmeasured
    assert f"m: performance is not measured: {profile.unmeasured}" in caplog.messages
    profile.save(tmp_path / "m.json")
    assert mm.Profile.load(tmp_path / "m.json") == profile


def test_no_folds_do_not_hinder_a_hold_out():
    """Rows held out are measured even where no model is fitted anew."""
    model = LogisticRegression().fit(NUMBERS[TRAIN], LATE[TRAIN])
    held = {"X_holdout": NUMBERS[HELD], "y_holdout": LATE[HELD]}
    profile = build(model, NUMBERS[TRAIN], LATE[TRAIN], measuring=mm.Measuring(folds=0), **held)
    assert profile.baseline.method == "hold-out"


def test_answers_that_are_none_measure_nothing():
    """A model that answers NaN to every row held out has no baseline."""

    def model(X):
        return np.where(X["temp"] > 1000, np.nan, 1.5)

    far = NUMBERS.assign(temp=2000.0)
    profile = build(model, NUMBERS, X_holdout=far, y_holdout=NUMBER)
    assert "no valid answer" in profile.unmeasured


def test_too_many_classes_are_not_measured(monkeypatch):
    """A table of classes by classes by bins that would not fit in memory is not made."""
    monkeypatch.setattr("modelmeter.profile.measured.MOST_CELLS", 100)
    model = LogisticRegression().fit(NUMBERS, LEVEL)
    assert "3 classes by 22 score bins are too many" in build(model, NUMBERS, LEVEL).unmeasured


# settings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 1}, "folds must be 0 or from 2 on, not 1"),
        ({"folds": 2.0}, "folds must be a whole number from 0 to 100, not 2.0"),
        ({"folds": -1}, "folds must be"),
        ({"max_rows": 0}, "max_rows must be a whole number from 10"),
        ({"max_segment_series": True}, "max_segment_series must be"),
        ({"canary_source": "real"}, r"canary_source must be one of .* not 'real'"),
    ],
)
def test_bad_settings_are_refused_by_name(options, words):
    """A setting out of its range is refused by its name and value."""
    with pytest.raises(mm.ConfigurationError, match=words):
        mm.Measuring(**options)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ("customer", "groups='customer' is no column of X"),
        (np.arange(5), "groups has 5 values"),
        ([None, *range(N - 1)], "groups: row 0 holds None; every row needs a group"),
        (pd.Series([[1]] * N), "groups must be plain values"),
    ],
)
def test_bad_groups_are_refused(groups, words):
    """Groups that are not there, too few, missing, or no values are refused."""
    model = LogisticRegression().fit(NUMBERS, LATE)
    with pytest.raises(mm.DataError, match=words):
        build(model, NUMBERS, LATE, measuring=mm.Measuring(groups=groups))
