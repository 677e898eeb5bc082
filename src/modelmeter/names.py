"""Every metric that modelmeter exports: the only place where a name is spelt.

A counter's name ends in ``_total``; durations are in seconds, sizes in bytes. ``merge``
says how the values of several workers of one service become one: counters add up, gauges
that every worker holds alike (reference counts, time stamps) take the largest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MetricType = Literal["counter", "gauge", "histogram", "info"]
Merge = Literal["sum", "max"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family.

    Parameters
    ----------
    name
        As it appears in the Prometheus text format, unit and ``_total`` included.
    type
        ``counter``, ``gauge``, ``histogram`` or ``info``.
    labels
        Label names, in the order in which label values are given everywhere.
    help
        One sentence for the ``# HELP`` line and the metric reference.
    merge
        How the values of several workers combine.
    buckets
        Upper bounds of a histogram's buckets, without ``+Inf``.
    integer
        Whether values are whole numbers (rendered without a fraction).
    live
        Whether a value says something only while its worker lives: those of dead workers
        are left out of the merge.
    """

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    merge: Merge = "sum"
    buckets: tuple[float, ...] = ()
    integer: bool = True
    live: bool = False


_MODEL: Final = ("model", "version")
_BIN: Final = (*_MODEL, "role", "feature", "kind", "ord", "bin")
_HTTP: Final = ("method", "route", "status", *_MODEL)
# The number of the worker within its service; empty where there is only one.
_WORKER: Final = ("worker",)
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

