"""Which bins a column gets, from what the first reading showed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from modelmeter._errors import ConfigurationError
from modelmeter.profile.profile import FeatureKind, ModelFacts
from modelmeter.profile.scan import ColumnScan, RowSample
from modelmeter.stats.bins import (
    Bins,
    CategoricalBins,
    NumericBins,
    ValueType,
)
from modelmeter.stats.edges import quantile_edges, score_edges
from modelmeter.stats.labels import hash_category

_LIMITS = {
    "bins": (2, 40),
    "score_bins": (2, 90),
    "max_categories": (1, 500),
    "min_count": (1, 10**9),
    "max_known": (0, 100_000),
    "max_classes": (2, 500),
}


@dataclass(frozen=True, kw_only=True)
class Binning:
    """How values are binned.

    Parameters
    ----------
    bins
        Intervals of a numeric feature, 2 to 40 (values that repeat often may add some).
    score_bins
        Equal-width bins of a probability, 2 to 90.
    max_categories
        Categories with a bin of their own.
    min_count
        Training rows that a category needs to get a bin of its own: rarer values, which
        may be personal, never become a label.
    max_known
        Training values without a bin that are remembered (as hashes), to tell `other` from
        `unseen`. With more, all of them are `other`.
    max_classes
        Classes with a bin of their own.
    categorical
        Numeric columns to be taken as categories.

    Raises
    ------
    ConfigurationError
        A number is out of its range.
    """

    bins: int = 10
    score_bins: int = 20
    max_categories: int = 20
    min_count: int = 10
    max_known: int = 2_000
    max_classes: int = 50
    categorical: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.name not in _LIMITS:
                continue
            low, high = _LIMITS[f.name]
            value = getattr(self, f.name)
            if not isinstance(value, int) or not low <= value <= high:
                raise ConfigurationError(
                    f"{f.name} must be a whole number from {low} to {high}, not {value!r}"
                )


def column_bins(scan: ColumnScan, sample: RowSample, key: Any, binning: Binning) -> Bins:
    """Choose the bins of a feature, of numeric predictions, or of a target."""
    if scan.is_categorical:
        return _categorical(scan, binning)
    if not scan.present:
        return NumericBins(())
    edges = quantile_edges(sample.values(key), binning.bins)
    # A sample may lack the extremes that the whole column has.
    end = math.nextafter(scan.max, math.inf)
    inner = edges[1:-1]
    return NumericBins((scan.min, *inner, end), is_time=scan.group == "time")


def class_bins(
    predicted: Mapping[Any, int], facts: ModelFacts, binning: Binning
) -> CategoricalBins:
    """Choose the bins of classes: one each, those predicted least together when they are many."""
    classes = sorted(facts.classes, key=lambda c: -predicted.get(c, 0))[: binning.max_classes]
    kept = tuple(c for c in facts.classes if c in set(classes))
    rest = frozenset(hash_category(c) for c in facts.classes if c not in set(kept))
    return CategoricalBins(kept, _value_type(facts.classes), rest)


def score_bins(
    scan: ColumnScan, sample: RowSample, key: Any, facts: ModelFacts, binning: Binning
) -> NumericBins:
    """Choose the bins of scores: equal-width for probabilities, else by quantiles.

    The decision threshold is an edge, so that a bin is on one side of it.
    """
    if facts.score_method == "predict_proba":
        return NumericBins(score_edges(facts.threshold, binning.score_bins))
    bins = column_bins(scan, sample, key, binning)
    threshold = facts.threshold
    if threshold is None or not isinstance(bins, NumericBins) or not bins.edges:
        return NumericBins(getattr(bins, "edges", ()))
    inside = bins.edges[0] < threshold < bins.edges[-1]
    return NumericBins(tuple(sorted({*bins.edges, threshold}))) if inside else bins


def kind_of(bins: Bins) -> FeatureKind:
    """Name the kind of a feature."""
    if isinstance(bins, CategoricalBins):
        return "boolean" if bins.value_type == "bool" else "categorical"
    return "datetime" if bins.is_time else "numeric"


def _categorical(scan: ColumnScan, binning: Binning) -> CategoricalBins:
    if scan.group == "bool":
        return CategoricalBins((False, True), "bool")
    ranked = sorted(scan.tally.items(), key=lambda item: (-item[1], str(item[0])))
    frequent = [value for value, rows in ranked if rows >= binning.min_count]
    categories = tuple(frequent[: binning.max_categories])
    rest = [value for value, _ in ranked if value not in set(categories)]
    too_many = scan.forgot or len(rest) > binning.max_known
    known = frozenset() if too_many else frozenset(map(hash_category, rest))
    value_type: ValueType = "str" if scan.group == "str" else "int" if scan.whole else "float"
    return CategoricalBins(categories, value_type, known, open_ended=too_many)


def _value_type(values: tuple[Any, ...]) -> ValueType:
    if all(isinstance(v, bool) for v in values):
        return "bool"
    if all(isinstance(v, str) for v in values):
        return "str"
    return "int" if all(isinstance(v, int) for v in values) else "float"
