"""Two profiles of one feature over the same bins, added up."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from modelmeter._errors import MergeError
from modelmeter.profile.profile import QUANTILES, FeatureProfile, Moments
from modelmeter.stats.bins import NumericBins


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
