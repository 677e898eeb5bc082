"""Metrics of labels, of performance, and of what it was out of sample."""

from __future__ import annotations

from typing import Final

from modelmeter.names.metric import MODEL, Metric

# Totals of a label store: the same whoever exports them, so one takes the largest over the
# replicas of a `store`, and sums over stores.
_LABELS: Final = (*MODEL, "store")
_DAY: Final = 86_400.0

OUTCOME_RATIO: Final = Metric(
    "model_reference_outcome_ratio",
    "gauge",
    (*MODEL, "y_pred", "ord", "bin", "place", "y_true"),
    "Share of rows out of sample whose true class was y_true, by what the model said; place is "
    "the position of y_true among the classes.",
    merge="max",
    integer=False,
)
REFERENCE_SCORE: Final = Metric(
    "model_reference_score",
    "gauge",
    (*MODEL, "ord", "bin"),
    "The probability that stands for a score bin: the mean of its training scores.",
    merge="max",
    integer=False,
)
REFERENCE_ERROR: Final = Metric(
    "model_reference_error",
    "gauge",
    (*MODEL, "ord", "bin", "statistic"),
    "Mean over rows out of sample, by prediction bin, of a power of the error: over, under, "
    "squared or fourth.",
    merge="max",
    integer=False,
)
REFERENCE_PERFORMANCE: Final = Metric(
    "model_reference_performance",
    "gauge",
    (*MODEL, "segment", "metric", "class"),
    "Performance on rows out of sample, measured when the profile was built.",
    merge="max",
    integer=False,
)
REFERENCE_PERFORMANCE_ERROR: Final = Metric(
    "model_reference_performance_error",
    "gauge",
    (*MODEL, "segment", "metric", "class"),
    "Standard error of the performance on rows out of sample.",
    merge="max",
    integer=False,
)
LABEL_BIN: Final = Metric(
    "model_label_bin_total",
    "counter",
    (*_LABELS, "segment", "ord", "bin", "y_true"),
    "Labelled rows by score bin and true class, of a binary classifier.",
    merge="max",
)
CONFUSION: Final = Metric(
    "model_confusion_total",
    "counter",
    (*_LABELS, "segment", "y_true", "y_pred"),
    "Labelled rows by true and predicted class.",
    merge="max",
)
ERROR_SUM: Final = Metric(
    "model_error_sum_total",
    "counter",
    (*_LABELS, "segment", "ord", "bin", "statistic"),
    "Sums over labelled rows of a regression, by prediction bin (without one for a segment): "
    "rows, over and under (errors by sign), squared and fourth powers.",
    merge="max",
    integer=False,
)
TARGET_SUM: Final = Metric(
    "model_target_sum_total",
    "counter",
    (*_LABELS, "segment", "statistic"),
    "Sums of powers of y_true about a fixed center, over labelled rows of a regression: what R2 "
    "takes.",
    merge="max",
    integer=False,
)
LABEL_LAG: Final = Metric(
    "model_label_lag_seconds",
    "histogram",
    _LABELS,
    "Time of the label minus time of its prediction.",
    merge="max",
    buckets=(60, 600, 3600, 21600, _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY, 90 * _DAY),
    integer=False,
)
LABELS: Final = Metric(
    "model_labels_total",
    "counter",
    (*_LABELS, "outcome"),
    "Labels by what became of them: counted, duplicate, orphan, expired, contradiction, invalid.",
    merge="max",
)
COVERAGE_PREDICTIONS: Final = Metric(
    "model_coverage_predictions",
    "gauge",
    (*_LABELS, "age"),
    "Predictions that the label store holds, by age.",
    merge="max",
)
COVERAGE_LABELS: Final = Metric(
    "model_coverage_labels",
    "gauge",
    (*_LABELS, "age"),
    "Predictions that the label store holds and that have a label, by age of the prediction.",
    merge="max",
)
PENDING: Final = Metric(
    "model_predictions_pending",
    "gauge",
    _LABELS,
    "Predictions that wait for a label.",
    merge="max",
)
OLDEST_PENDING: Final = Metric(
    "model_oldest_pending_timestamp_seconds",
    "gauge",
    _LABELS,
    "Unix time of the hour of the oldest prediction that waits for a label; 0 where none does.",
    merge="max",
    integer=False,
)
LAST_LABEL: Final = Metric(
    "model_last_label_timestamp_seconds",
    "gauge",
    _LABELS,
    "Unix time at which a label was last counted; 0 before the first.",
    merge="max",
    integer=False,
)
LABELS_WAITING: Final = Metric(
    "modelmeter_labels_waiting",
    "gauge",
    ("store",),
    "Labels that wait for their prediction, up to 100,000.",
    merge="max",
)