FEATURE_BIN: Final = Metric(
    "model_feature_bin_total", "counter", _BIN, "Rows that fell into the bin."
)
REFERENCE_ROWS: Final = Metric(
    "model_feature_reference_rows", "gauge", _BIN, "Training rows in the bin.", merge="max"
)
REFERENCE_GAP: Final = Metric(
    "model_feature_reference_gap",
    "gauge",
    (*_MODEL, "role", "feature", "ord"),
    "Distance to the next bin's representative point, in standard deviations of training.",
    merge="max",
    integer=False,
)
REFERENCE_VARIATION: Final = Metric(
    "model_feature_reference_variation",
    "gauge",
    (*_MODEL, "role", "feature"),
    "Natural day-to-day variation of the drift score in training; 0 when not known.",
    merge="max",
    integer=False,
)
FEATURE_LAST_VALUE: Final = Metric(
    "model_feature_last_value_timestamp_seconds",
    "gauge",
    (*_MODEL, "feature"),
    "Unix time of the last row in which the feature had a value; 0 before the first.",
    merge="max",
    integer=False,
)
FEATURE_LAST_CHANGE: Final = Metric(
    "model_feature_last_change_timestamp_seconds",
    "gauge",
    (*_MODEL, "feature"),
    "Unix time at which the feature's value last differed from the one before; 0 before that.",
    merge="max",
    integer=False,
)
FEATURE_ABSENT: Final = Metric(
    "model_feature_absent_total",
    "counter",
    (*_MODEL, "feature"),
    "Rows whose column was not there at all.",
)
IMPUTED: Final = Metric(
    "model_imputed_total",
    "counter",
    (*_MODEL, "feature", "step", "method"),
    "Values that an imputer inside the model filled in.",
)
UNKNOWN_CATEGORY: Final = Metric(
    "model_unknown_category_total",
    "counter",
    (*_MODEL, "feature", "step", "method"),
    "Values that an encoder inside the model had not seen in fit (missing values not included).",
)
ENCODED: Final = Metric(
    "model_encoded_total",
    "counter",
    (*_MODEL, "feature", "step", "category"),
    "Values that a drop-in encoder met, by category; missing and unknown told apart.",
)
PREDICTIONS: Final = Metric(
    "model_predictions_total",
    "counter",
    (*_MODEL, "outcome"),
    "Rows predicted, by outcome: ok or error.",
)
PREDICTION_SECONDS: Final = Metric(
    "model_prediction_seconds",
    "histogram",
    _MODEL,
    "Time spent in the model, per call.",
    buckets=_SECONDS,
    integer=False,
)
PREDICTION_ROWS: Final = Metric(
    "model_prediction_rows",
    "histogram",
    _MODEL,
    "Rows per call of the model.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000, 1_000_000),
    integer=False,
)
LAST_PREDICTION: Final = Metric(
    "model_last_prediction_timestamp_seconds",
    "gauge",
    _MODEL,
    "Unix time of the last prediction; 0 before the first.",
    merge="max",
    integer=False,
)
MODEL_INFO: Final = Metric(
    "model_info",
    "info",
    (*_MODEL, "profile_hash", "python", "numpy", "scikit_learn", "modelmeter"),
    "What serves the model: hash of its profile and versions of the libraries loaded.",
    merge="max",
)
REFERENCE_INFO: Final = Metric(
    "model_reference_info",
    "info",
    (*_MODEL, "profile_hash", "created", "python", "numpy", "scikit_learn", "modelmeter"),
    "What trained the model: the profile's hash and time, and versions of the libraries.",
    merge="max",
)
HTTP_REQUESTS: Final = Metric(
    "http_requests_total",
    "counter",
    _HTTP,
    "Requests answered; status 500 where the application raised.",
)
HTTP_DURATION: Final = Metric(
    "http_request_duration_seconds",
    "histogram",
    _HTTP,
    "Time from the first byte of the request to the last of the response.",
    buckets=_SECONDS,
    integer=False,
)
HTTP_IN_PROGRESS: Final = Metric(
    "http_requests_in_progress", "gauge", (), "Requests being answered now.", live=True
)
HTTP_EXCEPTIONS: Final = Metric(
    "http_request_exceptions_total",
    "counter",
    ("method", "route", *_MODEL),
    "Requests that ended in an exception which the application did not handle.",
)
EVENT_LOOP_LAG: Final = Metric(
    "modelmeter_event_loop_lag_seconds",
    "gauge",
    _WORKER,
    "Longest that the event loop let a due task wait in the last 15 seconds.",
    merge="max",
    integer=False,
    live=True,
)
THREADPOOL_BUSY: Final = Metric(
    "modelmeter_threadpool_busy_ratio",
    "gauge",
    _WORKER,
    "Share of the worker threads for synchronous routes in use, mean of the last 15 seconds.",
    merge="max",
    integer=False,
    live=True,
)
PROCESS_CPU: Final = Metric(
    "process_cpu_seconds_total",
    "counter",
    _WORKER,
    "User and system CPU time spent.",
    merge="max",
    integer=False,
    live=True,
)
PROCESS_START: Final = Metric(
    "process_start_time_seconds",
    "gauge",
    _WORKER,
    "Unix time at which the process started.",
    merge="max",
    integer=False,
    live=True,
)
PROCESS_RESIDENT: Final = Metric(
    "process_resident_memory_bytes", "gauge", _WORKER, "Resident memory.", merge="max", live=True
)
PROCESS_VIRTUAL: Final = Metric(
    "process_virtual_memory_bytes", "gauge", _WORKER, "Virtual memory.", merge="max", live=True
)
PROCESS_OPEN_FDS: Final = Metric(
    "process_open_fds", "gauge", _WORKER, "Open file descriptors.", merge="max", live=True
)
PROCESS_MAX_FDS: Final = Metric(
    "process_max_fds",
    "gauge",
    _WORKER,
    "Most file descriptors that may be open.",
    merge="max",
    live=True,
)
PROCESS_THREADS: Final = Metric(
    "process_threads", "gauge", _WORKER, "Threads of the process.", merge="max", live=True
)
FAILURES: Final = Metric(
    "modelmeter_failures_total",
    "counter",
    ("where",),
    "Failures of the monitoring itself, which never reach a prediction.",
)

ALL: Final[tuple[Metric, ...]] = tuple(
    value for value in dict(globals()).values() if isinstance(value, Metric)
)
"""Every metric, in the order in which it is declared and exported."""
