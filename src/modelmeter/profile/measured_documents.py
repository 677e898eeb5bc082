"""Performance, segments and canary rows as JSON has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from modelmeter.profile.baseline import Baseline
from modelmeter.profile.calibration import (
    AnyCalibration,
    Calibration,
    ErrorCalibration,
    calibration_bins,
    score_profile,
)
from modelmeter.profile.canary import Canary
from modelmeter.profile.check import Checker, is_number
from modelmeter.profile.profile import FeatureProfile, ModelFacts, Profile
from modelmeter.profile.segments import Segmentation, Table, segmentation
from modelmeter.stats.bins import CategoricalBins, ValueType

VALUE_TYPES: Final[Mapping[ValueType, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
}

Document = dict[str, Any]


def calibration_document(facts: ModelFacts, calibration: AnyCalibration | None) -> Document | None:
    """Return what is written of a calibration."""
    if calibration is None:
        return None
    if isinstance(calibration, ErrorCalibration):
        return calibration.to_document()
    return calibration.to_document(facts.classes)


def segment_documents(profile: Profile) -> list[Document]:
    """Return what is written of segments; baselines follow from the calibrations."""
    bins = {feature.name: feature.bins for feature in profile.features}
    return [
        {
            "feature": one.feature,
            "segments": [
                # For the reader's eye; derived, and so not read back.
                {"bin": place.label}
                | {"counts": {output: list(table[i]) for output, table in one.counts.items()}}
                | {"calibration": calibration_document(profile.model, one.calibrations[i])}
                for i, place in enumerate(bins[one.feature].bins)
            ],
        }
        for one in profile.segments
    ]


def canary_document(canary: Canary) -> Document:
    """Return what is written of canary rows: a line for each column."""
    return {
        "source": canary.source,
        "tolerance": canary.tolerance,
        "columns": {name: [row[name] for row in canary.rows] for name in canary.rows[0]},
        "y_pred": list(canary.y_pred),
        "y_score": list(canary.y_score),
    }


def read_measured(c: Checker, profile: Profile) -> Profile:
    """Read performance, segments and canary rows, beside what was counted.

    Raises
    ------
    ProfileFileError
        A field is missing, or does not fit the rest of the profile.
    """
    facts, inner = profile.model, c.optional_object("baseline")
    baseline = None if inner is None else Baseline.from_document(inner, facts.classes)
    calibration = _calibration(c, profile)
    both = (baseline is None) == (calibration is None)
    c.require(both, "calibration", "and baseline must both be there, or neither")
    if baseline is not None and calibration is not None:
        fits = baseline.rows == calibration.rows
        c.require(fits, "baseline", f"is of {baseline.rows} rows, calibration of another number")
    unmeasured = c.text("unmeasured")
    fits = (baseline is None) == bool(unmeasured)
    c.require(fits, "unmeasured", "must say why there is no baseline, where there is none")
    method = "" if baseline is None else baseline.method
    segments = tuple(_segmentation(one, profile, method) for one in c.objects("segments"))
    names = [one.feature for one in segments]
    c.require(len(set(names)) == len(names), "segments", f"has a feature twice: {names}")
    kept = c.optional_object("canary")
    return replace(
        profile,
        baseline=baseline,
        calibration=calibration,
        unmeasured=unmeasured,
        segments=segments,
        canary=None if kept is None else _canary(kept, profile),
    )


def _calibration(c: Checker, profile: Profile, *, condensed: bool = False) -> AnyCalibration | None:
    inner, facts, outputs = c.optional_object("calibration"), profile.model, profile.predictions
    if inner is None:
        return None
    c.require(bool(outputs), "calibration", "is of no use: the model does not predict")
    expected = calibration_bins(facts, outputs)
    if not facts.classes:
        c.require(facts.task == "regression", "calibration", f"is of no use: task {facts.task}")
        errors = ErrorCalibration.from_document(inner)
        bins = len(errors.sums)
        expected = 1 if condensed else expected
        inner.require(bins == expected, "errors", f"has {bins} bins, not {expected}")
        return errors
    scores = score_profile(facts, outputs)
    by_score = scores is not None and facts.threshold is not None
    scored = scores is not None and (by_score or not condensed)
    expected = expected if scored else 1
    fits = inner.count("bins") == expected
    inner.require(fits, "bins", f"must be {expected}")
    found = Calibration.from_document(inner, facts.classes)
    inner.require(found.by_score == by_score, "by_score", f"must be {by_score}".lower())
    inner.require(bool(found.scores) == scored, "scores", f"has {len(found.scores)}")
    return found


def _segmentation(c: Checker, profile: Profile, method: str) -> Segmentation:
    features = {f.name: f for f in profile.features if isinstance(f.bins, CategoricalBins)}
    feature = features[c.one_of("feature", tuple(features))]
    outputs, parts = profile.predictions, list(c.objects("segments"))
    size = len(feature.bins.bins)
    c.require(len(parts) == size, "segments", f"has {len(parts)} for {size} bins")
    counted = [part.object("counts") for part in parts]
    tables: dict[str, Table] = {
        output.name: tuple(tuple(counts.counts(output.name)) for counts in counted)
        for output in outputs
    }
    for output in outputs:
        table, bins = tables[output.name], len(output.bins.bins)
        fits = all(len(row) == bins for row in table)
        c.require(fits, "segments", f"must have {bins} counts of {output.name} each")
        sums = tuple(map(sum, zip(*table, strict=True)))
        fits = sums == output.counts and tuple(map(sum, table)) == feature.counts
        c.require(fits, "segments", f"must add up to the rows of {output.name} and of the feature")
    calibrations = [_calibration(part, profile, condensed=True) for part in parts]
    measured = bool(method) or not any(calibrations)
    c.require(measured, "segments", "must have no calibration where there is no baseline")
    return segmentation(
        feature.name, tables, calibrations, facts=profile.model, outputs=outputs, method=method
    )


def _canary(c: Checker, profile: Profile) -> Canary:
    columns = c.object("columns")
    answers = c.cells("y_pred")
    rows = len(answers)
    c.require(rows > 0, "y_pred", "is empty")
    cells = {f.name: _column(columns, f, rows) for f in profile.features}
    scores = c.cells("y_score")
    fits = len(scores) == (rows if profile.model.score_method else 0)
    c.require(fits, "y_score", f"has {len(scores)} for {rows} rows")
    numbers = all(score is None or is_number(score) for score in scores)
    c.require(numbers, "y_score", "must be numbers or null")
    tolerance = c.number("tolerance")
    assert tolerance is not None
    c.require(tolerance >= 0, "tolerance", f"is {tolerance}, below zero")
    named = (dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True))
    return Canary(
        c.one_of("source", ("synthetic", "training")),
        tuple(named),
        tuple(answers),
        tuple(scores),
        tolerance,
    )


def _column(c: Checker, feature: FeatureProfile, rows: int) -> list[Any]:
    cells = c.cells(feature.name)
    c.require(len(cells) == rows, feature.name, f"has {len(cells)} values for {rows} rows")
    bins = feature.bins
    present = [value for value in cells if value is not None]
    if isinstance(bins, CategoricalBins):
        fits = all(type(value) in VALUE_TYPES[bins.value_type] for value in present)
    else:
        fits = all(map(_is_moment if bins.is_time else is_number, present))
    c.require(fits, feature.name, f"must be values of a {feature.kind} feature, or null")
    return cells


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False
