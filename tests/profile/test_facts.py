"""What is known of a model is what the model does."""

from __future__ import annotations

import functools
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import modelmeter as mm
from modelmeter.profile.facts import (
    MOST_CLASSES,
    as_labels,
    as_scores,
    classes_of_scores,
    inspect_model,
    settle_task,
)
from modelmeter.profile.profile import ModelFacts

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(400, 2))
Y = np.where(X[:, 0] + RANDOM.normal(scale=0.5, size=400) > 0.4, "late", "early")
THREE = RANDOM.integers(0, 3, 400)


def fixed(inner=LogisticRegression, **options):
    return FixedThresholdClassifier(inner(), **options)


def tuned(positive):
    scorer = make_scorer(f1_score, pos_label=positive)
    return TunedThresholdClassifierCV(LogisticRegression(), scoring=scorer, cv=3)


CLASSIFIERS = {
    "logistic": LogisticRegression(),
    "forest": RandomForestClassifier(7, random_state=0),  # an odd number has no ties
    "svm": LinearSVC(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "search": GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {}, cv=2),
    "fixed, second class": fixed(threshold=0.3, pos_label="late"),
    "fixed, first class": fixed(threshold=0.3, pos_label="early"),
    "fixed, whole number": fixed(threshold=1, pos_label="late"),
    "fixed, auto": fixed(pos_label="late"),
    "fixed, decisions": fixed(
        threshold=-1.25, pos_label="late", response_method="decision_function"
    ),
    "fixed, decisions, first class": fixed(
        threshold=-1.25, pos_label="early", response_method="decision_function"
    ),
    "fixed, no probabilities": fixed(LinearSVC, threshold=0.5, pos_label="late"),
    "fixed in a pipeline": make_pipeline(StandardScaler(), fixed(threshold=0.2, pos_label="late")),
    "tuned, second class": tuned("late"),
    "tuned, first class": tuned("early"),
}


