"""Recording rules for traffic: golden signals, the model's own, and freshness of features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter import names
from modelmeter.generate import series
from modelmeter.generate.promql import Labels, selector, sum_by
from modelmeter.generate.recorded import Series
from modelmeter.generate.rulefile import Rule, quote
from modelmeter.generate.timing import Timing
from modelmeter.names import Metric

QUANTILES: Final = ("0.5", "0.95", "0.99")


def traffic_rules(labels: Labels, timing: Timing, job: str | None) -> Iterator[Rule]:
    """Yield the rules of the service, of the models, and of the features' time stamps.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    job
        Read the request metrics of this scrape job only; None for all.
    """
    window = timing.signal_window
    route = labels.of(*series.LEVELS["http_route"])
    chosen = () if job is None else (f"job={quote(job)}",)
    requests = f"rate({selector(names.HTTP_REQUESTS.name, *chosen)}[{window}])"
    failed = selector(names.HTTP_REQUESTS.name, *chosen, 'status=~"5.."')
    yield series.REQUEST_RATE.rule(sum_by(f"{route}, status", requests), window=window)
    yield series.ERROR_RATIO.rule(
        _ratio(route, f"rate({failed}[{window}])", requests), window=window
    )
    yield from _quantiles(series.REQUEST_SECONDS, names.HTTP_DURATION, route, chosen, window)

    model = labels.of(*series.LEVELS["model"])
    rows = f"rate({names.PREDICTIONS.name}[{window}])"
    errors = f'rate({names.PREDICTIONS.name}{{outcome="error"}}[{window}])'
    yield series.PREDICTION_RATE.rule(sum_by(f"{model}, outcome", rows), window=window)
    yield series.PREDICTION_ERROR_RATIO.rule(_ratio(model, errors, rows), window=window)
    yield from _quantiles(series.PREDICTION_SECONDS, names.PREDICTION_SECONDS, model, (), window)

    yield from _ages(labels, timing.windows[0].text)


def _ages(labels: Labels, remembered: str) -> Iterator[Rule]:
    """Yield how long ago the model last predicted and each feature last arrived."""
    for recorded, metric in (
        (series.SECONDS_SINCE_PREDICTION, names.LAST_PREDICTION),
        (series.SECONDS_SINCE_VALUE, names.FEATURE_LAST_VALUE),
        (series.SECONDS_SINCE_CHANGE, names.FEATURE_LAST_CHANGE),
    ):
        # A replica that restarts says 0 until its first row: the others, and what it said
        # before, still count.
        latest = f"max_over_time({metric.name}[{remembered}])"
        expr = f"time() - (max by ({labels.of(*metric.labels)}) ({latest}) > 0)"
        is_feature = "feature" in metric.labels
        yield recorded.rule(expr, role="feature") if is_feature else recorded.rule(expr)


def _ratio(labels: str, part: str, whole: str) -> str:
    """Return a share that is 0, not absent, while no series of the part exists."""
    total = sum_by(labels, whole)
    return f"(\n{sum_by(labels, part)}\nor\n0 * {total}\n)\n/ ({total} > 0)"


def _quantiles(
    recorded: Series, metric: Metric, labels: str, matchers: tuple[str, ...], window: str
) -> Iterator[Rule]:
    buckets = f"rate({selector(f'{metric.name}_bucket', *matchers)}[{window}])"
    for i, quantile in enumerate(QUANTILES):
        # The comparison drops the NaN of a window without observations.
        yield recorded.rule(
            f"histogram_quantile({quantile}, {sum_by(f'{labels}, le', buckets)}) >= 0",
            first=i == 0,
            quantile=quantile,
            window=window,
        )
