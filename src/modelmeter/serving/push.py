"""Counts of a batch, pushed to a Pushgateway: a job that lives for minutes cannot be scraped.

The gateway shows what was pushed last until it is replaced, so counts go as gauges: those of
this batch, not of all so far. A push replaces everything that was pushed before for the same
job, model and version (``PUT``), so that nothing of an earlier batch stays. The profile's
gauges go along, as they are at ``/metrics``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, product
from typing import Any, Final

import numpy as np

from modelmeter import names
from modelmeter._errors import DataError
from modelmeter.live.counts import Counts
from modelmeter.live.merge import Family
from modelmeter.live.totals import Row
from modelmeter.names import Metric
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import Profile
from modelmeter.profile.reading import extra_column
from modelmeter.report.counts import Labelled
from modelmeter.report.labelling import LabelledRows
from modelmeter.serving.gateway import Gateway
from modelmeter.stats.labels import category_labels
from modelmeter.stats.performance import ERROR_SUMS, TARGET_SUMS

_COUNTED: Final = {
    names.FEATURE_BIN: names.BATCH_FEATURE_ROWS,
    names.FEATURE_ABSENT: names.BATCH_FEATURE_ABSENT_ROWS,
    names.CLASS_SCORE: names.BATCH_CLASS_SCORE_ROWS,
}
"""What is counted, and as what its rise since the last push is pushed."""

_REFERENCE: Final = (
    names.REFERENCE_ROWS,
    names.REFERENCE_GAP,
    names.REFERENCE_VARIATION,
    names.OUTCOME_RATIO,
    names.REFERENCE_SCORE,
    names.REFERENCE_ERROR,
    names.REFERENCE_PERFORMANCE,
    names.REFERENCE_PERFORMANCE_ERROR,
    names.MODEL_INFO,
    names.REFERENCE_INFO,
)
_READ: Final = frozenset((*_COUNTED, *_REFERENCE, names.PREDICTIONS))

Values = Mapping[Metric, Mapping[Row, float]]


class Pushing:
    """What was counted of one model since the last push.

    Parameters
    ----------
    profile, counts
        Of the model. Only what this process counts is pushed.
    began
        When the first batch began, Unix time.
    """

    def __init__(self, profile: Profile, counts: Counts, *, began: float) -> None:
        self._profile = profile
        self._model = (profile.name, profile.version)
        self._counts = counts
        self._lock = threading.Lock()
        self._before: Values = {}
        self._began = began
        self._last_failure = 0.0
        self._labels: LabelledRows | None = None

    def label(self, y_true: Any, y_pred: Any, y_score: Any, X: Any) -> None:
        """Count true values of the batch; see `Monitor.label_batch`."""
        truth = extra_column("y_true", y_true)
        if not isinstance(truth, np.ndarray):
            raise DataError(f"y_true holds a value for every row, and is not {truth!r}")
        with self._lock:
            if self._labels is None:
                self._labels = LabelledRows(self._profile)
            self._labels.add(truth, y_pred=y_pred, y_score=y_score, X=X)

    def push(
        self, gateway: Gateway, *, labelled: Labelled | None = None, began: float | None = None
    ) -> None:
        """Push a batch that ended well.

        Parameters
        ----------
        gateway
            Where to.
        labelled
            Rows of the batch whose true value is known, by default those given to `label`.
        began
            When the batch began, Unix time; by default when the last one was pushed.

        Raises
        ------
        PushError
            As `Gateway.send`. The next push then has this batch's counts too.
        """
        with self._lock:
            now = time.time()
            values = _values(self._counts)
            if labelled is None and self._labels is not None:
                labelled = self._labels.counts
            families = [*self._families(values), *_labels(self._profile, labelled)]
            families += [
                self._one(names.BATCH_DURATION, max(now - (began or self._began), 0.0)),
                self._one(names.BATCH_LAST_SUCCESS, now),
                self._one(names.BATCH_LAST_FAILURE, self._last_failure),
            ]
            gateway.send(self._model, families, replace=True)
            self._begin(values, now)

    def push_failure(self, gateway: Gateway) -> None:
        """Say that a batch failed, and forget what was counted of it.

        The counts of the last batch that ended well stay at the gateway.

        Raises
        ------
        PushError
            As `Gateway.send`.
        """
        with self._lock:
            self._last_failure = time.time()
            self._begin(_values(self._counts), self._last_failure)
            failed = self._one(names.BATCH_LAST_FAILURE, self._last_failure)
            gateway.send(self._model, [failed], replace=False)

    def _begin(self, before: Values, now: float) -> None:
        self._before, self._began, self._labels = before, now, None

    def _families(self, values: Values) -> Iterator[Family]:
        for metric in _REFERENCE:
            if metric in values:
                yield _family(metric, values[metric])
        for metric, pushed in _COUNTED.items():
            if metric in values:
                yield _family(pushed, self._rise(metric, values))
        rows = self._rise(names.PREDICTIONS, values)
        yield self._one(names.BATCH_ROWS, rows[(*self._model, "ok")])
        yield self._one(names.BATCH_FAILED_ROWS, rows[(*self._model, "error")])

    def _rise(self, metric: Metric, values: Values) -> dict[Row, float]:
        before = self._before.get(metric, {})
        return {row: value - before.get(row, 0.0) for row, value in values[metric].items()}

    def _one(self, metric: Metric, value: float) -> Family:
        return _family(metric, {self._model: value})


def _values(counts: Counts) -> Values:
    """Return what this process counted so far, and the profile's gauges."""
    found: dict[Metric, dict[Row, float]] = {}
    with counts.lock:
        for block in counts.blocks:
            if block.metric in _READ and block.rows:
                of_metric = found.setdefault(block.metric, {})
                of_metric.update(zip(block.rows, block.values.tolist(), strict=True))
    return found


def _labels(profile: Profile, labelled: Labelled | None) -> Iterator[Family]:
    """Yield what is known of labelled rows; nothing where none are."""
    if labelled is None:
        return
    classes = [(one,) for one in category_labels(profile.model.classes)]
    score, pred = profile.output(Y_SCORE), profile.output(Y_PRED)
    scores = score.positions if score is not None else ()
    values = pred.positions if pred is not None else ()
    errors, targets = [(one,) for one in ERROR_SUMS], [(one,) for one in TARGET_SUMS]
    tables: list[tuple[Metric, Mapping[str, Any], Sequence[Sequence[Row]]]] = [
        (names.BATCH_LABEL_BIN_ROWS, labelled.scores, (scores, classes)),
        (names.BATCH_CONFUSION_ROWS, labelled.confusion, (classes, classes)),
        (names.BATCH_ERROR_SUM, labelled.errors, (values, errors)),
        (names.BATCH_TARGET_SUM, labelled.targets, (targets,)),
    ]
    for metric, by_segment, axes in tables:
        found: dict[Row, float] = {}
        for segment, table in by_segment.items():
            # Of a segment, errors are not told apart by bin.
            by_bin = metric is not names.BATCH_ERROR_SUM or not segment
            rows = product(*(axes if by_bin else ([("", "")], *axes[1:])))
            labels = [(profile.name, profile.version, segment, *chain(*row)) for row in rows]
            found.update(zip(labels, table.ravel().tolist(), strict=True))
        if found:
            yield _family(metric, found)


def _family(metric: Metric, values: Mapping[Row, float]) -> Family:
    return Family(metric, tuple(values), np.asarray(list(values.values()), dtype=np.float64))
