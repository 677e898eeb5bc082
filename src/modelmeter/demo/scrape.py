"""What the service's own ``/metrics`` says, for machines without Prometheus.

The same statistics over the same counts as the recording rules, in Python.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from modelmeter import names
from modelmeter.demo import performance
from modelmeter.demo.reading import FeatureReading, Reading
from modelmeter.stats.drift import TrainedFeature, Training

_ROUTE = "/predict/model"
_POSITIVE = "1"

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels]


@dataclass(frozen=True)
class Snapshot:
    """One scrape.

    Parameters
    ----------
    at
        When, in Unix time.
    values
        Value by sample name and labels.
    """

    at: float
    values: Mapping[Sample, float]

    def of(self, name: str) -> dict[Labels, float]:
        """Return the samples of one name by their labels."""
        return {labels: value for (found, labels), value in self.values.items() if found == name}


class ScrapeSource:
    """Reads the service's metrics and keeps what they were.

    Parameters
    ----------
    url
        Where the service is.
    window
        Seconds that a reading looks back.
    """

    name = "the process itself"

    def __init__(self, url: str, window: float) -> None:
        self._client = httpx2.Client(base_url=url, timeout=5, trust_env=False)
        self._window = window
        self._history: list[Snapshot] = []

    def read(self, at: float | None = None) -> Reading:
        """Return how the service did over the window that ends at `at`; now by default.

        Parameters
        ----------
        at
            Unix time, None for now. Only now is measured; the past is what was measured
            at the time.

        Returns
        -------
        Reading
        """
        if at is None:
            self._history.append(parse(self._client.get("/metrics").text, time.time()))
            at = self._history[-1].at
        last = self._at(at)
        if last is None:
            return Reading(at)
        first = self._at(at - self._window) or self._history[0]
        return compare(first, last)

    def _at(self, at: float) -> Snapshot | None:
        position = bisect_right(self._history, at, key=lambda snapshot: snapshot.at)
        return self._history[position - 1] if position else None


def parse(text: str, at: float) -> Snapshot:
    """Read an answer of ``/metrics``.

    Parameters
    ----------
    text
        In the Prometheus text format.
    at
        When it was given.

    Returns
    -------
    Snapshot
    """
    values: dict[Sample, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return Snapshot(at, values)


def compare(first: Snapshot, last: Snapshot) -> Reading:
    """Return how the service did between two scrapes.

    Parameters
    ----------
    first, last
        The scrapes, in order; counters that started in between count from 0.

    Returns
    -------
    Reading
    """
    seconds = max(last.at - first.at, 1e-3)
    grown: dict[str, dict[Labels, float]] = defaultdict(dict)
    for (name, labels), value in last.values.items():
        grown[name][labels] = value - first.values.get((name, labels), 0.0)
    reference = last.of(names.REFERENCE_ROWS.name)
    requests = grown[names.HTTP_REQUESTS.name]
    answered = _total(requests, route=_ROUTE)
    failed = sum(n for labels, n in requests.items() if dict(labels)["status"] >= "5")
    buckets = grown[f"{names.HTTP_DURATION.name}_bucket"]
    rows = _total(grown[names.PREDICTIONS.name])
    live = _without_segments(grown[names.FEATURE_BIN.name])
    reference = _without_segments(reference)
    counted = performance.compare(live, grown[names.LABEL_BIN.name], last.of)
    return Reading(
        at=last.at,
        features=_features(live, reference),
        rows_per_second=rows / seconds,
        requests_per_second=answered / seconds,
        error_ratio=failed / answered if answered else float("nan"),
        median_seconds=quantile(0.5, buckets),
        slow_seconds=quantile(0.95, buckets),
        positive=_positive(live),
        reference_positive=_positive(reference),
        performance=counted.figures,
        labelled=counted.labelled,
    )


def _without_segments(values: Mapping[Labels, float]) -> dict[Labels, float]:
    return {labels: n for labels, n in values.items() if not dict(labels).get("segment")}


def _features(
    live: Mapping[Labels, float], reference: Mapping[Labels, float]
) -> tuple[FeatureReading, ...]:
    by_feature: dict[tuple[str, str], list[Labels]] = defaultdict(list)
    for labels in reference:
        of = dict(labels)
        by_feature[of["role"], of["feature"]].append(labels)
    if not by_feature:
        return ()
    training = Training(
        [
            TrainedFeature([reference[row] for row in rows], [dict(row)["kind"] for row in rows])
            for rows in by_feature.values()
        ]
    )
    counts = [live.get(row, 0) for rows in by_feature.values() for row in rows]
    table = training.compare(counts)
    readings = []
    for i, (role, name) in enumerate(by_feature):
        found = training.one(table, i)
        readings.append(
            FeatureReading(role, name, found.rows, found.psi_excess, found.g_z, found.checks)
        )
    return tuple(readings)


def _positive(values: Mapping[Labels, float]) -> float:
    total = _total(values, feature="y_pred")
    return _total(values, feature="y_pred", bin=_POSITIVE) / total if total else float("nan")


def _total(values: Mapping[Labels, float], **wanted: str) -> float:
    return sum(n for labels, n in values.items() if wanted.items() <= dict(labels).items())


def quantile(share: float, buckets: Mapping[Labels, float]) -> float:
    """Return a quantile of a histogram the way Prometheus does, by straight lines.

    Parameters
    ----------
    share
        From 0 to 1.
    buckets
        Cumulative counts by labels, ``le`` and ``route`` among them; those of the
        prediction route are added up.

    Returns
    -------
    float
        NaN without observations; the last finite bound beyond it.
    """
    counts: dict[float, float] = defaultdict(float)
    for labels, n in buckets.items():
        of = dict(labels)
        if of.get("route") == _ROUTE:
            counts[float(of["le"])] += n
    bounds = sorted(counts)
    if not bounds or not counts[bounds[-1]]:
        return float("nan")
    rank = share * counts[bounds[-1]]
    low = below = 0.0
    for bound in bounds:
        if counts[bound] >= rank:
            if bound == float("inf"):
                return low
            return low + (bound - low) * (rank - below) / max(counts[bound] - below, 1e-12)
        low, below = bound, counts[bound]
    return low
