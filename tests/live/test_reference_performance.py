"""Baseline and calibration as gauges, and what is estimated from live counts by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import modelmeter as mm
from live.answering import CITIES, KINDS, built, counted, output, rows
from modelmeter import names
from modelmeter.live.reference_performance import MAX_RATIOS
from modelmeter.profile.calibration import Calibration
from modelmeter.stats.labels import category_labels
from modelmeter.stats.performance import (
    ERROR_SUMS,
    estimate_binary,
    estimate_multiclass,
    estimate_regression,
    positive_bins,
)

GAUGES = (
    names.OUTCOME_RATIO,
    names.REFERENCE_SCORE,
    names.REFERENCE_ERROR,
    names.REFERENCE_PERFORMANCE,
    names.REFERENCE_PERFORMANCE_ERROR,
)
OF_SEGMENTS = [f"city={city}" for city in (*CITIES, "other", "unseen", "missing", "invalid")]


def exported(profile, metric):
    """Return the gauges of a metric by labels beyond the model's, as a monitor exports them."""
    found = counted(mm.Monitor(profile, store=None), metric)
    return {row: float(value) for row, value in found.items()}


def named(kind, profile, measure):
    """Name a figure as the rules do."""
    negative, positive = (str(c) for c in profile.model.classes) if kind != "number" else ("", "")
    if kind not in ("probability", "margin"):
        return measure.metric, "" if measure.of_class is None else str(measure.of_class)
    return {
        "precision": ("precision", positive),
        "recall": ("recall", positive),
        "f1": ("f1", positive),
        "prevalence": ("prevalence", positive),
        "specificity": ("recall", negative),
    }.get(measure.metric, (measure.metric, ""))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "three"])
def test_the_baseline_is_exported(kind):
    """Every figure of the profile is there, by segment too, and its error where it has one."""
    _, profile = built(kind)
    found = exported(profile, names.REFERENCE_PERFORMANCE)
    errors = exported(profile, names.REFERENCE_PERFORMANCE_ERROR)
    baselines = {"": profile.baseline}
    baselines |= dict(zip(OF_SEGMENTS, profile.segments[0].baselines, strict=True))
    expected, expected_errors = {}, {}
    for segment, baseline in baselines.items():
        for one in () if baseline is None else baseline.measures:
            expected[segment, *named(kind, profile, one)] = one.value
            if one.error is not None:
                expected_errors[segment, *named(kind, profile, one)] = one.error
    assert found == expected
    assert errors == expected_errors
    assert {segment for segment, _, _ in found} == {"", *OF_SEGMENTS[:3]}


def test_figures_by_class_are_named_by_class():
    """Of three classes each has precision, recall and F1; the rest is of none."""
    _, profile = built("three")
    found = exported(profile, names.REFERENCE_PERFORMANCE)
    pairs = {row[1:] for row in found if row[0] == ""}
    by_class = {(m, c) for m in ("precision", "recall", "f1") for c in ("low", "mid", "top")}
    assert pairs == by_class | {("accuracy", ""), ("macro_f1", ""), ("mcc", "")}
    for metric, of_class in pairs:
        assert found["", metric, of_class] == profile.baseline.get(metric, of_class or None).value


def test_a_binary_models_figures_are_of_a_class():
    """Precision and recall are of the positive class, specificity is the other's recall."""
    _, profile = built("probability")
    found = exported(profile, names.REFERENCE_PERFORMANCE)
    whole = {row[1:] for row in found if row[0] == ""}
    plain = ("accuracy", "mcc", "roc_auc", "brier", "log_loss", "ece", "ece_excess")
    of_class = {(m, "yes") for m in ("precision", "recall", "f1", "prevalence")}
    assert whole == {(m, "") for m in plain} | of_class | {("recall", "no")}
    baseline = profile.baseline
    assert found["", "recall", "no"] == baseline.get("specificity").value
    assert found["", "recall", "yes"] == baseline.get("recall").value


