"""From counts of answers and labels to figures, whatever the model's task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from modelmeter.profile.calibration import Calibration, ErrorCalibration, score_profile
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import Profile
from modelmeter.report.counts import PREDICTION, Floats, Observed
from modelmeter.stats.bins import NumericBins
from modelmeter.stats.labels import category_labels
from modelmeter.stats.performance import (
    Estimate,
    EstimatedPerformance,
    binary_performance,
    estimate_binary,
    estimate_multiclass,
    estimate_regression,
    multiclass_performance,
    positive_bins,
    regression_performance,
)

Figures = Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the model's answers were worth, over all rows or one segment.

    Parameters
    ----------
    labelled_rows, predicted_rows
        Rows that realised and estimated figures are from.
    realised, estimated
        Figures by name; empty without rows, or without a calibration.
    confusion, expected_confusion, baseline_confusion
        Shape (n_classes, n_classes); None where there is none.
    """

    labelled_rows: float = 0.0
    predicted_rows: float = 0.0
    realised: Figures = field(default_factory=dict)
    estimated: Figures = field(default_factory=dict)
    confusion: Floats | None = None
    expected_confusion: Floats | None = None
    baseline_confusion: Floats | None = None


def answers_of(profile: Profile, observed: Observed, segment: str) -> Answers:
    """Work out what the answers were worth.

    Parameters
    ----------
    profile
        Of a model that predicts.
    observed
        What was counted.
    segment
        Which rows; empty for all.
    """
    facts = profile.model
    if facts.task == "regression":
        return _regression(profile, observed, segment)
    scores = score_profile(facts, profile.predictions)
    if facts.task == "binary" and facts.threshold is not None and scores is not None:
        return _binary(profile, observed, segment)
    return _multiclass(profile, observed, segment)


def _regression(profile: Profile, observed: Observed, segment: str) -> Answers:
    sums = observed.labelled.errors.get(segment, np.zeros((1, 5))).sum(axis=0)
    realised = regression_performance(sums, observed.labelled.targets.get(segment))
    live = _live(profile, observed, Y_PRED, segment)
    estimated = None
    if isinstance(profile.calibration, ErrorCalibration) and live.sum():
        estimated = estimate_regression(live, profile.calibration.sums)
    return Answers(
        labelled_rows=float(realised.rows),
        predicted_rows=float(live.sum()),
        realised=realised.metrics if realised.rows else {},
        estimated=estimated.metrics if estimated else {},
    )


def _binary(profile: Profile, observed: Observed, segment: str) -> Answers:
    scores = profile.output(Y_SCORE)
    assert scores is not None
    assert isinstance(scores.bins, NumericBins)
    assert profile.model.threshold is not None
    positive = positive_bins(scores.bins.edges, profile.model.threshold)
    points = scores.centers if profile.model.score_method == "predict_proba" else None
    counts = observed.labelled.scores[segment]
    realised = binary_performance(counts, positive=positive, scores=points)
    live = _live(profile, observed, Y_SCORE, segment)
    calibration, estimated, baseline = profile.calibration, None, None
    if isinstance(calibration, Calibration) and calibration.by_score:
        own = np.asarray(calibration.counts[0])
        baseline = binary_performance(own, positive=positive).confusion
        if live.sum():
            estimated = estimate_binary(live, calibration.ratios, positive=positive, scores=points)
    told = observed.labelled.confusion[segment]
    if not realised.rows and told.sum():
        # Labels came with classes only: what follows from these.
        return _joined(_of_confusion(told), live, estimated, baseline, told)
    figures = realised.metrics if realised.rows else {}
    return _joined(figures, live, estimated, baseline, realised.confusion)


def _multiclass(profile: Profile, observed: Observed, segment: str) -> Answers:
    confusion = observed.labelled.confusion.get(segment)
    if confusion is None:  # too many different answers to be classes
        live = _live(profile, observed, Y_PRED, segment)
        return Answers(predicted_rows=float(live.sum()))
    calibration, estimated, baseline = profile.calibration, None, None
    live = _said(profile, observed, segment)
    if isinstance(calibration, Calibration) and not calibration.by_score:
        baseline = np.asarray(calibration.counts, dtype=np.float64).sum(axis=1).T
        cells = live[:, None]
        if calibration.scores:
            cells = observed.class_scores.get(segment, cells)
        if cells.sum() and cells.shape == np.shape(calibration.counts)[:2]:
            estimated = estimate_multiclass(cells, calibration.ratios)
    figures = _of_confusion(confusion) if confusion.sum() else {}
    return _joined(figures, live, estimated, baseline, confusion)


def _joined(
    realised: Figures,
    live: Floats,
    estimated: EstimatedPerformance | None,
    baseline: Floats | None,
    confusion: Floats,
) -> Answers:
    return Answers(
        labelled_rows=float(confusion.sum()),
        predicted_rows=float(live.sum()),
        realised=realised,
        estimated=estimated.metrics if estimated else {},
        confusion=confusion,
        expected_confusion=estimated.confusion if estimated else None,
        baseline_confusion=baseline,
    )


def _of_confusion(confusion: Floats) -> Figures:
    found = multiclass_performance(confusion)
    return {**found.overall, **found.by_class}


def _live(profile: Profile, observed: Observed, output: str, segment: str) -> Floats:
    """Return live rows by the ordered bins of an output; of no bins where there are none."""
    one = profile.output(output)
    rows = observed.bins.get((PREDICTION, output, segment))
    if one is None or rows is None:
        return np.zeros(0)
    return rows[[bool(place.ord) for place in one.bins.bins]]


def _said(profile: Profile, observed: Observed, segment: str) -> Floats:
    """Return live rows by predicted class, in the order of the model's classes."""
    one = profile.output(Y_PRED)
    rows = observed.bins.get((PREDICTION, Y_PRED, segment))
    by_label = {}
    if one is not None and rows is not None:
        pairs = zip(one.bins.bins, rows.tolist(), strict=True)
        by_label = {place.label: n for place, n in pairs if place.kind == "category"}
    return np.asarray(
        [by_label.get(label, 0.0) for label in category_labels(profile.model.classes)]
    )
