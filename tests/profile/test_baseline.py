"""Baselines and calibrations: scikit-learn's figures out of sample, and files that come back."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier

from modelmeter import Profile
from modelmeter._errors import MergeError, ProfileFileError
from modelmeter.profile.baseline import Baseline, Measure, baseline_of, measure
from modelmeter.profile.calibration import Calibration, ErrorCalibration
from modelmeter.profile.check import Checker
from modelmeter.profile.outofsample import OutOfSample, cross_validate
from modelmeter.profile.sources import open_source
from modelmeter.stats.labels import is_label
from modelmeter.stats.performance import estimate_regression, z_score

NAMES = ["a", "b", "c"]


class Bare(ClassifierMixin, BaseEstimator):
    """A classifier without any scores."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[(X[:, 0] > 0).astype(int)]


def truth(kind):
    """Return 1,500 rows and their true values: two classes, three, or a number."""
    random = np.random.default_rng(0)
    X = random.normal(size=(1500, 3))
    number = X @ [1.0, 0.5, 0.0] + random.normal(size=1500)
    if kind == "number":
        return X, 100 + 10 * number
    if kind == "three":
        return X, np.array(["low", "mid", "top"])[np.digitize(number, [-0.7, 0.7])]
    return X, (number > 0.5).astype(int)


MODELS = {
    "probability": (LogisticRegression(), "two"),
    "margin": (RidgeClassifier(), "two"),
    "bare": (Bare(), "two"),
    "classes": (LogisticRegression(), "three"),
    "number": (LinearRegression(), "number"),
}


def built(kind):
    """Return a profile, the answers out of sample, and what is measured from them."""
    model, target = MODELS[kind]
    X, y = truth(target)
    model.fit(X, y)
    profile = Profile.build(model, X, y, name="m", version="1", feature_names=NAMES)
    found = cross_validate(model, profile.model, open_source(X, NAMES), NAMES, y=y)
    return profile, found, *measure(profile.model, profile.predictions, found)


def value(baseline, metric, of_class=None):
    return baseline.get(metric, of_class).value


def round_trip(document):
    return Checker(json.loads(json.dumps(document, allow_nan=False)), "profile")


def test_a_binary_baseline_equals_scikit_learn():
    """What the threshold says is exact, AUC and Brier score are within bins of it."""
    _, found, baseline, _ = built("probability")
    args = found.y_true, found.y_pred
    assert (baseline.rows, baseline.method) == (1500, "cross-validation, 5 folds")
    assert value(baseline, "accuracy") == pytest.approx(sk.accuracy_score(*args))
    assert value(baseline, "precision") == pytest.approx(sk.precision_score(*args))
    assert value(baseline, "recall") == pytest.approx(sk.recall_score(*args))
    assert value(baseline, "f1") == pytest.approx(sk.f1_score(*args))
    assert value(baseline, "mcc") == pytest.approx(sk.matthews_corrcoef(*args))
    args = found.y_true, found.y_score
    assert value(baseline, "roc_auc") == pytest.approx(sk.roc_auc_score(*args), abs=2e-3)
    assert value(baseline, "brier") == pytest.approx(sk.brier_score_loss(*args), abs=1e-3)
    assert value(baseline, "log_loss") == pytest.approx(sk.log_loss(*args), abs=5e-3)


def test_margins_have_no_probabilities_to_judge():
    """A decision function has an AUC and a confusion matrix, no Brier score or ECE."""
    _, found, baseline, calibration = built("margin")
    exact = sk.accuracy_score(found.y_true, found.y_pred)
    assert value(baseline, "accuracy") == pytest.approx(exact)
    assert value(baseline, "roc_auc") == pytest.approx(
        sk.roc_auc_score(found.y_true, found.y_score), abs=0.02
    )
    assert baseline.get("brier") is None
    assert baseline.get("ece") is None
    # About 150 rows in each bin: what is likely rises with the score, give or take.
    assert (np.diff(calibration.ratios.ratios[:, 1]) > -0.1).all()
    assert np.ptp(calibration.ratios.ratios[:, 1]) > 0.9


