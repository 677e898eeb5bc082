"""The state of a label store as metrics, the same whoever exports it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from modelmeter import names
from modelmeter.live.labels.reading import Coverage, Progress, Snapshot, Total
from modelmeter.live.labels.records import OUTCOMES
from modelmeter.live.merge import Family
from modelmeter.live.tallies import SUM
from modelmeter.live.totals import Row
from modelmeter.names import Metric

_COUNTERS: Final = {
    metric.name: metric
    for metric in (names.LABEL_BIN, names.CONFUSION, names.ERROR_SUM, names.TARGET_SUM)
} | {OUTCOMES: names.LABELS}
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))

Values = Mapping[Row, float]


def label_families(snapshot: Snapshot, model: str) -> list[Family]:
    """Return what a store holds of one model, of all its versions.

    Parameters
    ----------
    snapshot
        Of the store.
    model
        Name of the model: several models may share a store.

    Returns
    -------
    list of Family
        Without what this version of modelmeter does not know; empty for an empty store.
    """
    store = snapshot.store
    totals = [total for total in snapshot.totals if total.model == model]
    found = [*_counters(totals, store), _lags(totals, store)]
    coverage = [one for one in snapshot.coverage if one.model == model]
    found += _coverage(coverage, store)
    found += _progress([one for one in snapshot.progress if one.model == model], store)
    found.append(_family(names.LABELS_WAITING, {(store,): float(snapshot.waiting)}))
    return [family for family in found if family.rows]


def joined(families: Iterable[Family]) -> list[Family]:
    """Return each metric once: several monitors of an application may share a store."""
    by_metric: dict[str, dict[Row, tuple[Family, int]]] = {}
    for family in families:
        rows = by_metric.setdefault(family.metric.name, {})
        rows.update({row: (family, i) for i, row in enumerate(family.rows)})
    return [
        Family(
            next(iter(rows.values()))[0].metric,
            tuple(rows),
            np.stack([family.values[i] for family, i in rows.values()]),
        )
        for rows in by_metric.values()
    ]


def _counters(totals: Iterable[Total], store: str) -> list[Family]:
    by_metric: dict[str, dict[Row, float]] = defaultdict(dict)
    for metric, model, version, labels, value in totals:
        known = _COUNTERS.get(metric)
        row = (model, version, store, *labels)
        if known is not None and len(row) == len(known.labels):
            by_metric[metric][row] = value
    return [_family(_COUNTERS[name], values) for name, values in by_metric.items()]


def _lags(totals: Iterable[Total], store: str) -> Family:
    """Return the histogram, whose buckets and sum are totals of their own."""
    metric = names.LABEL_LAG
    buckets = len(metric.buckets) + 1
    places = {(str(i),): i for i in range(buckets)} | {(SUM,): buckets}
    lines: dict[Row, np.ndarray] = {}
    for name, model, version, labels, value in totals:
        if name == metric.name and labels in places:
            line = lines.setdefault((model, version, store), np.zeros(len(places)))
            line[places[labels]] = value
    return Family(metric, tuple(lines), np.asarray(list(lines.values())))


def _coverage(coverage: Iterable[Coverage], store: str) -> list[Family]:
    predictions: dict[Row, float] = {}
    labels: dict[Row, float] = {}
    youngest = 0.0
    for model, version, age, rows, labelled in coverage:
        row = (model, version, store, _age_text(youngest, age))
        predictions[row], labels[row] = float(rows), float(labelled)
        youngest = 0.0 if math.isinf(age) else age
    return [
        _family(names.COVERAGE_PREDICTIONS, predictions),
        _family(names.COVERAGE_LABELS, labels),
    ]


def _progress(progress: Iterable[Progress], store: str) -> list[Family]:
    pending: dict[Row, float] = {}
    oldest: dict[Row, float] = {}
    last: dict[Row, float] = {}
    for model, version, rows, first_open, last_label in progress:
        row = (model, version, store)
        pending[row] = float(rows)
        oldest[row] = first_open or 0.0
        last[row] = last_label or 0.0
    found = ((names.PENDING, pending), (names.OLDEST_PENDING, oldest), (names.LAST_LABEL, last))
    return [_family(metric, values) for metric, values in found]


def _family(metric: Metric, values: Values) -> Family:
    return Family(metric, tuple(values), np.asarray(list(values.values()), dtype=np.float64))


def _age_text(low: float, high: float) -> str:
    """Name a span of ages: ``0 to 1h``, ``over 30d``."""
    if math.isinf(high):
        return f"over {_duration(low)}"
    return f"{_duration(low)} to {_duration(high)}"


def _duration(seconds: float) -> str:
    for unit, name in _UNITS:
        if seconds and not seconds % unit:
            return f"{seconds / unit:g}{name}"
    return f"{seconds:g}"
