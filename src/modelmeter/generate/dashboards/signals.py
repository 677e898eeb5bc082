"""Golden signals: traffic, errors, latency, and how busy the service is."""

from __future__ import annotations

from typing import Final

from modelmeter import names
from modelmeter.generate import series
from modelmeter.generate.dashboards import look
from modelmeter.generate.dashboards.queries import PER_SECOND, Scope
from modelmeter.generate.dashboards.spec import Panel, Query, Row
from modelmeter.generate.promql import sum_by

_ROUTE: Final = "{{method}} {{route}}, version {{version}}"
_PROCESS: Final = "{{instance}} {{worker}}"


def signals_row(scope: Scope) -> Row:
    """Return the row: the service's requests first, then the model's rows, then its processes."""
    return Row(
        key="row:signals",
        title="Golden signals: is the service well?",
        panels=(*_requests(scope), *_model(scope), *_processes(scope)),
    )


def _requests(scope: Scope) -> tuple[Panel, ...]:
    return (
        Panel(
            key="requests",
            title="Requests",
            description="How many requests per second the service answered, by HTTP status: 2xx "
            "went well, 4xx is a mistake of the caller, 5xx a failure of the service.",
            queries=(
                Query(
                    expr=sum_by("status", scope.route(series.REQUEST_RATE)),
                    legend="status {{status}}",
                ),
            ),
            quantity=look.REQUESTS_PER_SECOND,
        ),
        Panel(
            key="errors",
            title="Failed requests",
            description="Of 100 requests, how many the service failed to answer (status 500 and "
            "above). Should be zero.",
            queries=(Query(expr=scope.route(series.ERROR_RATIO), legend=_ROUTE),),
            quantity=look.ERROR_SHARE,
        ),
        Panel(
            key="latency",
            title="Time to answer",
            description="How long callers wait for an answer. 0.5: half of the requests are "
            "faster than this; 0.95: only one in twenty is slower; 0.99: only one in a hundred.",
            queries=(
                Query(
                    expr=scope.route(series.REQUEST_SECONDS),
                    legend="{{quantile}}: {{route}}, version {{version}}",
                ),
            ),
            quantity=look.SECONDS,
        ),
    )


def _model(scope: Scope) -> tuple[Panel, ...]:
    return (
        Panel(
            key="rows",
            title="Rows predicted",
            description="How many rows per second the model was asked for; one request may hold "
            "many rows.",
            queries=(
                Query(
                    expr=sum_by("version, outcome", scope.signal(series.PREDICTION_RATE)),
                    legend="{{outcome}}, version {{version}}",
                ),
            ),
            quantity=look.ROWS_PER_SECOND,
        ),
        Panel(
            key="model-errors",
            title="Rows the model failed on",
            description="Of 100 rows, how many the model could not predict because it raised an "
            "error. Should be zero.",
            queries=(
                Query(
                    expr=scope.signal(series.PREDICTION_ERROR_RATIO),
                    legend="version {{version}}",
                ),
            ),
            quantity=look.ERROR_SHARE,
        ),
        Panel(
            key="model-latency",
            title="Time in the model",
            description="How long one call of the model itself takes, without the service around "
            "it. The numbers mean the same as in 'Time to answer'.",
            queries=(
                Query(
                    expr=scope.signal(series.PREDICTION_SECONDS),
                    legend="{{quantile}}, version {{version}}",
                ),
            ),
            quantity=look.SECONDS,
        ),
    )


def _processes(scope: Scope) -> tuple[Panel, ...]:
    cpu = f"rate({scope.process(names.PROCESS_CPU)}[{PER_SECOND}])"
    return (
        Panel(
            key="busy",
            title="Worker threads in use",
            description="How much of the service's capacity to run predictions side by side is "
            "used. At 100 % further requests wait.",
            queries=(Query(expr=scope.process(names.THREADPOOL_BUSY), legend=_PROCESS),),
            quantity=look.BUSY_SHARE,
            width=6,
        ),
        Panel(
            key="waiting",
            title="Waiting inside the service",
            description="The longest that a task which was ready had to wait in the last 15 "
            "seconds. Large values mean that something blocks the service.",
            queries=(Query(expr=scope.process(names.EVENT_LOOP_LAG), legend=_PROCESS),),
            quantity=look.LAG,
            width=6,
        ),
        Panel(
            key="progress",
            title="Requests in progress",
            description="Requests that are being answered right now. A line that only climbs "
            "means that the service does not keep up.",
            queries=(Query(expr=scope.process(names.HTTP_IN_PROGRESS), legend="{{instance}}"),),
            quantity=look.COUNT,
            width=4,
        ),
        Panel(
            key="processor",
            title="Processor",
            description="How many processor cores each process keeps busy; 1 is one whole core.",
            queries=(Query(expr=cpu, legend=_PROCESS),),
            quantity=look.CORES,
            width=4,
        ),
        Panel(
            key="memory",
            title="Memory",
            description="Memory that each process holds. A line that only climbs is a leak.",
            queries=(Query(expr=scope.process(names.PROCESS_RESIDENT), legend=_PROCESS),),
            quantity=look.BYTES,
            width=4,
        ),
    )
