"""How good a model was out of sample, and what its answers were worth.

The `Baseline` is what production is compared with once labels are there; the calibration
is what performance is estimated from before they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelmeter.profile.calibration import (
    AnyCalibration,
    Calibration,
    ErrorCalibration,
    center_of,
    prediction_profile,
    score_profile,
)
from modelmeter.profile.check import Checker
from modelmeter.profile.columns import Array
from modelmeter.profile.profile import FeatureProfile, ModelFacts
from modelmeter.stats.bins import NumericBins
from modelmeter.stats.performance import (
    Estimate,
    binary_performance,
    error_sums,
    multiclass_performance,
    positive_bins,
    regression_performance,
    target_sums,
)

if TYPE_CHECKING:
    from modelmeter.profile.outofsample import OutOfSample


@dataclass(frozen=True)
class Measure:
    """One figure of a baseline.

    Parameters
    ----------
    metric
        Its name: ``accuracy``, ``roc_auc``, ``mae``, ...
    value
        Finite; a figure that is not defined is left out.
    error
        Standard error; None where there is none.
    of_class
        The class that it is of, None for all together.
    """

    metric: str
    value: float
    error: float | None
    of_class: Any = None

    @property
    def estimate(self) -> Estimate:
        """The same as the statistics take it, to compare live figures with (`z_score`)."""
        error = math.nan if self.error is None else self.error
        return Estimate(np.asarray(self.value), np.asarray(error))


@dataclass(frozen=True)
class Baseline:
    """How good the model was on rows that it had not seen.

    Parameters
    ----------
    method
        How it was measured: ``cross-validation, 5 folds``, ``hold-out``, ...
    rows
        Rows that it was measured on.
    measures
        Every figure that is defined.
    """

    method: str
    rows: int
    measures: tuple[Measure, ...]

    def get(self, metric: str, of_class: Any = None) -> Measure | None:
        """Return a figure by name, and by class where it has one; None if not defined."""
        for measure in self.measures:
            if measure.metric == metric and measure.of_class == of_class:
                return measure
        return None

    def to_document(self) -> dict[str, Any]:
        """Return what is written to the profile file."""
        return {
            "method": self.method,
            "rows": self.rows,
            "measures": [
                {"metric": m.metric, "of_class": m.of_class, "value": m.value, "error": m.error}
                for m in self.measures
            ],
        }

    @staticmethod
    def from_document(c: Checker, classes: Sequence[Any]) -> Baseline:
        """Read what `to_document` wrote.

        Raises
        ------
        ProfileFileError
            A field is missing or holds something else.
        """
        measures = [_measure(inner, classes) for inner in c.objects("measures")]
        names = {(measure.metric, measure.of_class) for measure in measures}
        c.require(len(names) == len(measures), "measures", "has a figure twice")
        return Baseline(c.text("method"), c.count("rows"), tuple(measures))


def measure(
    facts: ModelFacts, outputs: Sequence[FeatureProfile], found: OutOfSample
) -> tuple[Baseline, AnyCalibration]:
    """Work out the baseline and the calibration.

    Parameters
    ----------
    facts
        What is known of the model.
    outputs
        Profiles of ``y_pred`` and, where there are scores, ``y_score``, whose bins count.
    found
        Answers out of sample. Rows without a valid answer (a missing score, a value that
        is none of the classes) are left out.

    Returns
    -------
    baseline : Baseline
        Without any figures when there are no rows.
    calibration : Calibration or ErrorCalibration
        By the same bins as production is counted in.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        calibration = _calibration(facts, outputs, found)
    return baseline_of(facts, outputs, calibration, found.method), calibration


