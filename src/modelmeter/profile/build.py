"""From training data to a profile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from modelmeter._errors import DataError
from modelmeter.profile.choose import Binning, kind_of
from modelmeter.profile.facts import inspect_model, library_versions
from modelmeter.profile.importance import feature_importances
from modelmeter.profile.merge import binned_quantiles
from modelmeter.profile.passes import FirstPass, SecondPass
from modelmeter.profile.profile import QUANTILES, FeatureProfile, Profile
from modelmeter.profile.reading import Key, Reading
from modelmeter.profile.scan import ColumnScan
from modelmeter.profile.sources import Source, open_source
from modelmeter.stats.bins import Bins, CategoricalBins, Counts, NumericBins
from modelmeter.stats.labels import is_label
from modelmeter.stats.values import Floats

__all__ = ["Binning", "build_profile"]


def build_profile(
    model: Any,
    X: Any,
    y: Any,
    *,
    name: str,
    version: str,
    timestamps: Any,
    drop: Sequence[str],
    feature_names: Sequence[str] | None,
    threshold: float | None,
    bins_from: Profile | None,
    binning: Binning,
) -> Profile:
    """Measure a fitted model's training data (see `Profile.build`)."""
    for what, value in (("name", name), ("version", version)):
        if not isinstance(value, str) or not is_label(value):
            raise DataError(f"{what} must be a text that is not empty, not {value!r}")
    known_names = getattr(model, "feature_names_in_", None)
    source = open_source(X, known_names if feature_names is None else feature_names)
    features = _features(model, source, _extras(source, y, timestamps, drop), binning)
    facts = inspect_model(model, threshold)
    if bins_from is not None:
        binning = replace(binning, categorical=_number_categories(bins_from))
        if not facts.classes and facts.task != "other":  # the first part settled what it is
            facts = replace(bins_from.model, class_name=facts.class_name)
    reading = Reading(model, facts, source, features, y=y, timestamps=timestamps)
    try:
        first = FirstPass(reading, binning, facts, settle=bins_from is None)
        bins = first.bins() if bins_from is None else _given_bins(bins_from, first.scans)
        second = SecondPass(reading, first.scans, bins)
    finally:
        reading.close()
    scales = {f: first.scans["features", f].std for f in features}
    importances = feature_importances(model, features, scales) if model is not None else {}
    profiles = {
        key: _feature(key, bins[key], first, second, source.dtypes.get(key[1])) for key in bins
    }
    if importances:
        for (role, column), profile in profiles.items():
            if role == "features":
                profiles[role, column] = replace(profile, importance=importances[column])
    by_role: dict[str, list[FeatureProfile]] = defaultdict(list)
    for (role, _), profile in profiles.items():
        by_role[role].append(profile)
    return Profile(
        name=name,
        version=version,
        model=first.facts,
        features=tuple(by_role["features"]),
        predictions=tuple(by_role["predictions"]),
        target=profiles.get(("target", "y_true")),
        rows=first.rows,
        time_span=first.time_span,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        libraries=library_versions(),
    )


def _extras(source: Source, y: Any, timestamps: Any, drop: Sequence[str]) -> set[str]:
    """Return the columns of X that the model is not given."""
    named = [("y", y), ("timestamps", timestamps), *(("drop", column) for column in drop)]
    extras = [(what, column) for what, column in named if isinstance(column, str)]
    for what, column in extras:
        if column not in source.columns:
            raise DataError(f"{what}={column!r} is no column of X; X has {list(source.columns)}")
    return {column for _, column in extras}


def _features(model: Any, source: Source, extras: set[str], binning: Binning) -> tuple[str, ...]:
    """Return the columns that the model is given, in its order."""
    given = [c for c in source.columns if c not in extras]
    if not given:
        raise DataError("X has no feature columns")
    for column in binning.categorical:
        if column not in given:
            raise DataError(f"categorical={column!r} is no column of X")
    known = getattr(model, "feature_names_in_", None)
    if known is None:
        expected = getattr(model, "n_features_in_", len(given))
        if expected != len(given):
            raise DataError(f"X has {len(given)} columns, the model was fitted on {expected}")
        return tuple(given)
    names = [str(name) for name in known]
    for column in given:
        if column not in names:
            raise DataError(
                f"column {column!r} is not known to the model (it was fitted on {names}): "
                "drop it (drop=), or name it as y or timestamps"
            )
    for column in names:
        if column not in given:
            raise DataError(f"X has no column {column!r}, which the model was fitted on")
    return tuple(names)


def _given_bins(profile: Profile, scans: Mapping[Key, ColumnScan]) -> dict[Key, Bins]:
    given: dict[Key, Bins] = {("features", f.name): f.bins for f in profile.features}
    given |= {("predictions", f.name): f.bins for f in profile.predictions}
    if profile.target is not None:
        given["target", "y_true"] = profile.target.bins
    for key, scan in scans.items():
        if key not in given:
            raise DataError(f"{key[1]!r} is not in the profile given as bins_from")
        here, there = _shape_of(scan), _shape_of(given[key])
        if key[0] == "features" and None not in (here, there) and here != there:
            raise DataError(f"column {key[1]!r} holds {here}; in bins_from it holds {there}")
    return {key: given[key] for key in scans}


def _number_categories(profile: Profile) -> tuple[str, ...]:
    """Return the numeric columns that a profile took as categories."""
    return tuple(
        f.name
        for f in profile.features
        if isinstance(f.bins, CategoricalBins) and f.bins.value_type in ("int", "float")
    )


def _shape_of(seen: ColumnScan | Bins) -> str | None:
    """Say how a column is binned, None when it had no value."""
    if isinstance(seen, ColumnScan):
        if not seen.present:
            return None
        is_categorical, is_time = seen.is_categorical, seen.group == "time"
    else:
        is_categorical = isinstance(seen, CategoricalBins)
        if isinstance(seen, NumericBins) and not seen.edges:
            return None
        is_time = isinstance(seen, NumericBins) and seen.is_time
    return "categories" if is_categorical else "times" if is_time else "numbers"


def _feature(
    key: Key, bins: Bins, first: FirstPass, second: SecondPass, dtype: str | None
) -> FeatureProfile:
    scan, counts = first.scans[key], second.counts[key]
    profile = FeatureProfile(
        name=key[1],
        dtype=dtype if dtype and key[0] == "features" else scan.dtype,
        kind=kind_of(bins),
        bins=bins,
        counts=tuple(counts.tolist()),
        variation=second.variation(key),
    )
    if not isinstance(bins, NumericBins) or not bins.edges or not scan.present:
        return profile
    sample = first.sample.values(key)
    return replace(
        profile,
        centers=_centers(bins, counts, second.sums[key]),
        min=scan.min,
        max=scan.max,
        mean=scan.mean,
        std=scan.std,
        # The sample may have missed all of the few values that there are.
        quantiles=tuple(map(float, np.quantile(sample, QUANTILES)))
        if len(sample)
        else binned_quantiles(bins, profile.counts, scan.min, scan.max),
    )


def _centers(bins: NumericBins, counts: Counts, sums: Floats) -> tuple[float, ...]:
    """Return the mean of every interval's values, its middle where there is none.

    Values beyond the training range are represented by the end of the range.
    """
    edges = bins.edge_array
    inner = slice(1, len(edges))
    middles = (edges[:-1] + edges[1:]) / 2
    rows = counts[inner]
    means = np.where(rows > 0, sums[inner] / np.maximum(rows, 1), middles)
    means = np.clip(means, edges[:-1], edges[1:])  # a sum is rounded
    return (float(edges[0]), *map(float, means), float(edges[-1]))