@pytest.mark.parametrize("kind", ["classes", "bare"])
def test_a_baseline_by_class_equals_scikit_learn(kind):
    """Classifiers judged by the class that they predict, with and without scores."""
    profile, found, baseline, calibration = built(kind)
    args = found.y_true, found.y_pred
    assert value(baseline, "accuracy") == pytest.approx(sk.accuracy_score(*args))
    assert value(baseline, "macro_f1") == pytest.approx(sk.f1_score(*args, average="macro"))
    recall = sk.recall_score(*args, average=None)
    for i, of_class in enumerate(profile.model.classes):
        assert value(baseline, "recall", of_class) == pytest.approx(recall[i])
    assert np.shape(calibration.counts)[1] == (1 if kind == "bare" else 22)
    assert calibration.rows == 1500


def test_a_regression_baseline_equals_scikit_learn():
    """MAE, RMSE, bias and R2 are exact, from sums by prediction bin."""
    _, found, baseline, calibration = built("number")
    args = found.y_true, found.y_pred
    assert value(baseline, "mae") == pytest.approx(sk.mean_absolute_error(*args))
    assert value(baseline, "rmse") == pytest.approx(sk.root_mean_squared_error(*args))
    assert value(baseline, "bias") == pytest.approx(np.mean(found.y_pred - found.y_true))
    assert value(baseline, "r2") == pytest.approx(sk.r2_score(*args))
    estimated = estimate_regression([row[0] for row in calibration.sums], calibration.sums)
    assert estimated.metrics["mae"].value == pytest.approx(value(baseline, "mae"), rel=0.01)


@pytest.mark.parametrize("kind", MODELS)
def test_files_give_back_what_was_written(kind):
    """Through JSON text and back, baseline and calibration are equal to the last bit."""
    profile, _, baseline, calibration = built(kind)
    classes = profile.model.classes
    assert Baseline.from_document(round_trip(baseline.to_document()), classes) == baseline
    if isinstance(calibration, ErrorCalibration):
        document = round_trip(calibration.to_document())
        assert ErrorCalibration.from_document(document) == calibration
    else:
        document = round_trip(calibration.to_document(classes))
        assert Calibration.from_document(document, classes) == calibration


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.text().filter(is_label),
            st.floats(allow_nan=False, allow_infinity=False),
            st.none() | st.floats(0, allow_infinity=False),
            st.sampled_from([None, "a", "b"]),
        ),
        unique_by=lambda row: (row[0], row[3]),
    )
)
def test_any_baseline_comes_back(rows):
    """Whatever the numbers, JSON keeps them to the last bit."""
    baseline = Baseline("hold-out", 7, tuple(Measure(*row) for row in rows))
    assert Baseline.from_document(round_trip(baseline.to_document()), ["a", "b"]) == baseline


@pytest.mark.parametrize("kind", MODELS)
def test_merged_equals_sequential(kind):
    """Two halves measured apart and merged are the whole, and so is their baseline."""
    profile, found, baseline, calibration = built(kind)
    half = np.arange(len(found)) < 600
    facts, outputs = profile.model, profile.predictions
    (_, first), (_, second) = (measure(facts, outputs, found.take(part)) for part in (half, ~half))
    merged = first.merge(second)
    assert merged.rows == calibration.rows == 1500
    again = baseline_of(facts, outputs, merged, baseline.method)
    assert [(m.metric, m.of_class) for m in again.measures] == [
        (m.metric, m.of_class) for m in baseline.measures
    ]
    for mine, theirs in zip(again.measures, baseline.measures, strict=True):
        assert mine.value == pytest.approx(theirs.value, rel=1e-9, abs=1e-9)
        assert mine.error == pytest.approx(theirs.error, rel=1e-6)
    if isinstance(calibration, Calibration):
        assert merged == calibration


def test_unlike_calibrations_are_not_merged():
    """Other bins, other kinds of score or another center cannot be added up."""
    table = (((1, 2), (3, 4)),)
    with pytest.raises(MergeError, match="shape"):
        Calibration(table, (0.1, 0.9)).merge(Calibration(((1, 2),), (0.1,)))
    with pytest.raises(MergeError):
        Calibration(table, (0.1, 0.9)).merge(Calibration(table, (0.1, 0.9), probabilities=False))
    sums = ((1.0,) * 5,)
    with pytest.raises(MergeError, match="centers"):
        ErrorCalibration(sums, (0.0,) * 9, 1.0).merge(ErrorCalibration(sums, (0.0,) * 9, 2.0))


