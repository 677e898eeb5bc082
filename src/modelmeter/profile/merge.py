"""Two profiles over the same bins, added up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from modelmeter._errors import MergeError
from modelmeter.profile.merge_measured import merge_performance, merge_segments
from modelmeter.profile.profile import QUANTILES, FeatureProfile, Moments, Profile
from modelmeter.stats.bins import NumericBins


def merge_profiles(mine: Profile, theirs: Profile) -> Profile:
    """Add up two profiles of parts of one training set (see `Profile.merge`)."""
    for what in ("name", "version", "model"):
        here, there = getattr(mine, what), getattr(theirs, what)
        if here != there:
            raise MergeError(f"profiles of different {what}: {here!r} and {there!r}")
    if (mine.target is None) != (theirs.target is None):
        raise MergeError("one of the two profiles was built without y")
    features = _merge_features("features", mine.features, theirs.features)
    predictions = _merge_features("predictions", mine.predictions, theirs.predictions)
    target = merge_feature(mine.target, theirs.target) if mine.target and theirs.target else None
    spans = [span for span in (mine.time_span, theirs.time_span) if span]
    merged = replace(
        mine,
        features=features,
        predictions=predictions,
        target=target,
        rows=mine.rows + theirs.rows,
        time_span=(min(s[0] for s in spans), max(s[1] for s in spans)) if spans else None,
        created=max(mine.created, theirs.created),
        canary=mine.canary or theirs.canary,
    )
    merged = replace(merged, **merge_performance(mine, theirs, predictions))
    return replace(merged, segments=merge_segments(mine, theirs, merged))


def _merge_features(
    role: str, mine: Sequence[FeatureProfile], theirs: Sequence[FeatureProfile]
) -> tuple[FeatureProfile, ...]:
    here, there = [f.name for f in mine], [f.name for f in theirs]
    if here != there:
        raise MergeError(f"profiles of different {role}: {here} and {there}")
    return tuple(merge_feature(*pair) for pair in zip(mine, theirs, strict=True))


def merge_feature(mine: FeatureProfile, theirs: FeatureProfile) -> FeatureProfile:
    """Add up two profiles of one feature.

    Raises
    ------
    MergeError
        The bins differ.

    References
    ----------
    Chan, Golub, LeVeque (1983), "Algorithms for Computing the Sample Variance".
    """
    if mine.bins != theirs.bins:
        raise MergeError(
            f"feature {mine.name!r} has different bins in the two profiles: "
            "build the second with bins_from=first"
        )
    counts = tuple(a + b for a, b in zip(mine.counts, theirs.counts, strict=True))
    variations = [f.variation for f in (mine, theirs) if f.variation is not None]
    merged = replace(
        mine,
        counts=counts,
        centers=_merged_centers(mine, theirs),
        variation=max(variations, default=None),
    )
    if theirs.moments is None:
        return merged
    if mine.moments is None:
        stats = {f: getattr(theirs, f) for f in ("min", "max", "mean", "std", "quantiles")}
        return replace(merged, **stats)
    return _merge_moments(merged, mine.moments, theirs.moments, _present(mine), _present(theirs))


def _present(feature: FeatureProfile) -> int:
    return feature.rows - feature.missing


def _merge_moments(
    merged: FeatureProfile, mine: Moments, theirs: Moments, n: int, m: int
) -> FeatureProfile:
    delta = theirs.mean - mine.mean
    squares = mine.std**2 * n + theirs.std**2 * m
    low, high = min(mine.min, theirs.min), max(mine.max, theirs.max)
    return replace(
        merged,
        min=low,
        max=high,
        mean=mine.mean + delta * m / (n + m),
        std=math.sqrt((squares + delta**2 * n * m / (n + m)) / (n + m)),
        quantiles=binned_quantiles(merged.bins, merged.counts, low, high)
        if isinstance(merged.bins, NumericBins)
        else (),
    )


def _merged_centers(mine: FeatureProfile, theirs: FeatureProfile) -> tuple[float, ...]:
    """Average the representative points of every ordered bin by rows; the outer two stay."""
    if not mine.centers or not theirs.centers:  # one had no value
        return mine.centers or theirs.centers
    centers = []
    last = len(mine.centers) - 1
    for i, (a, b) in enumerate(zip(mine.centers, theirs.centers, strict=True)):
        n, m = mine.counts[i], theirs.counts[i]
        outer = i in (0, last) or not n + m
        centers.append(a if outer else (a * n + b * m) / (n + m))
    return tuple(centers)


def binned_quantiles(
    bins: NumericBins, counts: tuple[int, ...], low: float, high: float
) -> tuple[float, ...]:
    """Read `QUANTILES` off counts, taking values as evenly spread within each bin.

    Parameters
    ----------
    bins, counts
        The bins and the rows in them.
    low, high
        Smallest and largest value.

    Returns
    -------
    tuple of float
        One per quantile; empty when there is no value.
    """
    ordered = np.asarray(counts[: len(bins.edges) + 1], dtype=np.float64)
    if not ordered.sum():
        return ()
    points = np.clip(np.asarray([low, *bins.edges, high]), low, high)
    cumulative = np.concatenate(([0.0], np.cumsum(ordered))) / ordered.sum()
    return tuple(map(float, np.interp(QUANTILES, cumulative, points)))
