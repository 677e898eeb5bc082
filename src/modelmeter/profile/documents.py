"""Profiles as JSON has them: what training data looked like, and what is known of the model."""

from __future__ import annotations

import itertools
from dataclasses import asdict, replace
from typing import Any

from modelmeter.profile.check import Checker
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.measured_documents import (
    VALUE_TYPES,
    calibration_document,
    canary_document,
    read_measured,
    segment_documents,
)
from modelmeter.profile.profile import (
    QUANTILES,
    FeatureKind,
    FeatureProfile,
    ModelFacts,
    Profile,
)
from modelmeter.stats.bins import MAX_INTERVALS, Bins, CategoricalBins, NumericBins, ValueType

Document = dict[str, Any]


def to_document(profile: Profile) -> Document:
    """Return what is written to a profile file, beside its schema version and hash."""
    facts, calibration = profile.model, profile.calibration
    return {
        "name": profile.name,
        "version": profile.version,
        "created": profile.created,
        "rows": profile.rows,
        "time_span": list(profile.time_span) if profile.time_span else None,
        "libraries": dict(sorted(profile.libraries.items())),
        "model": {**asdict(profile.model), "classes": list(profile.model.classes)},
        "features": [_feature_document(f) for f in profile.features],
        "predictions": [_feature_document(f) for f in profile.predictions],
        "target": _feature_document(profile.target) if profile.target else None,
        "baseline": profile.baseline.to_document() if profile.baseline else None,
        "calibration": calibration_document(facts, calibration),
        "unmeasured": profile.unmeasured,
        "segments": segment_documents(profile),
        "canary": canary_document(profile.canary) if profile.canary else None,
    }


def _feature_document(feature: FeatureProfile) -> Document:
    document: Document = {
        "name": feature.name,
        "dtype": feature.dtype,
        "kind": feature.kind,
        "bins": _bins_document(feature.bins),
        "counts": list(feature.counts),
    }
    if feature.centers:
        document |= {k: getattr(feature, k) for k in ("min", "max", "mean", "std")}
        document["centers"] = list(feature.centers)
        document["quantiles"] = dict(zip(map(str, QUANTILES), feature.quantiles, strict=True))
    document |= {k: getattr(feature, k) for k in ("importance", "variation")}
    # For the reader's eye; derived, and so not read back.
    return document | {"missing": feature.missing, "constant": feature.constant}


def _bins_document(bins: Bins) -> Document:
    if isinstance(bins, NumericBins):
        return {"edges": list(bins.edges), "is_time": bins.is_time}
    return {
        "categories": list(bins.categories),
        "value_type": bins.value_type,
        "known": sorted(bins.known),
        "open_ended": bins.open_ended,
    }


def from_document(document: Document) -> Profile:
    """Read a document of the current schema, checking all of it.

    Raises
    ------
    ProfileFileError
        A field is missing or holds something else.
    """
    top = Checker(document, "profile")
    features = tuple(_feature(c) for c in top.objects("features"))
    predictions = tuple(_feature(c) for c in top.objects("predictions"))
    top.require(bool(features), "features", "is empty")
    names = [f.name for f in features]
    top.require(len(set(names)) == len(names), "features", f"has a name twice: {names}")
    rows = top.count("rows")
    target = top.optional_object("target")
    true = _feature(target) if target else None
    for feature in (*features, *predictions, *([true] if true else [])):
        top.require(
            feature.rows == rows, feature.name, f"has counts of {feature.rows} rows, not {rows}"
        )
    span = top.numbers("time_span", optional=True)
    top.require(
        not span or (len(span) == 2 and span[0] <= span[1]),
        "time_span",
        "must be two numbers, the first not above the second, or null",
    )
    facts = _facts(top.object("model"))
    expected = [] if facts.task == "other" else [Y_PRED, *([Y_SCORE] if facts.score_method else [])]
    found = [f.name for f in predictions]
    top.require(found == expected, "predictions", f"must be {expected}, not {found}")
    counted = Profile(
        name=top.label("name"),
        version=top.label("version"),
        model=facts,
        features=features,
        predictions=predictions,
        target=true,
        rows=rows,
        time_span=(span[0], span[1]) if span else None,
        created=top.text("created"),
        libraries=top.texts("libraries"),
    )
    return read_measured(top, counted)


def _facts(c: Checker) -> ModelFacts:
    facts = ModelFacts(
        class_name=c.text("class_name"),
        task=c.one_of("task", ("binary", "multiclass", "regression", "other")),
        classes=tuple(c.scalars("classes")),
        score_method=c.one_of("score_method", ("predict_proba", "decision_function", None)),
        threshold=c.number("threshold", optional=True),
    )
    is_binary = facts.task == "binary"
    c.require(not is_binary or len(facts.classes) == 2, "classes", "must be two of a binary model")
    c.require(is_binary or facts.threshold is None, "threshold", "is of no use: not a binary model")
    return facts


def _feature(c: Checker) -> FeatureProfile:
    kind: FeatureKind = c.one_of("kind", ("numeric", "categorical", "boolean", "datetime"))
    bins = _bins(c.object("bins"), kind)
    counts = tuple(c.counts("counts"))
    c.require(
        len(counts) == len(bins.bins), "counts", f"has {len(counts)} for {len(bins.bins)} bins"
    )
    feature = FeatureProfile(
        name=c.label("name"),
        dtype=c.text("dtype"),
        kind=kind,
        bins=bins,
        counts=counts,
        importance=c.number("importance", optional=True),
        variation=c.number("variation", optional=True),
    )
    return replace(feature, **_numbers(c, bins)) if "centers" in c.document else feature


def _numbers(c: Checker, bins: Bins) -> dict[str, Any]:
    """Read what only a numeric feature with values has."""
    centers, quantiles = c.numbers("centers"), c.object("quantiles")
    ordered = sum(1 for b in bins.bins if b.ord)
    c.require(len(centers) == ordered > 0, "centers", f"has {len(centers)} for {ordered} bins")
    moments = {k: c.number(k) or 0.0 for k in ("min", "max", "mean", "std")}
    low, high, std = moments["min"], moments["max"], moments["std"]
    c.require(low <= high, "min", f"is {low}, above max {high}")
    c.require(std >= 0, "std", f"is {std}, below zero")
    found = tuple(quantiles.number(str(q)) for q in QUANTILES)
    return {**moments, "centers": tuple(centers), "quantiles": found}


def _bins(c: Checker, kind: FeatureKind) -> Bins:
    if kind in ("categorical", "boolean"):
        value_type: ValueType = c.one_of("value_type", tuple(VALUE_TYPES))
        categories = tuple(c.scalars("categories"))
        fits = all(type(value) in VALUE_TYPES[value_type] for value in categories)
        c.require(fits, "categories", f"must be of type {value_type}")
        return CategoricalBins(
            categories, value_type, frozenset(c.text_list("known")), c.flag("open_ended")
        )
    edges = c.numbers("edges")
    increasing = all(a < b for a, b in itertools.pairwise(edges))
    c.require(increasing and len(edges) != 1, "edges", "must be two or more increasing numbers")
    c.require(len(edges) <= MAX_INTERVALS + 1, "edges", f"are {len(edges)}, more than fit")
    return NumericBins(tuple(edges), c.flag("is_time"))
