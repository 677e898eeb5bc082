"""How good the model was, and what its answers were worth, as gauges beside the counts.

Prometheus multiplies live rows per bin by these constants: performance before labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from modelmeter import names
from modelmeter.live.counts import Counts
from modelmeter.names import Metric
from modelmeter.profile.baseline import Baseline
from modelmeter.profile.calibration import Calibration, ErrorCalibration
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import ModelFacts, Profile
from modelmeter.profile.segments import segmented
from modelmeter.stats.bins import NumericBins
from modelmeter.stats.labels import category_labels
from modelmeter.stats.performance import ERROR_SUMS, positive_bins
from modelmeter.stats.performance.estimated_errors import expected_errors

MAX_RATIOS: Final = 4_000
"""With more outcome ratios than this only those of being right are exported."""

Series = tuple[tuple[str, ...], float]

OF_CLASS: Final = {
    "precision": ("precision", 1),
    "recall": ("recall", 1),
    "f1": ("f1", 1),
    "prevalence": ("prevalence", 1),
    "specificity": ("recall", 0),
}
"""Figures of a binary classifier that are of one class: under what name, and of which."""


def export_performance(profile: Profile, counts: Counts) -> None:
    """Write baseline and calibration into a table of series; nothing where there is none.

    Parameters
    ----------
    profile
        Of the model that is served.
    counts
        The table.
    """
    labels = (profile.name, profile.version)
    values, errors = _baselines(profile)
    _export(counts, names.REFERENCE_PERFORMANCE, labels, values)
    _export(counts, names.REFERENCE_PERFORMANCE_ERROR, labels, errors)
    calibration = profile.calibration
    if isinstance(calibration, ErrorCalibration):
        _export(counts, names.REFERENCE_ERROR, labels, _errors(profile, calibration))
    elif calibration is not None:
        ratios, scores = _ratios(profile, calibration)
        _export(counts, names.OUTCOME_RATIO, labels, ratios)
        _export(counts, names.REFERENCE_SCORE, labels, scores)


def _export(
    counts: Counts, metric: Metric, labels: tuple[str, str], series: Sequence[Series]
) -> None:
    if series:
        block = counts.block(metric, [(*labels, *row) for row, _ in series])
        block.values[:] = [value for _, value in series]


def _baselines(profile: Profile) -> tuple[list[Series], list[Series]]:
    """Return figures and their errors, as a whole and by segment."""
    found: list[tuple[str, Baseline | None]] = [("", profile.baseline)]
    for one, segments in segmented(profile):
        found += zip(segments, one.baselines, strict=False)
    values: list[Series] = []
    errors: list[Series] = []
    for segment, baseline in found:
        for row, value, error in figures(profile.model, baseline):
            values.append(((segment, *row), value))
            if error is not None:
                errors.append(((segment, *row), error))
    return values, errors


def figures(
    facts: ModelFacts, baseline: Baseline | None
) -> Iterator[tuple[tuple[str, str], float, float | None]]:
    """Yield metric and class, value and error, as the rules name them.

    Parameters
    ----------
    facts
        Of the model.
    baseline
        Nothing without one.
    """
    classes = category_labels(facts.classes)
    positions = {value: i for i, value in enumerate(facts.classes)}
    for one in () if baseline is None else baseline.measures:
        name, of_class = one.metric, ""
        if one.of_class is not None:
            of_class = classes[positions[one.of_class]]
        elif len(classes) == 2 and name in OF_CLASS:
            name, position = OF_CLASS[name]
            of_class = classes[position]
        yield (name, of_class), one.value, one.error


def _ratios(profile: Profile, calibration: Calibration) -> tuple[list[Series], list[Series]]:
    """Return the outcome ratios, and the scores that stand for the bins."""
    facts = profile.model
    classes = category_labels(facts.classes)
    ratios = calibration.ratios.ratios
    scores = profile.output(Y_SCORE)
    ordered = scores.positions if scores is not None and calibration.scores else (("", ""),)
    if calibration.by_score:
        assert scores is not None
        bins = scores.bins
        assert isinstance(bins, NumericBins)
        assert facts.threshold is not None
        said = [classes[side] for side in positive_bins(bins.edges, facts.threshold).astype(int)]
        rows = [(y_pred, *bin_) for y_pred, bin_ in zip(said, ordered, strict=True)]
        found = _by_class(rows, ratios, classes)
        expected = calibration.scores if calibration.probabilities else ()
        return found, list(zip(ordered, expected, strict=False))
    rows = [(said, *bin_) for said in classes for bin_ in ordered]
    by_row = ratios.reshape(-1, len(classes))
    return _by_class(rows, by_row, classes, right_only=by_row.size > MAX_RATIOS), []


def _by_class(
    rows: Sequence[tuple[str, ...]],
    ratios: Any,
    classes: Sequence[str],
    *,
    right_only: bool = False,
) -> list[Series]:
    return [
        ((*row, f"{place:02d}", true), float(ratio))
        for row, of_row in zip(rows, ratios, strict=True)
        for place, (true, ratio) in enumerate(zip(classes, of_row, strict=True))
        if not right_only or row[0] == true
    ]


def _errors(profile: Profile, calibration: ErrorCalibration) -> list[Series]:
    expected = expected_errors(calibration.sums)
    predictions = profile.output(Y_PRED)
    assert predictions is not None
    return [
        ((*bin_, statistic), float(value))
        for bin_, of_bin in zip(predictions.positions, expected, strict=True)
        for statistic, value in zip(ERROR_SUMS[1:], of_bin, strict=True)
        if np.isfinite(value)
    ]
