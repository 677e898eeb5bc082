"""Metrics of the service around the model, and of the monitoring itself."""

from __future__ import annotations

from typing import Final

from modelmeter.names.metric import MODEL, SECONDS, Metric

_HTTP: Final = ("method", "route", "status", *MODEL)
# The number of the worker within its service; empty where there is only one.
_WORKER: Final = ("worker",)

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
    buckets=SECONDS,
    integer=False,
)
HTTP_IN_PROGRESS: Final = Metric(
    "http_requests_in_progress", "gauge", (), "Requests being answered now.", live=True
)
HTTP_EXCEPTIONS: Final = Metric(
    "http_request_exceptions_total",
    "counter",
    ("method", "route", *MODEL),
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
DROPPED: Final = Metric(
    "modelmeter_dropped_total",
    "counter",
    ("where", "reason"),
    "What monitoring had to let go: predictions that no label can find any more (where=labels).",
)