def test_answers_that_are_none_are_left_out():
    """A missing score, a class that nobody knows, a prediction that is no number."""
    for kind, spoil in (("probability", "y_score"), ("classes", "y_pred"), ("number", "y_pred")):
        profile, found, *_ = built(kind)
        parts = {name: getattr(found, name) for name in OutOfSample.__dataclass_fields__}
        parts[spoil] = parts[spoil].copy()
        parts[spoil][:10] = -1 if kind == "classes" else np.nan
        baseline, calibration = measure(profile.model, profile.predictions, OutOfSample(**parts))
        assert baseline.rows == calibration.rows == 1490


def test_no_rows_measure_nothing():
    """A segment without rows has a baseline without figures, and a calibration all prior."""
    for kind in MODELS:
        profile, found, *_ = built(kind)
        nothing = found.take(np.zeros(len(found), dtype=bool))
        baseline, calibration = measure(profile.model, profile.predictions, nothing)
        assert (baseline.rows, baseline.measures) == (0, ())
        assert baseline.get("accuracy") is None
        if isinstance(calibration, Calibration):
            assert np.isfinite(calibration.ratios.ratios).all()


def test_a_baseline_is_compared_by_z():
    """A measure is an estimate; one without an error compares to nothing."""
    _, _, baseline, _ = built("probability")
    measured = baseline.get("accuracy")
    assert z_score(measured.estimate, measured.estimate) == 0
    assert measured.error == pytest.approx(
        math.sqrt(measured.value * (1 - measured.value) / 1500), rel=0.01
    )
    assert math.isnan(z_score(Measure("mae", 1.0, None).estimate, measured.estimate))


BASELINE = {
    "method": "hold-out",
    "rows": 2,
    "measures": [{"metric": "recall", "of_class": "a", "value": 0.5, "error": None}],
}
CALIBRATION = {
    "by_score": True,
    "bins": 2,
    "scores": [0.1, 0.9],
    "probabilities": True,
    "table": [{"y_pred": None, "y_true": "a", "rows": [1, 2]}],
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 1.5}, "profile.rows must be a whole number"),
        ({"measures": [{**BASELINE["measures"][0], "value": None}]}, "value must be a finite"),
        ({"measures": [{**BASELINE["measures"][0], "error": -1}]}, r"error is -1.*, below zero"),
        ({"measures": [{**BASELINE["measures"][0], "of_class": "z"}]}, "of_class must be one of"),
    ],
)
def test_an_edited_baseline_is_refused(changes, message):
    """The message names the field and what it holds."""
    assert Baseline.from_document(Checker(BASELINE, "profile"), ["a", "b"]).rows == 2
    with pytest.raises(ProfileFileError, match=message):
        Baseline.from_document(Checker({**BASELINE, **changes}, "profile"), ["a", "b"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bins": 0}, "bins is 0"),
        ({"bins": 10**9}, "bins is 1000000000"),
        ({"scores": [0.1]}, "scores has 1 for 2 bins"),
        ({"scores": []}, "scores has 0 for 2 bins"),
        ({"table": [{"y_pred": None, "y_true": "z", "rows": [1, 2]}]}, "y_true must be one of"),
        ({"table": [{"y_pred": "a", "y_true": "a", "rows": [1, 2]}]}, "y_pred must be one of"),
        ({"table": [{"y_pred": None, "y_true": "a", "rows": [1]}]}, "rows has 1 for 2 bins"),
        ({"table": [{"y_pred": None, "y_true": "a", "rows": [-1, 1]}]}, "rows must be a list"),
    ],
)
def test_an_edited_calibration_is_refused(changes, message):
    """The message names the field and what it holds."""
    read = Calibration.from_document(Checker(CALIBRATION, "profile"), ["a", "b"])
    assert read.counts == (((1, 0), (2, 0)),)
    with pytest.raises(ProfileFileError, match=message):
        Calibration.from_document(Checker({**CALIBRATION, **changes}, "profile"), ["a", "b"])
    with pytest.raises(ProfileFileError, match="two classes only"):
        Calibration.from_document(Checker(CALIBRATION, "profile"), ["a", "b", "c"])


def test_an_edited_error_calibration_is_refused():
    """Sums never fall below zero and have one entry for each bin."""
    good = ErrorCalibration(((1.0, 0.5, 0.0, 0.25, 0.0625),), (0.0,) * 9, 3.0).to_document()
    for errors in ({"over": [-1.0]}, {"over": [1.0, 2.0]}):
        edited = {**good, "errors": {**good["errors"], **errors}}
        with pytest.raises(ProfileFileError, match="over must be numbers from 0 on"):
            ErrorCalibration.from_document(Checker(edited, "profile"))
