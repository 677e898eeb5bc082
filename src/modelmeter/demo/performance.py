"""How good the model is by what it says itself, for machines without Prometheus.

The same figures over the same counts as the recording rules, in Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmeter import names
from modelmeter.demo.reading import FIGURES
from modelmeter.profile.facts import Y_SCORE
from modelmeter.stats.performance import binary_performance

_OUTCOMES = ("00", "01")
"""Positions of the negative and the positive class."""

Labels = tuple[tuple[str, str], ...]
Values = Mapping[Labels, float]


class Performance(NamedTuple):
    """Figures by metric and source, and the share of predictions so far that have a label."""

    figures: Mapping[tuple[str, str], float]
    labelled: float


def compare(live: Values, labels: Values, reference: Callable[[str], Values]) -> Performance:
    """Work out estimated and realised performance of a binary classifier.

    Parameters
    ----------
    live
        Rows by bin, of all segments together.
    labels
        Labelled rows by score bin and true class, of all segments.
    reference
        Gives the samples of a metric that stay as they are.

    Returns
    -------
    Performance
        Without figures where there are no rows, or no calibration.
    """
    figures = {
        (of["metric"], "training"): value
        for of, value in _of(reference(names.REFERENCE_PERFORMANCE.name))
        if not of["segment"] and not of["class"]
    }
    ratios = _of(reference(names.OUTCOME_RATIO.name))
    outcomes = {of["place"]: of["y_true"] for of, _ in ratios}
    sides = {of["ord"]: of["y_pred"] == outcomes.get(_OUTCOMES[1]) for of, _ in ratios}
    order = sorted(sides)
    points = {of["ord"]: value for of, value in _of(reference(names.REFERENCE_SCORE.name))}
    rows = {of["ord"]: n for of, n in _of(live) if of["feature"] == Y_SCORE and of["ord"]}
    found = {(of["ord"], of["y_true"]): n for of, n in _of(labels) if not of["segment"]}
    expected = {(of["ord"], of["y_true"]): rows.get(of["ord"], 0) * share for of, share in ratios}
    positive = np.asarray([sides[place] for place in order], dtype=bool)
    scores = [points.get(place, math.nan) for place in order]
    for source, cells in (("estimated", expected), ("realised", found)):
        pairs = [[(place, outcomes.get(which, "")) for which in _OUTCOMES] for place in order]
        counts = np.asarray([[cells.get(pair, 0.0) for pair in row] for row in pairs])
        figures |= {(name, source): value for name, value in _figures(counts, positive, scores)}
    predictions = sum(reference(names.COVERAGE_PREDICTIONS.name).values())
    labelled = sum(reference(names.COVERAGE_LABELS.name).values())
    return Performance(figures, labelled / predictions if predictions else math.nan)


def _figures(
    counts: NDArray[np.float64], positive: NDArray[np.bool_], scores: list[float]
) -> list[tuple[str, float]]:
    if not counts.sum():
        return []
    metrics = binary_performance(counts, positive=positive, scores=scores).metrics
    values = [(name, float(metrics[name].value)) for name in FIGURES]
    return [(name, value) for name, value in values if not math.isnan(value)]


def _of(values: Values) -> list[tuple[dict[str, str], float]]:
    return [(dict(labels), value) for labels, value in values.items()]