def live_bins(monitor, feature):
    """Return live rows by the bins of an output that have a position."""
    return {
        key[3:5]: value
        for key, value in counted(monitor, names.FEATURE_BIN).items()
        if key[1] == feature and key[3] and not key[5]
    }


def served(kind):
    model, profile = built(kind)
    monitor = mm.Monitor(profile, store=None)
    watched, X = monitor.watch(model), rows(700, seed=31)
    if kind == "callable":
        watched(X)
    else:
        watched.predict(X)
        if profile.model.score_method:
            getattr(watched, profile.model.score_method)(X)
    return monitor, profile


def expected_confusion(ratios, rows_of, classes):
    """Add up what Prometheus would: live rows times ratios, by true and predicted class."""
    table = np.zeros((len(classes), len(classes)))
    for (said, ord_, label, place, true), ratio in ratios.items():
        assert classes[int(place)] == true
        table[int(place), classes.index(said)] += ratio * rows_of(said, ord_, label)
    return table


@pytest.mark.parametrize("kind", ["probability", "margin"])
def test_live_score_bins_times_ratios_are_the_expected_confusion(kind):
    """Multiplied bin by bin, live counts and gauges give what the statistics estimate."""
    monitor, profile = served(kind)
    bins = output(profile, "y_score").bins
    live = live_bins(monitor, "y_score")
    ratios = {k: float(v) for k, v in counted(monitor, names.OUTCOME_RATIO).items()}
    assert len(ratios) == 2 * (len(bins.edges) + 1)
    by_bin = [ratios[key] for key in sorted(ratios, key=lambda key: (key[1], key[3]))]
    assert by_bin == profile.calibration.ratios.ratios.ravel().tolist()
    found = expected_confusion(ratios, lambda said, ord_, label: live[ord_, label], ["no", "yes"])
    sides = positive_bins(bins.edges, profile.model.threshold)
    estimated = estimate_binary(list(live.values()), profile.calibration.ratios, positive=sides)
    assert found == pytest.approx(estimated.confusion)
    assert found.sum() == pytest.approx(700)


def test_live_confidences_times_ratios_are_the_expected_confusion():
    """The same with three classes, by predicted class and confidence bin."""
    monitor, profile = served("three")
    live = {k[:3]: v for k, v in counted(monitor, names.CLASS_SCORE).items() if not k[3]}
    ratios = {k: float(v) for k, v in counted(monitor, names.OUTCOME_RATIO).items()}
    shape = profile.calibration.ratios.ratios.shape
    assert len(ratios) == np.prod(shape)
    classes = ["low", "mid", "top"]
    found = expected_confusion(ratios, lambda *cell: live[cell], classes)
    counts = np.array(list(live.values())).reshape(shape[:2])
    estimated = estimate_multiclass(counts, profile.calibration.ratios)
    assert found == pytest.approx(estimated.confusion)
    assert found.sum() == pytest.approx(700)


@pytest.mark.parametrize("kind", ["bare", "callable"])
def test_live_classes_times_ratios_are_the_expected_confusion(kind):
    """The same without scores, by predicted class alone."""
    monitor, profile = served(kind)
    live = {
        key[4]: value
        for key, value in counted(monitor, names.FEATURE_BIN).items()
        if key[1] == "y_pred" and not key[5]
    }
    ratios = {k: float(v) for k, v in counted(monitor, names.OUTCOME_RATIO).items()}
    assert {key[1:3] for key in ratios} == {("", "")}
    classes = category_labels(profile.model.classes)
    found = expected_confusion(ratios, lambda said, *_: live[said], classes)
    counts = [[live[said]] for said in classes]
    estimated = estimate_multiclass(counts, profile.calibration.ratios)
    assert found == pytest.approx(estimated.confusion)
    assert found.sum() == pytest.approx(700)


