"""Performance in findings: the figures of `stats.performance`, whatever the task."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

import modelmeter as mm
from modelmeter.report.data import Columns, observe_data
from modelmeter.report.judging import judge_batch
from modelmeter.report.summary import summarise
from modelmeter.stats.performance import (
    binary_performance,
    error_sums,
    estimate_binary,
    estimate_multiclass,
    estimate_regression,
    multiclass_performance,
    positive_bins,
    regression_performance,
    target_sums,
)
from report import example

SIDE = {"realised": "labelled_rows", "estimated": "predicted_rows"}


def figures(findings, side):
    """Return a side's figures by metric and class."""
    metrics = findings["performance"]["metrics"]
    return {(m["metric"], m["class"]): m[side] for m in metrics if m[side] is not None}


def near(estimate):
    value, error = float(estimate.value), float(estimate.error)
    known = pytest.approx(error) if math.isfinite(error) else None
    return {"value": pytest.approx(value), "error": known}


def assert_same(found, estimate):
    assert {name: found[name] for name in ("value", "error")} == near(estimate)


def test_binary_figures_are_those_of_stats(profile, observed):
    """Realised and estimated figures of a binary model are those of the statistics."""
    findings = summarise(profile, observed)
    scores = profile.output("y_score")
    positive = positive_bins(scores.bins.edges, profile.model.threshold)
    realised = binary_performance(
        observed.labelled.scores[""], positive=positive, scores=scores.centers
    )
    live = observed.bins["prediction", "y_score", ""][: len(scores.positions)]
    estimated = estimate_binary(
        live, profile.calibration.ratios, positive=positive, scores=scores.centers
    )
    assert findings["performance"]["labelled_rows"] == realised.rows == 2_500
    for side, known in (("realised", realised.metrics), ("estimated", estimated.metrics)):
        found = figures(findings, side)
        assert_same(found["accuracy", None], known["accuracy"])
        assert_same(found["roc_auc", None], known["roc_auc"])
        assert_same(found["precision", "late"], known["precision"])
        assert_same(found["recall", "on time"], known["specificity"])
        assert_same(found["brier", None], known["brier"])
    assert findings["performance"]["confusion"]["realised"] == realised.confusion.tolist()
    baseline = figures(findings, "baseline")
    assert baseline["accuracy", None]["value"] == profile.baseline.get("accuracy").value
    assert baseline["recall", "on time"]["value"] == profile.baseline.get("specificity").value


def test_reliability_compares_outcomes_with_scores(profile, observed):
    """Each score bin says how often it was right, how often it was in training, and its rows."""
    curve = summarise(profile, observed)["performance"]["reliability"]
    counts = observed.labelled.scores[""]
    assert [one["rows"] for one in curve] == counts.sum(axis=1).tolist()
    for one, (negative, positive) in zip(curve, counts, strict=True):
        share = positive / (positive + negative) if positive + negative else None
        assert one["positive_ratio"] == (None if share is None else pytest.approx(share))
        assert 0 <= one["training_ratio"] <= 1


def test_only_the_headline_is_judged(profile, observed):
    """One figure alarms, as in the rules; all others are told without a state."""
    metrics = summarise(profile, observed)["performance"]["metrics"]
    assert [metric["metric"] for metric in metrics if metric["judged"]] == ["roc_auc"]
    for metric in metrics:
        for side in ("realised", "estimated"):
            if metric[side] is not None:
                assert (metric[side]["state"] is not None) == metric["judged"]


def batch(profile, frame, model, target="y"):
    found = observe_data(profile, frame, columns=Columns(target=target), model=model)
    return found, summarise(profile, found, judging=judge_batch())


