"""How good the model is: realised from labels, estimated before them, beside the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from modelmeter.generate.performance_alarms import RELATIVE
from modelmeter.live.reference_performance import OF_CLASS, figures
from modelmeter.profile.baseline import Baseline
from modelmeter.profile.calibration import Calibration, ErrorCalibration
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import Profile
from modelmeter.profile.segments import segmented
from modelmeter.report.answers import Answers, answers_of
from modelmeter.report.counts import Floats, Observed
from modelmeter.report.judging import Limits, headline_of
from modelmeter.report.plain import number, numbers, state_of
from modelmeter.report.schema import (
    ConfusionPart,
    Direction,
    ErrorBinPart,
    FigurePart,
    MetricPart,
    PerformancePart,
    ReliabilityPart,
    SegmentPart,
)
from modelmeter.stats.alarms import worse_state
from modelmeter.stats.labels import category_labels
from modelmeter.stats.performance import Estimate, regression_performance, reliability, z_score

BETTER: Final[Mapping[str, Direction]] = {
    **dict.fromkeys(
        ("accuracy", "precision", "recall", "f1", "macro_f1", "mcc", "roc_auc", "r2"), "higher"
    ),
    **dict.fromkeys(("brier", "log_loss", "ece", "ece_excess", "mae", "rmse"), "lower"),
    "bias": "zero",
}
"""Which way a figure is better; prevalence has no better side."""

MAIN: Final = ("accuracy", "mae")
"""The figure to show first, of classifiers and of regressions."""

Name = tuple[str, str]
"""Metric, and class (empty for all together), as the recording rules name them."""


def performance_part(
    profile: Profile, observed: Observed, limits: Limits
) -> PerformancePart | None:
    """Return the performance; None for a model that does not predict.

    Parameters
    ----------
    profile
        Of the model.
    observed
        What was counted.
    limits
        Thresholds.
    """
    if profile.model.task == "other" or not profile.predictions:
        return None
    answers = answers_of(profile, observed, "")
    baseline = profile.baseline
    return {
        "method": baseline.method if baseline else "",
        "unmeasured": profile.unmeasured,
        "baseline_rows": float(baseline.rows) if baseline else 0.0,
        "labelled_rows": answers.labelled_rows,
        "predicted_rows": answers.predicted_rows,
        "metrics": _metrics(profile, answers, baseline, limits),
        "confusion": _confusion(profile, answers),
        "reliability": _reliability(profile, observed),
        "error_bins": _error_bins(profile, observed),
        "segments": list(_segments(profile, observed)),
    }


def _metrics(
    profile: Profile, answers: Answers, baseline: Baseline | None, limits: Limits | None
) -> list[MetricPart]:
    """Return every figure that any side knows; without limits nothing is judged."""
    normal = {
        name: Estimate(np.asarray(value), np.asarray(np.nan if error is None else error))
        for name, value, error in figures(profile.model, baseline)
    }
    realised = _by_class(profile, answers.realised)
    estimated = _by_class(profile, answers.estimated)
    judged = None if limits is None else headline_of(profile)
    parts: list[MetricPart] = []
    for name in dict.fromkeys((*normal, *realised, *estimated)):
        metric, of_class = name
        own, better = normal.get(name), BETTER.get(metric)
        limit = limits if metric == judged and not of_class else None
        parts.append(
            {
                "metric": metric,
                "class": of_class or None,
                "better": better,
                "main": metric in MAIN,
                "judged": limit is not None,
                "baseline": _figure(own),
                "realised": _compared(
                    realised.get(name), own, answers.labelled_rows, limit, better
                ),
                "estimated": _compared(
                    estimated.get(name), own, answers.predicted_rows, limit, better
                ),
            }
        )
    return [part for part in parts if part["baseline"] or part["realised"] or part["estimated"]]


def _by_class(profile: Profile, found: Mapping[str, Estimate]) -> dict[Name, Estimate]:
    """Name figures as the rules do: by metric and class."""
    classes = category_labels(profile.model.classes)
    named: dict[Name, Estimate] = {}
    for metric, estimate in found.items():
        if np.ndim(estimate.value):
            for i, of_class in enumerate(classes):
                named[metric, of_class] = Estimate(estimate.value[i], estimate.error[i])
        elif len(classes) == 2 and metric in OF_CLASS:
            renamed, place = OF_CLASS[metric]
            named[renamed, classes[place]] = estimate
        else:
            named[metric, ""] = estimate
    return named


def _figure(estimate: Estimate | None) -> FigurePart | None:
    value = None if estimate is None else number(estimate.value)
    if estimate is None or value is None:
        return None
    return {
        "value": value,
        "error": number(estimate.error),
        "change": None,
        "z": None,
        "state": None,
    }


def _compared(
    estimate: Estimate | None,
    normal: Estimate | None,
    rows: float,
    limits: Limits | None,
    better: Direction | None,
) -> FigurePart | None:
    """Return a figure beside the baseline, judged where there are limits."""
    part = _figure(estimate)
    if part is None or estimate is None or normal is None or number(normal.value) is None:
        return part
    change = float(estimate.value) - float(normal.value)
    part["change"] = number(change)
    part["z"] = number(z_score(estimate, normal))
    if limits is not None and (better == "higher" or normal.value > 0):
        error = float(np.hypot(estimate.error, normal.error))
        loss, matters = -change, limits.judging.smallest_loss
        if better == "lower":
            # An error has no scale of its own: it matters as a share of what it was.
            loss, error = change / float(normal.value), error / float(normal.value)
            matters *= RELATIVE
        part["state"] = state_of(worse_state(loss, error, rows, z=limits.z, matters=matters))
    return part


def _confusion(profile: Profile, answers: Answers) -> ConfusionPart | None:
    if not profile.model.classes:
        return None
    return {
        "realised": _table(answers.confusion),
        "estimated": _table(answers.expected_confusion),
        "baseline": _table(answers.baseline_confusion),
    }


def _table(table: Floats | None) -> list[list[float]] | None:
    if table is None or not table.sum() > 0:
        return None
    found: list[list[float]] = table.tolist()
    return found


def _reliability(profile: Profile, observed: Observed) -> list[ReliabilityPart] | None:
    output, counts = profile.output(Y_SCORE), observed.labelled.scores.get("")
    is_probability = profile.model.score_method == "predict_proba"
    if output is None or counts is None or not is_probability or not output.centers:
        return None
    found = reliability(counts)
    promised: Floats = np.full(len(counts), np.nan)
    if isinstance(profile.calibration, Calibration) and profile.calibration.by_score:
        promised = profile.calibration.ratios.ratios[:, 1]
    columns = zip(
        output.positions,
        numbers(output.centers),
        counts.sum(axis=-1).tolist(),
        numbers(found.value),
        numbers(found.error),
        numbers(promised),
        strict=True,
    )
    return [
        {
            "label": label,
            "score": score,
            "rows": rows,
            "positive_ratio": share,
            "error": error if share is not None else None,
            "training_ratio": training,
        }
        for (_, label), score, rows, share, error, training in columns
    ]


def _error_bins(profile: Profile, observed: Observed) -> list[ErrorBinPart] | None:
    output, sums = profile.output(Y_PRED), observed.labelled.errors.get("")
    if output is None or sums is None:
        return None
    normal = np.zeros_like(sums)
    if isinstance(profile.calibration, ErrorCalibration):
        normal = np.asarray(profile.calibration.sums)
    here, there = regression_performance(sums), regression_performance(normal)
    columns = zip(
        output.positions,
        sums[:, 0].tolist(),
        *(numbers(side.value) for one in (here, there) for side in (one.mae, one.bias)),
        strict=True,
    )
    return [
        {
            "label": label,
            "rows": rows,
            "mae": mae,
            "bias": bias,
            "training_mae": training_mae,
            "training_bias": training_bias,
        }
        for (_, label), rows, mae, bias, training_mae, training_bias in columns
    ]


def _segments(profile: Profile, observed: Observed) -> Iterator[SegmentPart]:
    """Yield every segment that has rows; they are not judged, as in the rules."""
    for one, segments in segmented(profile):
        for i, segment in enumerate(segments):
            answers = answers_of(profile, observed, segment)
            if answers.predicted_rows or answers.labelled_rows:
                baseline = one.baselines[i] if one.baselines else None
                yield {
                    "segment": segment,
                    "rows": answers.predicted_rows,
                    "labelled_rows": answers.labelled_rows,
                    "metrics": _metrics(profile, answers, baseline, None),
                }
