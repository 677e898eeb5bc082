"""The overview: every model in one table, and where they differ over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from modelmeter import names
from modelmeter.generate import label_series, performance_series, series
from modelmeter.generate.dashboards import look, variables
from modelmeter.generate.dashboards.ids import OVERVIEW_PANELS, OVERVIEW_UID
from modelmeter.generate.dashboards.listing import MODEL, drifted, model_list
from modelmeter.generate.dashboards.queries import (
    ESTIMATED,
    PER_SECOND,
    REALISED,
    Scope,
    chosen,
    largest,
    of_headline,
)
from modelmeter.generate.dashboards.spec import Board, Link, Panel, Query, Row
from modelmeter.generate.promql import selector, sum_by
from modelmeter.generate.settings import Settings

_NAMED: Final = "{{model}} {{version}}"


def overview(models: Sequence[str], settings: Settings) -> Board:
    """Return the overview.

    Parameters
    ----------
    models
        Names of the models that have a dashboard, to be linked to; others show without link.
    settings
        Windows, and labels that are kept.
    """
    scope = Scope(
        # "All" would match what is of no model, too.
        models=(chosen("model"), 'model!=""'),
        keep=settings.keep_labels,
        signal_window=settings.timing.signal_window,
    )
    return Board(
        uid=OVERVIEW_UID,
        title="Models: overview",
        description="Every model that modelmeter watches: traffic, errors, latency, drift, "
        "performance and labels. Click on a model for its own dashboard.",
        ids=OVERVIEW_PANELS,
        variables=(
            variables.datasource(),
            *variables.kept(settings),
            variables.job(),
            variables.models(),
            variables.window(settings),
        ),
        annotations=variables.marks(scope),
        rows=(
            Row(
                key="row:now",
                title="Now: is anything wrong?",
                panels=(*_numbers(scope), model_list(scope, models)),
            ),
            Row(key="row:traffic", title="Golden signals", panels=_signals(scope)),
            Row(key="row:quality", title="Drift, performance, labels", panels=_quality(scope)),
            Row(
                key="row:monitoring",
                title="Monitoring itself: does it see everything?",
                panels=_monitoring(scope),
            ),
        ),
    )


def _numbers(scope: Scope) -> tuple[Panel, ...]:
    firing = 'alertstate="firing"'
    alerts = selector("ALERTS", firing, *scope.models)
    # Alerts about a service have no model.
    services = scope.process("ALERTS", firing, 'alertname=~"Model.+"', 'model=""')
    return (
        Panel(
            key="models",
            title="Models",
            description="How many models are being served; versions of one count once.",
            queries=(Query(expr=f"count(count by (model) ({scope.of(names.MODEL_INFO)}))"),),
            quantity=look.COUNT,
            kind="number",
            width=6,
            height=4,
        ),
        Panel(
            key="alerts",
            title="Alerts firing",
            description="How many alerts about these models, and about services as a whole, fire "
            "right now.",
            queries=(Query(expr=f"count({alerts} or {services}) or vector(0)"),),
            quantity=look.PROBLEMS,
            kind="number",
            width=6,
            height=4,
        ),
        Panel(
            key="targets",
            title="Services down",
            description="How many services Prometheus cannot reach. While one is down its numbers "
            "are missing here.",
            queries=(Query(expr=f"count({scope.process('up')} == 0) or vector(0)"),),
            quantity=look.PROBLEMS,
            kind="number",
            width=6,
            height=4,
        ),
        Panel(
            key="drifted",
            title="Features that drifted",
            description="How many features of all models moved from training, so far that it "
            "matters and that it is not chance. Not judged over the shortest window.",
            queries=(Query(expr=f"sum({drifted(scope)})"),),
            quantity=look.PROBLEMS,
            kind="number",
            width=6,
            height=4,
        ),
    )


def _signals(scope: Scope) -> tuple[Panel, ...]:
    link = _series_link()
    return (
        Panel(
            key="traffic",
            title="Rows predicted",
            description="How many rows per second each model was asked for.",
            queries=(
                Query(
                    expr=sum_by(", ".join(MODEL), scope.signal(series.PREDICTION_RATE)),
                    legend=_NAMED,
                ),
            ),
            quantity=look.ROWS_PER_SECOND,
            width=6,
            link=link,
        ),
        Panel(
            key="errors",
            title="Failed requests",
            description="Of 100 requests to a model, how many the service failed to answer "
            "(status 500 and above). Should be zero.",
            queries=(Query(expr=largest(scope.route(series.ERROR_RATIO), *MODEL), legend=_NAMED),),
            quantity=look.ERROR_SHARE,
            width=6,
            link=link,
        ),
        Panel(
            key="latency",
            title="Time to answer",
            description="How long callers wait: 95 of 100 requests are answered faster than this.",
            queries=(
                Query(
                    expr=largest(scope.route(series.REQUEST_SECONDS, 'quantile="0.95"'), *MODEL),
                    legend=_NAMED,
                ),
            ),
            quantity=look.SECONDS,
            width=6,
            link=link,
        ),
        Panel(
            key="saturation",
            title="Worker threads in use",
            description="How much of each service's capacity to run predictions side by side is "
            "used. At 100 % further requests wait.",
            queries=(
                Query(
                    expr=largest(scope.process(names.THREADPOOL_BUSY), "job", "instance"),
                    legend="{{job}} {{instance}}",
                ),
            ),
            quantity=look.BUSY_SHARE,
            width=6,
        ),
    )


def _quality(scope: Scope) -> tuple[Panel, ...]:
    link = _series_link()
    return (
        Panel(
            key="drift",
            title="Features that drifted",
            description="How many features of each model moved from training, so far that it "
            "matters and that it is not chance. Not judged over the shortest window.",
            queries=(Query(expr=largest(drifted(scope), *MODEL), legend=_NAMED),),
            quantity=look.PROBLEMS,
            link=link,
        ),
        Panel(
            key="performance",
            title="Better or worse than in training",
            description="How far each model's figure is from what training reached, in standard "
            "errors: below 0 is worse. Within 3 it may be chance; below -5 the model has become "
            "worse. 'realised' is measured from labels, 'estimated' is expected before they come.",
            queries=tuple(
                Query(expr=_gain(scope, source), legend=f"{_NAMED} {{{{metric}}}}, {{{{source}}}}")
                for source in (REALISED, ESTIMATED)
            ),
            quantity=look.STANDARD_ERRORS,
            link=link,
        ),
        Panel(
            key="coverage",
            title="Share of predictions with a label",
            description="Of 100 predictions, how many have a label, at the age at which most "
            "have one. Without labels there is only the estimate.",
            queries=(Query(expr=largest(scope.of(label_series.COVERAGE), *MODEL), legend=_NAMED),),
            quantity=look.COVERAGE,
            link=link,
        ),
    )


def _gain(scope: Scope, source: str) -> str:
    """Return how much better than in training models are; of errors less is better."""
    figure, error = (
        of_headline(scope, performance_series.Z, source, matcher)
        for matcher in ('metric!="mae"', 'metric="mae"')
    )
    return f"{figure}\nor\n-1 * {error}"


def _monitoring(scope: Scope) -> tuple[Panel, ...]:
    return tuple(
        Panel(
            key=key,
            title=title,
            description=description,
            queries=(
                Query(
                    expr=sum_by(by, f"increase({scope.process(metric)}[{PER_SECOND}])"),
                    legend=legend,
                ),
            ),
            quantity=look.ROWS,
            width=12,
        )
        for key, metric, by, legend, title, description in (
            (
                "failures",
                names.FAILURES,
                "where",
                "{{where}}",
                "Failures of the monitoring",
                "How often monitoring itself failed. Predictions are never touched by it, but "
                "some were not counted. Should be zero; the service's log says why.",
            ),
            (
                "dropped",
                names.DROPPED,
                "where, reason",
                "{{where}}: {{reason}}",
                "Let go by the monitoring",
                "What monitoring could not keep, such as predictions for which there was no more "
                "room: their labels will find nothing. Should be zero.",
            ),
        )
    )


def _series_link() -> Link:
    return Link(
        title="Show only this model",
        url=f"/d/{OVERVIEW_UID}?${{__url_time_range}}&${{datasource:queryparam}}"
        "&${window:queryparam}&var-model=${__field.labels.model:percentencode}",
    )
