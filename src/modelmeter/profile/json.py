"""Profile files: JSON, readable, comparable with `diff`, checked in full when read.

Changing the schema
-------------------
1. Raise `SCHEMA_VERSION` and change `_to_document` and `_from_document`.
2. Add a function that brings a document of the former version to the new one to
   `_UPGRADES`, under the former version's number.
3. Save a file written by the former version as ``tests/profile/files/v<N>.json``; the
   tests read every file in that folder.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from modelmeter._errors import ProfileFileError
from modelmeter.profile.check import Checker
from modelmeter.profile.profile import (
    QUANTILES,
    FeatureKind,
    FeatureProfile,
    ModelFacts,
    Profile,
)
from modelmeter.stats.bins import MAX_INTERVALS, Bins, CategoricalBins, NumericBins, ValueType

SCHEMA_VERSION = 1

Document = dict[str, Any]
_TYPES: Mapping[ValueType, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
}
_UPGRADES: Mapping[int, Callable[[Document], Document]] = {}
"""How to bring a document of an older version to the next one, by its version."""


def save(profile: Profile, path: Path) -> None:
    """Write a profile, replacing the file in one step."""
    document = _to_document(profile)
    text = dumps({"schema_version": SCHEMA_VERSION, "hash": _hash(document), **document})
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load(path: Path) -> Profile:
    """Read a profile file.

    Raises
    ------
    ProfileFileError
        The file is truncated, was edited into nonsense, or is of a newer schema.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProfileFileError(
            f"{path} is no profile: it is no valid JSON, perhaps cut off ({error})"
        ) from error
    try:
        return _from_document(_upgrade(document))
    except (ProfileFileError, RecursionError) as error:
        raise ProfileFileError(f"{path}: {error}") from error


def content_hash(profile: Profile) -> str:
    """Hash what a profile says; layout and schema version do not count."""
    return _hash(_to_document(profile))


def dumps(document: Document) -> str:
    """Write JSON with one key a line, but lists of numbers and texts on one line."""
    return _pretty(document, "") + "\n"


def _pretty(value: Any, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, dict) and value:
        items = (f"{inner}{json.dumps(k)}: {_pretty(v, inner)}" for k, v in value.items())
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(inner + _pretty(v, inner) for v in value) + f"\n{indent}]"
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(value, allow_nan=False)
    return text


def _hash(document: Document) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _upgrade(document: Any) -> Document:
    if not isinstance(document, dict) or "schema_version" not in document:
        raise ProfileFileError("this is no profile: it has no schema_version")
    version = document["schema_version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ProfileFileError(f"schema_version must be a whole number, not {version!r}")
    if version > SCHEMA_VERSION:
        raise ProfileFileError(
            f"schema_version is {version}, this modelmeter reads up to {SCHEMA_VERSION}: "
            "upgrade modelmeter"
        )
    content = {k: v for k, v in document.items() if k not in ("schema_version", "hash")}
    found, said = _hash(content), document.get("hash")
    if said is not None and said != found:
        raise ProfileFileError(
            f"the content was changed after it was written (hash {said!r}, content {found!r}); "
            "if that was you, remove the line 'hash'"
        )
    for step in range(version, SCHEMA_VERSION):
        content = _UPGRADES[step](content)
    return content


def _to_document(profile: Profile) -> Document:
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


def _from_document(document: Document) -> Profile:
    top = Checker(document, "profile")
    features = tuple(_feature(c) for c in top.objects("features"))
    predictions = tuple(_feature(c) for c in top.objects("predictions"))
    top.require(bool(features), "features", "is empty")
    for role, profiles in (("features", features), ("predictions", predictions)):
        names = [f.name for f in profiles]
        top.require(len(set(names)) == len(names), role, f"has a name twice: {names}")
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
    return Profile(
        name=top.label("name"),
        version=top.label("version"),
        model=_facts(top.object("model")),
        features=features,
        predictions=predictions,
        target=true,
        rows=rows,
        time_span=(span[0], span[1]) if span else None,
        created=top.text("created"),
        libraries=top.texts("libraries"),
    )


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
        value_type: ValueType = c.one_of("value_type", tuple(_TYPES))
        categories = tuple(c.scalars("categories"))
        fits = all(type(value) in _TYPES[value_type] for value in categories)
        c.require(fits, "categories", f"must be of type {value_type}")
        return CategoricalBins(
            categories, value_type, frozenset(c.text_list("known")), c.flag("open_ended")
        )
    edges = c.numbers("edges")
    increasing = all(a < b for a, b in itertools.pairwise(edges))
    c.require(increasing and len(edges) != 1, "edges", "must be two or more increasing numbers")
    c.require(len(edges) <= MAX_INTERVALS + 1, "edges", f"are {len(edges)}, more than fit")
    return NumericBins(tuple(edges), c.flag("is_time"))
