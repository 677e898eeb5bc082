"""From training data to a profile."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from modelmeter._errors import DataError
from modelmeter.profile.canary import MOST_ROWS, keep_canary
from modelmeter.profile.choose import Binning, kind_of
from modelmeter.profile.facts import inspect_model, library_versions
from modelmeter.profile.given import given_bins, given_columns, number_categories
from modelmeter.profile.importance import feature_importances
from modelmeter.profile.measured import Rows, add_performance, open_holdout
from modelmeter.profile.measuring import Measuring, check_whole
from modelmeter.profile.merge import binned_quantiles
from modelmeter.profile.passes import FirstPass, SecondPass
from modelmeter.profile.profile import QUANTILES, FeatureProfile, ModelFacts, Profile
from modelmeter.profile.reading import Key, Reading
from modelmeter.profile.segments import (
    Segmentation,
    all_segments,
    check_segment_bins,
    check_segment_names,
    check_segment_series,
    log_segment_series,
)
from modelmeter.profile.sources import open_source
from modelmeter.stats.bins import Bins, Counts, NumericBins
from modelmeter.stats.labels import is_label
from modelmeter.stats.values import Floats

logger = logging.getLogger("modelmeter")

MANY_PAIRS = 2_500
"""Pairs of true and predicted class, over segments, beyond which their number is told."""

__all__ = ["Asked", "Binning", "Measuring", "build_profile"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What `Profile.build` was asked for, beside a model, X and y; see there."""

    name: str
    version: str
    timestamps: Any
    drop: Sequence[str]
    feature_names: Sequence[str] | None
    threshold: float | None
    bins_from: Profile | None
    binning: Binning
    segments: Sequence[str]
    canary_rows: int
    X_holdout: Any
    y_holdout: Any
    measuring: Measuring

    def __post_init__(self) -> None:
        for what, value in (("name", self.name), ("version", self.version)):
            if not isinstance(value, str) or not is_label(value):
                raise DataError(f"{what} must be a text that is not empty, not {value!r}")
        check_whole("canary_rows", self.canary_rows, 0, MOST_ROWS)

    def extras(self, y: Any) -> list[tuple[str, str]]:
        """Name the columns of X that the model is not given, each after what names it."""
        named = [("y", y), ("timestamps", self.timestamps), ("groups", self.measuring.groups)]
        named += [("drop", column) for column in self.drop]
        return [(what, column) for what, column in named if isinstance(column, str)]


def build_profile(model: Any, X: Any, y: Any, asked: Asked) -> Profile:
    """Measure a fitted model and its training data (see `Profile.build`)."""
    known_names = getattr(model, "feature_names_in_", None)
    names = known_names if asked.feature_names is None else asked.feature_names
    training = Rows(open_source(X, names), y, asked.timestamps)
    features = given_columns(model, training.source, asked.extras(y), asked.binning.categorical)
    facts = inspect_model(model, asked.threshold)
    check_segment_names(asked.segments, features, facts)
    held = open_holdout(asked.X_holdout, asked.y_holdout, names, features)
    most = asked.measuring.max_segment_series
    profile = _counted(model, facts, training, features, asked)
    check_segment_series(profile, most)  # before what takes long
    profile = add_performance(profile, model, training, held, asked.measuring)
    log_segment_series(profile, check_segment_series(profile, most))
    _log_confusion_series(profile)
    if not asked.canary_rows:
        return profile
    source = asked.measuring.canary_source
    canary = keep_canary(profile, model, training.source, asked.canary_rows, source)
    return replace(profile, canary=canary)


def _log_confusion_series(profile: Profile) -> None:
    """Say what labels cost a model of many classes: a series for every pair of them."""
    classes = len(profile.model.classes)
    pairs = classes**2 * (1 + len(all_segments(profile)))
    if pairs > MANY_PAIRS:
        logger.warning(
            "labels will add %d series per replica, for true and predicted, each of %d classes, in "
            "every segment; Monitor(store=None) and 'serve --no-labels' do without",
            pairs,
            classes,
        )


def _counted(
    model: Any, facts: ModelFacts, training: Rows, features: Sequence[str], asked: Asked
) -> Profile:
    """Read the data twice: once to choose the bins, once to count."""
    binning, bins_from = asked.binning, asked.bins_from
    if bins_from is not None:
        binning = replace(binning, categorical=number_categories(bins_from))
        if not facts.classes and facts.task != "other":  # the first part settled what it is
            facts = replace(bins_from.model, class_name=facts.class_name)
    reading = Reading(
        model, facts, training.source, features, y=training.y, timestamps=training.timestamps
    )
    try:
        first = FirstPass(reading, binning, facts, settle=bins_from is None)
        bins = first.bins() if bins_from is None else given_bins(bins_from, first.scans)
        check_segment_bins(asked.segments, {name: bins["features", name] for name in features})
        second = SecondPass(reading, first.scans, bins, asked.segments)
    finally:
        reading.close()
    by_role = _profiles(model, features, bins, first, second, training.source.dtypes)
    return Profile(
        name=asked.name,
        version=asked.version,
        model=first.facts,
        features=tuple(by_role["features"]),
        predictions=tuple(by_role["predictions"]),
        target=next(iter(by_role["target"]), None),
        rows=first.rows,
        time_span=first.time_span,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        libraries=library_versions(),
        segments=tuple(_segmentation(name, second) for name in asked.segments),
    )


def _profiles(
    model: Any,
    features: Sequence[str],
    bins: Mapping[Key, Bins],
    first: FirstPass,
    second: SecondPass,
    dtypes: Mapping[str, str],
) -> dict[str, list[FeatureProfile]]:
    """Return the profiles of features, predictions and target."""
    scales = {f: first.scans["features", f].std for f in features}
    importances = feature_importances(model, features, scales) if model is not None else {}
    by_role: dict[str, list[FeatureProfile]] = defaultdict(list)
    for key, of_column in bins.items():
        role, name = key
        profile = _feature(key, of_column, first, second, dtypes.get(name))
        if importances and role == "features":
            profile = replace(profile, importance=importances[name])
        by_role[role].append(profile)
    return by_role


def _segmentation(name: str, second: SecondPass) -> Segmentation:
    """Return what is counted by segment; how good the model is there is not known yet."""
    tables = {
        output: tuple(map(tuple, table.tolist()))
        for (feature, output), table in second.by_segment.items()
        if feature == name
    }
    nothing = (None,) * len(second.counts["features", name])
    return Segmentation(name, tables, nothing, nothing)


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
