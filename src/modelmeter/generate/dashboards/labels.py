"""Labels (the truth, once it is known): whether they come, how late, and what still waits."""

from __future__ import annotations

from modelmeter.generate import label_series as series
from modelmeter.generate.dashboards import look
from modelmeter.generate.dashboards.queries import WINDOW, Scope
from modelmeter.generate.dashboards.spec import Panel, Query, Row
from modelmeter.generate.promql import sum_by
from modelmeter.profile.profile import Profile


def labels_row(scope: Scope, profile: Profile) -> Row | None:
    """Return the row; None for a model whose predictions have no truth."""
    if profile.model.task == "other":
        return None
    return Row(
        key="row:labels",
        title="Labels: does the truth come back?",
        panels=(*_arriving(scope), *_waiting(scope)),
    )


def _arriving(scope: Scope) -> tuple[Panel, ...]:
    return (
        Panel(
            key="label-outcomes",
            title="Labels that arrived",
            description="Labels that arrived in the window, by what became of them. Only "
            "'counted' ones say something about performance; 'duplicate' came twice, 'orphan' "
            "has no prediction that it belongs to, 'expired' came too late, 'contradiction' says "
            "something else than before, 'invalid' could not be read.",
            queries=(
                Query(
                    expr=sum_by("outcome", scope.of(series.LABEL_ROWS, WINDOW)),
                    legend="{{outcome}}",
                ),
            ),
            quantity=look.ROWS,
        ),
        Panel(
            key="label-lag",
            title="How late labels come",
            description="Time from the prediction to its label. 0.5: half of the labels came "
            "sooner; 0.95: one in twenty came later. Figures from labels are about predictions "
            "that are this old.",
            queries=(
                Query(
                    expr=scope.of(series.LAG_SECONDS, WINDOW),
                    legend="{{quantile}}, version {{version}}",
                ),
            ),
            quantity=look.SECONDS,
        ),
        Panel(
            key="coverage",
            title="Share of predictions with a label, by age",
            description="Of 100 predictions of an age, how many have a label by now. The oldest "
            "ages should be near the share that ever gets one. A small share is no fair sample: "
            "if only complaints come back, the model looks worse than it is.",
            queries=(
                Query(expr=scope.of(series.COVERAGE), legend="{{age}} old, version {{version}}"),
            ),
            quantity=look.COVERAGE,
        ),
    )


def _waiting(scope: Scope) -> tuple[Panel, ...]:
    version = "version {{version}}"
    return (
        Panel(
            key="pending",
            title="Predictions without a label",
            description="How many predictions wait for their label.",
            queries=(Query(expr=scope.of(series.PENDING), legend=version),),
            quantity=look.ROWS,
        ),
        Panel(
            key="oldest",
            title="Oldest prediction without a label",
            description="How long the oldest prediction has waited for its label, good to an "
            "hour. Past the retention it is given up.",
            queries=(Query(expr=scope.of(series.OLDEST_PENDING_SECONDS), legend=version),),
            quantity=look.SECONDS,
        ),
        Panel(
            key="last-label",
            title="Time since the last label",
            description="How long ago a label last arrived. A line that climbs past what is usual "
            "means that labels have stopped, and figures from labels stand still.",
            queries=(Query(expr=scope.of(series.SECONDS_SINCE_LABEL), legend=version),),
            quantity=look.SECONDS,
        ),
    )
