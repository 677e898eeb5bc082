"""Predictions: what the model answers now, against what it answered in training."""

from __future__ import annotations

from modelmeter.generate import alarm_series, series
from modelmeter.generate.dashboards import look
from modelmeter.generate.dashboards.queries import (
    PREDICTIONS,
    WINDOW,
    Scope,
    chosen,
    overlay,
)
from modelmeter.generate.dashboards.spec import Panel, Query, Row
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import Profile

_SEGMENT = chosen("segment")


def answers_row(scope: Scope, profile: Profile) -> Row | None:
    """Return the row; None for a model that does not predict."""
    outputs = {output.name for output in profile.predictions}
    if not outputs:
        return None
    panels = [_overlay(scope, output) for output in (Y_PRED, Y_SCORE) if output in outputs]
    return Row(
        key="row:predictions",
        title="Predictions: what does the model answer?",
        panels=(*panels, *_over_time(scope, Y_PRED if Y_PRED in outputs else Y_SCORE)),
    )


def _overlay(scope: Scope, output: str) -> Panel:
    which = (PREDICTIONS, f'feature="{output}"', _SEGMENT)
    bars = overlay(scope.of(series.BIN_P, WINDOW, *which), scope.of(series.BIN_Q, *which))
    if output == Y_SCORE:
        key, title = "scores", "Scores, live and in training"
        what = "How sure the model is of its answers: each group of bars is a range of its score. "
    else:
        key, title = "answers", "Answers, live and in training"
        what = "What the model answers: each group of bars is an answer, or a range of them. "
    return Panel(
        key=key,
        title=title,
        description=f"{what}Blue is the share of predictions of the chosen window, grey the "
        "share in training. Alike is good; where they differ, either the world or the data has "
        "changed.",
        queries=(Query(expr=bars),),
        quantity=look.SHARE,
        kind="bars",
        width=12,
    )


def _over_time(scope: Scope, output: str) -> tuple[Panel, ...]:
    which = (PREDICTIONS, WINDOW, _SEGMENT)
    answers = scope.of(series.BIN_P, *which, f'feature="{output}"')
    return (
        Panel(
            key="answers-version",
            title="Answers over time, by version",
            description="The share of every answer (or range of answers) over time. Two versions "
            "side by side should answer alike, unless one was meant to differ.",
            queries=(Query(expr=answers, legend="{{bin}}, version {{version}}"),),
            quantity=look.SHARE,
        ),
        Panel(
            key="answers-drift",
            title="How far answers moved",
            description="How much the answers differ from training, beyond what chance explains "
            "(PSI beyond noise). Around 0 is no change; above the dashed line it matters: that is "
            "more than days of training differed by, or 0.05.",
            queries=(
                Query(
                    expr=scope.of(series.PSI_EXCESS, *which),
                    legend="{{feature}}, version {{version}}",
                ),
                Query(
                    expr=scope.of(alarm_series.DRIFT_THRESHOLD, PREDICTIONS),
                    legend="matters: {{feature}}, version {{version}}",
                ),
            ),
            quantity=look.DRIFT,
        ),
        Panel(
            key="answers-real",
            title="Could it be chance?",
            description="How sure it is that answers changed at all, in standard deviations. "
            "Below the dashed line it may well be chance. It says nothing about the size: "
            "see 'How far answers moved'.",
            queries=(
                Query(expr=scope.of(series.G_Z, *which), legend="{{feature}}, version {{version}}"),
                Query(
                    expr=scope.of(alarm_series.Z_THRESHOLD, WINDOW),
                    legend="real from here, version {{version}}",
                ),
            ),
            quantity=look.STANDARD_ERRORS,
        ),
    )