def test_live_predictions_times_errors_are_the_expected_errors():
    """The same for a regression, by prediction bin."""
    monitor, profile = served("number")
    live = live_bins(monitor, "y_pred")
    errors = {k: float(v) for k, v in counted(monitor, names.REFERENCE_ERROR).items()}
    assert {statistic for _, _, statistic in errors} == set(ERROR_SUMS[1:])
    total = sum(live.values())
    sums = dict.fromkeys(ERROR_SUMS[1:], 0.0)
    for (ord_, label, statistic), mean in errors.items():
        sums[statistic] += live[ord_, label] * mean / total
    estimated = estimate_regression(list(live.values()), profile.calibration.sums).metrics
    assert sums["over"] + sums["under"] == pytest.approx(float(estimated["mae"].value))
    assert sums["over"] - sums["under"] == pytest.approx(float(estimated["bias"].value))
    assert np.sqrt(sums["squared"]) == pytest.approx(float(estimated["rmse"].value))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_stand_for_bins_where_they_are_probabilities(kind):
    """Of a binary model's probabilities each bin has its score; of margins there are none."""
    _, profile = built(kind)
    found = exported(profile, names.REFERENCE_SCORE)
    if kind == "probability":
        places = [(p.ord, p.label) for p in output(profile, "y_score").bins.bins if p.ord]
        assert found == dict(zip(places, profile.calibration.scores, strict=True))
    else:
        assert found == {}


@pytest.mark.parametrize("kind", KINDS)
def test_each_task_has_its_own_gauges(kind):
    """Classifiers have outcome ratios, regressions expected errors."""
    _, profile = built(kind)
    assert bool(exported(profile, names.OUTCOME_RATIO)) == (kind != "number")
    assert bool(exported(profile, names.REFERENCE_ERROR)) == (kind == "number")


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_not_measured_is_not_exported(kind):
    """A profile without a baseline exports none of it, not even zeros."""
    model, _ = built(kind)
    profile = mm.Profile.build(model, rows(300), name=kind, version="1", segments=["city"])
    assert profile.baseline is None
    for metric in GAUGES:
        assert exported(profile, metric) == {}


def many_classes(number):
    """Return a profile of a model with so many classes."""
    _, profile = built("three")
    classes = tuple(f"c{i:03d}" for i in range(number))
    bins = len(profile.calibration.scores)
    random = np.random.default_rng(0)
    table = random.integers(0, 5, (number, bins, number)).tolist()
    calibration = Calibration(
        tuple(tuple(map(tuple, by_bin)) for by_bin in table), profile.calibration.scores
    )
    pred = output(profile, "y_pred")
    pred = replace(
        pred,
        bins=replace(pred.bins, categories=classes),
        counts=(1,) * (number + 4),
    )
    return replace(
        profile,
        model=replace(profile.model, classes=classes),
        predictions=(pred, output(profile, "y_score")),
        calibration=calibration,
        baseline=None,
        segments=(),
    )


def test_of_many_classes_only_being_right_is_exported():
    """Beyond `MAX_RATIOS` the ratios of being wrong are left out, below they are all there."""
    bins = len(built("three")[1].calibration.scores)
    most = int(np.sqrt(MAX_RATIOS / bins))
    profile = many_classes(most)
    assert len(exported(profile, names.OUTCOME_RATIO)) == most**2 * bins <= MAX_RATIOS
    profile = many_classes(most + 1)
    found = exported(profile, names.OUTCOME_RATIO)
    assert len(found) == (most + 1) * bins
    for (said, ord_, _, place, true), ratio in found.items():
        assert said == true == f"c{int(place):03d}"
        assert ratio == profile.calibration.ratios.ratios[int(place), int(ord_), int(place)]


@pytest.mark.parametrize("kind", KINDS)
def test_gauges_take_the_largest_over_workers(kind):
    """Every worker exports the same constants, so they are not added up."""
    _, profile = built(kind)
    for metric in GAUGES:
        assert (metric.type, metric.merge) == ("gauge", "max")
        assert all(map(np.isfinite, exported(profile, metric).values()))