@pytest.mark.parametrize("model", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_scores_say_the_class_as_the_model_does(model):
    """Classes derived from a binary classifier's scores are those it predicts."""
    model.fit(X, Y)
    facts = inspect_model(model)
    scores = getattr(model, facts.score_method)(X)
    assert facts.task == "binary"
    assert facts.classes == ("early", "late")
    assert classes_of_scores(facts, scores).tolist() == model.predict(X).tolist()
    assert classes_of_scores(facts, as_scores(scores)).tolist() == model.predict(X).tolist()


def test_multiclass_scores_say_the_class():
    """With more than two classes the largest score decides; the confidence alone says nothing."""
    model = LogisticRegression().fit(X, THREE)
    facts = inspect_model(model)
    proba = model.predict_proba(X)
    assert (facts.task, facts.classes, facts.threshold) == ("multiclass", (0, 1, 2), None)
    assert classes_of_scores(facts, proba).tolist() == model.predict(X).tolist()
    assert classes_of_scores(facts, proba.max(axis=1)) is None
    assert as_scores(proba).tolist() == proba.max(axis=1).tolist()


def test_a_tie_goes_to_the_first_class():
    """A probability of exactly one half means the first class, as in scikit-learn."""
    facts = inspect_model(LogisticRegression().fit(X, Y))
    assert facts.threshold == math.nextafter(0.5, 1)
    assert classes_of_scores(facts, [0.5, facts.threshold]).tolist() == ["early", "late"]


def test_a_threshold_that_is_given():
    """A threshold that is given is taken; without scores of two classes it is refused."""
    model = LogisticRegression().fit(X, Y)
    assert inspect_model(model, 0.2).threshold == 0.2
    for other in (LinearRegression().fit(X, THREE), LogisticRegression().fit(X, THREE), len):
        with pytest.raises(mm.ModelError, match=r"threshold=0.2 needs a binary classifier"):
            inspect_model(other, 0.2)


class Multioutput(BaseEstimator):
    """Predicts two values per row."""

    classes_ = [np.arange(2), np.arange(3)]  # noqa: RUF012

    def predict(self, X):
        return np.zeros((len(X), 2))


@pytest.mark.parametrize(
    ("model", "task"),
    [
        (LinearRegression().fit(X, THREE), "regression"),
        (StandardScaler().fit(X), "other"),
        (None, "other"),
        (len, "regression"),
        (np.exp, "regression"),
        (functools.partial(len), "regression"),
        (Multioutput(), "regression"),
    ],
)
def test_other_models(model, task):
    """Regressors, transformers, callables and nothing at all are told apart."""
    facts = inspect_model(model)
    assert (facts.task, facts.classes, facts.threshold) == (task, (), None)
    assert facts.class_name == "none" or "." in facts.class_name


@pytest.mark.parametrize("model", [3, "model", object(), [LinearRegression()]])
def test_no_models(model):
    """What can neither predict nor transform nor be called is refused by its name."""
    with pytest.raises(mm.ModelError, match="must have a predict method or be callable"):
        inspect_model(model)


@pytest.mark.parametrize(
    ("answer", "task", "classes"),
    [
        (lambda X: np.where(X[:, 0] > 0, "late", "early"), "binary", ("early", "late")),
        (lambda X: ["late" if x > 0 else "early" for x in X[:, 0]], "binary", ("early", "late")),
        (lambda X: X[:, 0] > 0, "binary", (False, True)),
        (lambda X: [bool(x > 0) for x in X[:, 0]], "binary", (False, True)),
        (lambda X: (X[:, 0] > 0).astype(int), "binary", (0, 1)),
        (lambda X: [int(x > 0) for x in X[:, 0]], "binary", (0, 1)),
        (lambda X: [None, *["late"] * (len(X) - 1)], "multiclass", ("late",)),
        (lambda X: [None, *[1] * (len(X) - 1)], "multiclass", (1,)),
        (lambda X: [f"{x:.1f}"[-1] for x in X[:, 0]], "multiclass", tuple("0123456789")),
        (lambda X: (X[:, 0] > 0).astype(float), "regression", ()),
        (lambda X: (X[:, 0] * 1e6).astype(int), "regression", ()),
        (lambda X: X[:, :1], "regression", ()),
        (KMeans(3, n_init=1, random_state=0).fit(X).predict, "multiclass", (0, 1, 2)),
        (IsolationForest(n_estimators=5, random_state=0).fit(X), "binary", (-1, 1)),
    ],
)
def test_callables_show_what_they_are(answer, task, classes, monkeypatch):
    """A model without classes classifies if it answers texts, booleans or few whole numbers."""
    monkeypatch.setattr("modelmeter.profile.sources.BATCH_ROWS", 37)
    profile = mm.Profile.build(answer, X, name="m", version="1")
    assert (profile.model.task, profile.model.classes) == (task, classes)
    y_pred = profile.predictions[0]
    assert y_pred.kind == ("numeric" if task == "regression" else y_pred.kind)
    if classes:
        assert y_pred.bins.categories == classes
        assert not y_pred.counts[y_pred.bins.unseen]


def test_more_classes_than_a_batch_shows(monkeypatch):
    """All the texts that a callable answers are classes, whatever batch they come in."""
    monkeypatch.setattr("modelmeter.profile.sources.BATCH_ROWS", 10)
    answers = np.asarray([f"class {i:03d}" for i in range(100)])

    def model(X):
        return answers[X[:, 0].astype(int)]

    profile = mm.Profile.build(model, np.arange(100.0).reshape(-1, 1), name="m", version="1")
    assert profile.model.classes == tuple(answers.tolist())
    y_pred = profile.predictions[0]
    assert len(y_pred.bins.categories) == 50
    assert y_pred.counts[y_pred.bins.other] == 50
    assert y_pred.counts[y_pred.bins.unseen] == 0


def test_texts_that_are_no_classes():
    """A model that answers ever new texts has no classes, and no rare text is kept."""
    texts = [f"Dear customer {i}" for i in range(MOST_CLASSES + 1)]
    profile = mm.Profile.build(lambda X: texts, np.ones((len(texts), 1)), name="m", version="1")
    assert (profile.model.task, profile.model.classes) == ("multiclass", ())
    assert profile.predictions[0].bins.categories == ()
    facts = ModelFacts("m", "regression")
    assert settle_task(facts, [], whole=True, most=20) is facts


def test_the_rarest_classes_share_a_bin():
    """With too many classes those predicted least are one bin, for truth and answer alike."""
    codes = np.repeat(np.arange(6), [9, 1, 8, 2, 7, 3])
    profile = mm.Profile.build(
        lambda X: X[:, 0].astype(int), codes.reshape(-1, 1).astype(float), codes,
        name="m", version="1", binning=mm.Binning(max_classes=3),
    )  # fmt: skip
    y_pred, target = profile.predictions[0], profile.target
    assert y_pred.bins.categories == target.bins.categories == (0, 2, 4)
    assert y_pred.counts == target.counts == (9, 8, 7, 6, 0, 0, 0)


@pytest.mark.parametrize(
    ("y_pred", "labels"),
    [
        ([1, "a", None], [1, "a", None]),
        ((1.5,), [1.5]),
        (3, [3]),
        ("late", ["late"]),
        (np.float64(2), [2.0]),
        (np.asarray([[1], [2]]), [1, 2]),
        ([[1], [2]], [1, 2]),
        (pd.Series(["a", "b"]), ["a", "b"]),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        (pd.DataFrame({"p": [1, 2]}), [1, 2]),
        ([], []),
    ],
)
def test_labels(y_pred, labels):
    """Predictions in any shape become one value per row."""
    assert as_labels(y_pred).tolist() == labels


@pytest.mark.parametrize("y_pred", [np.ones((2, 2)), [[1, 2], [3, 4]], np.ones((2, 1, 1))])
def test_several_outputs(y_pred):
    """Several outputs per row are refused."""
    with pytest.raises(mm.ModelError, match="one value per row"):
        as_labels(y_pred)


def test_scores():
    """Scores in any shape become one number per row."""
    assert as_scores(0.5).tolist() == [0.5]
    assert as_scores([0.1, 0.9]).tolist() == [0.1, 0.9]
    assert as_scores([[0.9, 0.1], [0.2, 0.8]]).tolist() == [0.1, 0.8]
    assert as_scores([[0.3], [0.4]]).tolist() == [0.3, 0.4]
    assert as_scores(pd.DataFrame({"a": [0.2], "b": [0.5], "c": [0.3]})).tolist() == [0.5]
    assert as_scores(np.empty((0, 2))).tolist() == []
    for wrong in (np.ones((1, 1, 1)), np.ones((2, 0))):
        with pytest.raises(mm.ModelError, match="one or two dimensions"):
            as_scores(wrong)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda X: 1 / 0, "failed on rows 0 to 399 of X: division by zero"),
        (lambda X: X[:5, 0], "gave 5 for 400 rows"),
        (Multioutput(), "one value per row"),
    ],
)
def test_models_that_fail(model, words):
    """A model that fails on the data, or answers in another shape, is said to."""
    with pytest.raises(mm.ModelError, match=words):
        mm.Profile.build(model, X, name="m", version="1")


def test_infinite_predictions():
    """An infinite prediction is refused like any infinite value."""
    with pytest.raises(mm.DataError, match="column 'y_pred': row 0 holds inf"):
        mm.Profile.build(lambda X: np.full(len(X), np.inf), X, name="m", version="1")


def test_scores_that_are_no_probabilities():
    """Decisions are binned by quantiles, with the threshold as an edge."""
    model = LinearSVC().fit(X, Y)
    profile = mm.Profile.build(model, X, name="m", version="1", threshold=0.25)
    score = profile.predictions[1]
    assert 0.25 in score.bins.edges
    above = score.bins.edges.index(0.25) + 1
    assert sum(score.counts[above:-2]) == np.count_nonzero(model.decision_function(X) >= 0.25)
