"""Metrics of a job that scores a batch and ends, pushed as gauges.

What a batch counted is final and does not rise: ``increase`` over counters that are pushed
would lose most of their rows. See ``serving/push.py``.
"""

from __future__ import annotations

from typing import Final

from modelmeter.names import features, performance
from modelmeter.names.metric import MODEL, Metric


def _without_store(metric: Metric) -> tuple[str, ...]:
    """Return the labels of a store's total: a batch has no store."""
    return tuple(label for label in metric.labels if label != "store")


BATCH_FEATURE_ROWS: Final = Metric(
    "model_batch_feature_rows",
    "gauge",
    features.FEATURE_BIN.labels,
    "Rows of the batch that fell into the bin; segment is empty for all rows, else names a part "
    "of them.",
)
BATCH_FEATURE_ABSENT_ROWS: Final = Metric(
    "model_batch_feature_absent_rows",
    "gauge",
    features.FEATURE_ABSENT.labels,
    "Rows of the batch whose column was not there at all.",
)
BATCH_CLASS_SCORE_ROWS: Final = Metric(
    "model_batch_class_score_rows",
    "gauge",
    features.CLASS_SCORE.labels,
    "Rows of the batch by predicted class and confidence bin, of a model with more than two "
    "classes.",
)
BATCH_LABEL_BIN_ROWS: Final = Metric(
    "model_batch_label_bin_rows",
    "gauge",
    _without_store(performance.LABEL_BIN),
    "Labelled rows of the batch by score bin and true class, of a binary classifier.",
)
BATCH_CONFUSION_ROWS: Final = Metric(
    "model_batch_confusion_rows",
    "gauge",
    _without_store(performance.CONFUSION),
    "Labelled rows of the batch by true and predicted class.",
)
BATCH_ERROR_SUM: Final = Metric(
    "model_batch_error_sums",
    "gauge",
    _without_store(performance.ERROR_SUM),
    "Sums over labelled rows of the batch, of a regression, by prediction bin (without one for a "
    "segment): rows, over and under (errors by sign), squared and fourth powers.",
    integer=False,
)
BATCH_TARGET_SUM: Final = Metric(
    "model_batch_target_sums",
    "gauge",
    _without_store(performance.TARGET_SUM),
    "Sums of powers of y_true about a fixed center, over labelled rows of the batch, of a "
    "regression: what R2 takes.",
    integer=False,
)
BATCH_ROWS: Final = Metric(
    "model_batch_rows", "gauge", MODEL, "Rows of the batch that the model answered."
)
BATCH_FAILED_ROWS: Final = Metric(
    "model_batch_failed_rows", "gauge", MODEL, "Rows of the batch on which the model failed."
)
BATCH_DURATION: Final = Metric(
    "model_batch_duration_seconds",
    "gauge",
    MODEL,
    "How long the batch took, from its begin to its push.",
    integer=False,
)
BATCH_LAST_SUCCESS: Final = Metric(
    "model_batch_last_success_timestamp_seconds",
    "gauge",
    MODEL,
    "Unix time at which a batch last ended well: when its counts were pushed.",
    integer=False,
)
BATCH_LAST_FAILURE: Final = Metric(
    "model_batch_last_failure_timestamp_seconds",
    "gauge",
    MODEL,
    "Unix time at which a batch last failed; 0 where none is known.",
    integer=False,
)
