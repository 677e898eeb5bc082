"""The table of all models: one line for each, with what there is to worry about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from modelmeter.generate import alarm_series, label_series, performance_series, series
from modelmeter.generate.dashboards import look
from modelmeter.generate.dashboards.ids import OVERVIEW_UID, model_uid
from modelmeter.generate.dashboards.queries import (
    ESTIMATED,
    REALISED,
    WINDOW,
    Scope,
    headline,
    largest,
    of_headline,
    pattern,
)
from modelmeter.generate.dashboards.spec import Column, Link, Panel, Query
from modelmeter.generate.promql import sum_by

MODEL: Final = ("model", "version")
"""What there is one line of."""


def drifted(scope: Scope) -> str:
    """Return how many features of each model have drifted over the chosen window."""
    return scope.of(alarm_series.DRIFTED_FEATURES, WINDOW)


def model_list(scope: Scope, models: Sequence[str]) -> Panel:
    """Return the table.

    Parameters
    ----------
    scope
        What is in the overview.
    models
        Names of the models that have a dashboard.
    """

    def row(expr: str) -> Query:
        return Query(expr=_with_uid(largest(expr, *MODEL), models))

    def figure(expr: str) -> Query:
        return Query(expr=_with_uid(largest(expr, *MODEL, "metric"), models))

    coverage = scope.of(label_series.COVERAGE)
    link = Link(
        title="Open the dashboard of this model",
        url="/d/${__data.fields.uid}?${__url_time_range}&${datasource:queryparam}"
        "&${window:queryparam}&${job:queryparam}",
    )
    slow = scope.signal(series.PREDICTION_SECONDS, 'quantile="0.95"')
    return Panel(
        key="list",
        title="All models",
        description="One line for each model and version. 'Rows/s' is traffic; 'Failed' the share "
        "of rows that the model raised on; '95 % faster than' how long the model takes; 'Drifted' "
        "how many features moved. 'Figure' is how the model is measured: roc_auc and macro_f1 are "
        "best at 1, mae (the mean error) at 0. 'Realised' comes from labels, 'Estimated' is "
        "expected before labels, 'Baseline' is what training reached. 'Labelled' is the share of "
        "predictions of the best labelled age that have a label. Click on a model to open it.",
        queries=(
            row(sum_by(", ".join(MODEL), scope.signal(series.PREDICTION_RATE))),
            row(scope.signal(series.PREDICTION_ERROR_RATIO)),
            row(slow),
            row(drifted(scope)),
            row(coverage),
            figure(of_headline(scope, performance_series.VALUE, REALISED)),
            figure(of_headline(scope, performance_series.VALUE, ESTIMATED)),
            figure(headline(scope)),
        ),
        quantity=look.FIGURE,
        kind="table",
        width=24,
        height=9,
        columns=(
            Column(field="model", title="Model", link=link),
            Column(field="version", title="Version"),
            Column(field="Value #A", title="Rows/s", quantity=look.ROWS_PER_SECOND),
            Column(field="Value #B", title="Failed", quantity=look.ERROR_SHARE),
            Column(field="Value #C", title="95 % faster than", quantity=look.SECONDS),
            Column(field="Value #D", title="Drifted", quantity=look.PROBLEMS),
            Column(field="metric", title="Figure"),
            Column(field="Value #F", title="Realised", quantity=look.FIGURE),
            Column(field="Value #G", title="Estimated", quantity=look.FIGURE),
            Column(field="Value #H", title="Baseline", quantity=look.FIGURE),
            Column(field="Value #E", title="Labelled", quantity=look.COVERAGE, bar=True),
            Column(field="uid", title="uid", hidden=True),
        ),
    )


def _with_uid(expr: str, models: Sequence[str]) -> str:
    """Add the uid of each model's dashboard as a label, for links; of this one for others."""
    expr = f'label_replace({expr}, "uid", "{OVERVIEW_UID}", "", "")'
    for model in models:
        expr = f'label_replace({expr}, "uid", "{model_uid(model)}", "model", `{pattern(model)}`)'
    return expr
