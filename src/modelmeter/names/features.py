"""Metrics of what a model is given and what it answers."""

from __future__ import annotations

from typing import Final

from modelmeter.names.metric import MODEL, SECONDS, Metric

# `segment` is empty for all rows together; see `FEATURE_BIN`.
_BIN: Final = (*MODEL, "role", "feature", "kind", "ord", "bin", "segment")

FEATURE_BIN: Final = Metric(
    "model_feature_bin_total",
    "counter",
    _BIN,
    "Rows that fell into the bin; segment is empty for all rows, else names a part of them.",
)
REFERENCE_ROWS: Final = Metric(
    "model_feature_reference_rows", "gauge", _BIN, "Training rows in the bin.", merge="max"
)
REFERENCE_GAP: Final = Metric(
    "model_feature_reference_gap",
    "gauge",
    (*MODEL, "role", "feature", "ord"),
    "Distance to the next bin's representative point, in standard deviations of training.",
    merge="max",
    integer=False,
)
REFERENCE_VARIATION: Final = Metric(
    "model_feature_reference_variation",
    "gauge",
    (*MODEL, "role", "feature"),
    "Natural day-to-day variation of the drift score in training; 0 when not known.",
    merge="max",
    integer=False,
)
FEATURE_LAST_VALUE: Final = Metric(
    "model_feature_last_value_timestamp_seconds",
    "gauge",
    (*MODEL, "feature"),
    "Unix time of the last row in which the feature had a value; 0 before the first.",
    merge="max",
    integer=False,
)
FEATURE_LAST_CHANGE: Final = Metric(
    "model_feature_last_change_timestamp_seconds",
    "gauge",
    (*MODEL, "feature"),
    "Unix time at which the feature's value last differed from the one before; 0 before that.",
    merge="max",
    integer=False,
)
FEATURE_ABSENT: Final = Metric(
    "model_feature_absent_total",
    "counter",
    (*MODEL, "feature"),
    "Rows whose column was not there at all.",
)
CLASS_SCORE: Final = Metric(
    "model_class_score_total",
    "counter",
    (*MODEL, "y_pred", "ord", "bin", "segment"),
    "Rows by predicted class and confidence bin, of a model with more than two classes.",
)
SCHEMA_CHECKS: Final = Metric(
    "model_schema_checks_total",
    "counter",
    MODEL,
    "Times that the columns of served rows were compared with training, at most once a second.",
)
SCHEMA_MISMATCHES: Final = Metric(
    "model_schema_mismatches_total",
    "counter",
    (*MODEL, "feature", "check"),
    "Times that a comparison found a column missing or of another dtype, or (without a feature) "
    "columns extra or reordered.",
)
IMPUTED: Final = Metric(
    "model_imputed_total",
    "counter",
    (*MODEL, "feature", "step", "method"),
    "Values that an imputer inside the model filled in.",
)
UNKNOWN_CATEGORY: Final = Metric(
    "model_unknown_category_total",
    "counter",
    (*MODEL, "feature", "step", "method"),
    "Values that an encoder inside the model had not seen in fit (missing values not included).",
)
ENCODED: Final = Metric(
    "model_encoded_total",
    "counter",
    (*MODEL, "feature", "step", "category"),
    "Values that a drop-in encoder met, by category; missing and unknown told apart.",
)
PREDICTIONS: Final = Metric(
    "model_predictions_total",
    "counter",
    (*MODEL, "outcome"),
    "Rows predicted, by outcome: ok or error.",
)
PREDICTION_SECONDS: Final = Metric(
    "model_prediction_seconds",
    "histogram",
    MODEL,
    "Time spent in the model, per call.",
    buckets=SECONDS,
    integer=False,
)
PREDICTION_ROWS: Final = Metric(
    "model_prediction_rows",
    "histogram",
    MODEL,
    "Rows per call of the model.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000, 1_000_000),
    integer=False,
)
LAST_PREDICTION: Final = Metric(
    "model_last_prediction_timestamp_seconds",
    "gauge",
    MODEL,
    "Unix time of the last prediction; 0 before the first.",
    merge="max",
    integer=False,
)
MODEL_INFO: Final = Metric(
    "model_info",
    "info",
    (*MODEL, "profile_hash", "python", "numpy", "scikit_learn", "modelmeter"),
    "What serves the model: hash of its profile and versions of the libraries loaded.",
    merge="max",
)
REFERENCE_INFO: Final = Metric(
    "model_reference_info",
    "info",
    (*MODEL, "profile_hash", "created", "python", "numpy", "scikit_learn", "modelmeter"),
    "What trained the model: the profile's hash and time, and versions of the libraries.",
    merge="max",
)
LIBRARY_MISMATCH: Final = Metric(
    "model_library_mismatch",
    "gauge",
    (*MODEL, "library", "training", "serving"),
    "Whether a library serves in another version than it trained in: 0 the same, 1 another patch, "
    "2 another minor, 3 another major version.",
    merge="max",
)
CANARY_ROWS: Final = Metric(
    "model_canary_rows",
    "gauge",
    (*MODEL, "outcome"),
    "Rows kept in the profile and asked again at start-up, by whether the answer is as then: "
    "equal, different or failed.",
    merge="max",
)