def baseline_of(
    facts: ModelFacts,
    outputs: Sequence[FeatureProfile],
    calibration: AnyCalibration,
    method: str,
) -> Baseline:
    """Work out the baseline from a calibration alone: it holds all counts that are needed.

    Parameters
    ----------
    facts, outputs
        As in `measure`.
    calibration
        For one, two calibrations of parts of the data, merged.
    method
        How it was measured, in words.
    """
    # Sums near the largest float: figures that overflow are left out.
    with np.errstate(over="ignore", invalid="ignore"):
        measures = tuple(_figures(facts, outputs, calibration))
    return Baseline(method, calibration.rows, measures)


def _figures(
    facts: ModelFacts, outputs: Sequence[FeatureProfile], calibration: AnyCalibration
) -> Iterable[Measure]:
    if isinstance(calibration, ErrorCalibration):
        sums = np.asarray(calibration.sums).sum(axis=0)
        return _measures(regression_performance(sums, calibration.targets).metrics)
    counts = np.asarray(calibration.counts)
    scores = score_profile(facts, outputs)
    if calibration.by_score and scores is not None and facts.threshold is not None:
        assert isinstance(scores.bins, NumericBins)
        sides = positive_bins(scores.bins.edges, facts.threshold)
        points = calibration.scores if calibration.probabilities else None
        found = binary_performance(counts[0], positive=sides, scores=points)
        return _measures(found.metrics)
    by_class = multiclass_performance(counts.sum(axis=1).T)
    return [*_measures(by_class.overall), *_measures(by_class.by_class, facts.classes)]


def _calibration(
    facts: ModelFacts, outputs: Sequence[FeatureProfile], found: OutOfSample
) -> AnyCalibration:
    if facts.task == "regression":
        return _error_calibration(outputs, found)
    scores = score_profile(facts, outputs)
    valid, places = found.y_pred >= 0, np.zeros(len(found), dtype=np.intp)
    points: tuple[float, ...] = ()
    if scores is not None and found.y_score is not None:
        assert isinstance(scores.bins, NumericBins)
        places, points = scores.bins.place(found.y_score), scores.centers
        valid &= places < len(points)
    by_score = bool(points) and facts.threshold is not None
    classes, bins = len(facts.classes), max(len(points), 1)
    said = np.zeros_like(found.y_pred) if by_score else found.y_pred
    cells = (said * bins + places) * classes + found.y_true
    shape = (1 if by_score else classes), bins, classes
    table = np.bincount(cells[valid], minlength=math.prod(shape)).reshape(shape)
    return Calibration(
        counts=tuple(tuple(tuple(bin_) for bin_ in rows) for rows in table.tolist()),
        scores=points,
        probabilities=facts.score_method == "predict_proba",
    )


def _error_calibration(outputs: Sequence[FeatureProfile], found: OutOfSample) -> ErrorCalibration:
    predicted = prediction_profile(outputs)
    valid = np.isfinite(found.y_pred)
    y_true, y_pred = found.y_true[valid], found.y_pred[valid]
    assert isinstance(predicted.bins, NumericBins)
    places, bins = predicted.bins.place(y_pred), len(predicted.bins.edges) + 1
    center = center_of(predicted.bins)
    return ErrorCalibration(
        sums=_nested(error_sums(y_true, y_pred, places=places, bins=bins)),
        targets=tuple(target_sums(y_true, y_pred, center=center).tolist()),
        center=center,
    )


def _nested(table: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in table.tolist())


def _measures(found: Mapping[str, Estimate], classes: Sequence[Any] = (None,)) -> Iterable[Measure]:
    for name, estimate in found.items():
        values, errors = np.atleast_1d(estimate.value), np.atleast_1d(estimate.error)
        for of_class, value, error in zip(classes, values.tolist(), errors.tolist(), strict=True):
            if math.isfinite(value):
                yield Measure(name, value, error if math.isfinite(error) else None, of_class)


def _measure(c: Checker, classes: Sequence[Any]) -> Measure:
    of_class = c.one_of("of_class", (None, *classes))
    value, error = c.number("value"), c.number("error", optional=True)
    assert value is not None
    c.require(error is None or error >= 0, "error", f"is {error}, below zero")
    return Measure(c.label("metric"), value, error, of_class)
