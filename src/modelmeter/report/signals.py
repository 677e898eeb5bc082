"""Golden signals: traffic, errors, latency and saturation, over the window."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from modelmeter import names
from modelmeter.names import Metric
from modelmeter.profile.profile import Profile
from modelmeter.report.counts import Floats, Observed
from modelmeter.report.plain import moment, number, ratio
from modelmeter.report.schema import LatencyPart, SignalsPart, WorkerPart
from modelmeter.stats.histogram import bucket_quantile

_FAILED = 500


def signals_part(profile: Profile, observed: Observed) -> SignalsPart | None:
    """Return the golden signals of the routes on which a model predicts; None for a file.

    Parameters
    ----------
    profile
        Of the model.
    observed
        What was counted.
    """
    if observed.kind == "file":
        return None
    of_model = {"model": profile.name, "version": profile.version}
    requests = observed.series(names.HTTP_REQUESTS, **of_model)
    status = names.HTTP_REQUESTS.labels.index("status")
    total = float(sum(float(value) for value in requests.values()))
    failed = sum(float(v) for row, v in requests.items() if _is_failure(row[status]))
    predicted, raised = (
        observed.total(names.PREDICTIONS, **of_model, outcome=outcome)
        for outcome in ("ok", "error")
    )
    last = observed.series(names.LAST_PREDICTION, **of_model).values()
    in_progress = observed.series(names.HTTP_IN_PROGRESS)
    return {
        "requests": total,
        "requests_per_second": _per_second(total, observed),
        "error_ratio": ratio(failed, total),
        "latency": _latency(
            names.HTTP_DURATION, observed.series(names.HTTP_DURATION, **of_model).values()
        ),
        "in_progress": observed.total(names.HTTP_IN_PROGRESS) if in_progress else None,
        "predictions_per_second": _per_second(predicted, observed),
        "prediction_error_ratio": ratio(raised, predicted + raised),
        "model_latency": _latency(
            names.PREDICTION_SECONDS, observed.series(names.PREDICTION_SECONDS, **of_model).values()
        ),
        "last_prediction": moment(max(map(float, last), default=0.0)),
        "workers": _workers(observed),
    }


def histogram(metric: Metric, lines: Iterable[Floats]) -> Floats:
    """Add up the buckets of a histogram's series, without their sums of values.

    Returns
    -------
    Floats
        Shape (len(metric.buckets) + 1,), zeros without series.
    """
    whole = np.zeros(len(metric.buckets) + 1)
    for line in lines:
        whole += line[:-1]
    return whole


def _latency(metric: Metric, lines: Iterable[Floats]) -> LatencyPart:
    counts = histogram(metric, lines)
    p50, p95, p99 = (
        number(bucket_quantile(quantile, counts, metric.buckets)) for quantile in (0.5, 0.95, 0.99)
    )
    return {"p50": p50, "p95": p95, "p99": p99}


def _is_failure(status: str) -> bool:
    return status.isdigit() and int(status) >= _FAILED


def _per_second(rows: float, observed: Observed) -> float | None:
    seconds = observed.seconds
    return ratio(rows, seconds) if seconds else None


def _workers(observed: Observed) -> list[WorkerPart]:
    """Return how busy each worker is; of several replicas' metrics, the busiest by its number."""
    started, resident, lag, busy = (
        {row[0]: float(value) for row, value in observed.series(metric).items()}
        for metric in (
            names.PROCESS_START,
            names.PROCESS_RESIDENT,
            names.EVENT_LOOP_LAG,
            names.THREADPOOL_BUSY,
        )
    )
    return [
        {
            "worker": worker,
            "started": moment(started.get(worker)),
            "resident_bytes": moment(resident.get(worker)),
            "event_loop_lag_seconds": _known(lag.get(worker)),
            "threadpool_busy_ratio": _known(busy.get(worker)),
        }
        for worker in sorted({*started, *lag, *busy}, key=lambda text: (len(text), text))
    ]


def _known(value: float | None) -> float | None:
    return None if value is None else number(value)