def test_a_model_that_got_worse_alarms():
    """Labels that no longer follow from the features are a problem, told with its numbers."""
    X, y = example.flights(8_000, seed=9)
    model = LogisticRegression().fit(X[["temp"]], y)
    profile = mm.Profile.build(model, X[["temp"]], y, name="late", version="1")
    wrong = X[["temp"]].assign(y=np.roll(y.to_numpy(), 1))
    _, findings = batch(profile, wrong, model)
    [problem] = findings["problems"]
    assert problem["check"] == "performance"
    assert problem["text"].startswith("roc auc 0.")
    assert "is worse than in training, 0." in problem["text"]
    assert "; accuracy 0." in findings["verdict"]
    _, good = batch(profile, X[["temp"]].assign(y=y), model)
    assert good["problems"] == []


def test_multiclass_figures_are_those_of_stats():
    """Figures by class, macro F1 and the estimate of three classes are those of the statistics."""
    random = np.random.default_rng(3)
    X = pd.DataFrame(random.normal(size=(3_000, 2)), columns=["a", "b"])
    y = np.where(X["a"] > 0.5, "c1", np.where(X["b"] > 0, "c2", "c3"))
    model = LogisticRegression().fit(X, y)
    profile = mm.Profile.build(model, X, y, name="three", version="1")
    found, findings = batch(profile, X.assign(y=y), model)
    confusion = found.labelled.confusion[""]
    assert confusion.sum() == 3_000
    known = multiclass_performance(confusion)
    realised = figures(findings, "realised")
    assert_same(realised["macro_f1", None], known.macro_f1)
    for i, name in enumerate(("c1", "c2", "c3")):
        assert realised["recall", name]["value"] == pytest.approx(known.recall.value[i])
    estimated = estimate_multiclass(found.class_scores[""], profile.calibration.ratios)
    assert_same(figures(findings, "estimated")["accuracy", None], estimated.metrics["accuracy"])
    assert [m["metric"] for m in findings["performance"]["metrics"] if m["judged"]] == ["macro_f1"]


def test_regression_figures_are_those_of_stats():
    """Errors of a regression, over all rows and by predicted value, are those of the statistics."""
    random = np.random.default_rng(4)
    X = pd.DataFrame({"a": random.normal(size=4_000), "part": random.choice(["x", "y"], 4_000)})
    y = 3 * X["a"] + random.normal(size=4_000)

    numbers = make_column_transformer(("passthrough", ["a"]))
    model = make_pipeline(numbers, LinearRegression()).fit(X, y)
    profile = mm.Profile.build(model, X, y, name="number", version="1", segments=["part"])
    found, findings = batch(profile, X.assign(y=y + 1), model)
    y_pred, y_true = model.predict(X), (y + 1).to_numpy()
    center = profile.calibration.center
    known = regression_performance(
        error_sums(y_true, y_pred)[0], target_sums(y_true, y_pred, center=center)
    )
    realised = figures(findings, "realised")
    for name in ("mae", "rmse", "bias", "r2"):
        assert_same(realised[name, None], known.metrics[name])
    estimated = estimate_regression(
        found.bins["prediction", "y_pred", ""][:-2], profile.calibration.sums
    )
    assert_same(figures(findings, "estimated")["mae", None], estimated.metrics["mae"])
    assert realised["mae", None]["state"] == "alarm"
    bins = findings["performance"]["error_bins"]
    assert sum(one["rows"] for one in bins) == 4_000
    full = [one for one in bins if one["rows"] > 100]
    assert all(one["bias"] < one["training_bias"] - 0.5 for one in full)
    segments = {one["segment"]: one for one in findings["performance"]["segments"]}
    assert {"part=x", "part=y"} <= set(segments)
    assert sum(one["labelled_rows"] for one in segments.values()) == 4_000


def test_model_without_performance_has_none():
    """A profile without a model has no performance, one without truth a reason for it."""
    X = np.arange(500.0).reshape(-1, 1)
    profile = mm.Profile.build(None, X, name="none", version="1")
    assert summarise(profile, observe_data(profile, X))["performance"] is None
    unmeasured = mm.Profile.build(lambda X: X[:, 0], X, name="unmeasured", version="1")
    part = summarise(unmeasured, observe_data(unmeasured, X, model=lambda X: X[:, 0]))
    assert part["performance"]["unmeasured"].startswith("no true values were given")
    assert part["performance"]["metrics"] == []
