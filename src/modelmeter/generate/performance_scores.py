"""Recording rules for binary models with scores: what follows from rows by score bin and outcome.

A figure and its standard error come from the same formulas, one over the rows as they are,
the other over rows with pseudo-rows (label `smoothed`), as in
`modelmeter.stats.performance.binary`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from modelmeter import names
from modelmeter.generate import count_series as series
from modelmeter.generate import performance_series as figures
from modelmeter.generate.answers import OUTCOMES, times
from modelmeter.generate.batch import last_batch
from modelmeter.generate.promql import (
    Labels,
    largest,
    many_to_one,
    positions_up_to,
    remembered,
    rise,
    selector,
    sum_by,
)
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.tasks import Tasks
from modelmeter.generate.timing import Timing

_CELLS, _LOSS, _MEAN = series.BIN_CELLS, series.BIN_LOSS, figures.MEAN_LOSS
_BELOW, _SURPLUS = series.BIN_BELOW, series.BIN_SURPLUS
_BIN: Final = ("ord", "bin")
_OTHER: Final = {"positive": "negative", "negative": "positive"}
_ALIKE: Final = ("brier", "log_loss")
_SMOOTHED: Final = ("no", "yes")


def score_rules(labels: Labels, timing: Timing, tasks: Tasks) -> Iterator[Rule]:
    """Yield the rules: rows by score bin and outcome, and every figure of theirs.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    tasks
        What the models do.
    """
    yield from _losses(labels, timing)
    yield from _rows(labels, timing)
    yield from _reliability(labels)
    yield from _cells(labels)
    yield from _auc(labels, tasks.score_positions)
    yield from _means(labels)
    yield from _chance(labels)


def _losses(labels: Labels, timing: Timing) -> Iterator[Rule]:
    """Say once what a row of every bin and outcome costs."""
    metric = names.REFERENCE_SCORE
    yield series.BIN_SCORE.rule(remembered(metric.name, labels.of(*metric.labels), timing))
    score = series.BIN_SCORE.name
    for name, negative, positive in (
        ("brier", f"{score} ^ 2", f"(1 - {score}) ^ 2"),
        ("log_loss", f"- ln(1 - {_inside(score)})", f"- ln({_inside(score)})"),
        ("ece", f"- {score}", f"1 - {score}"),
    ):
        yield _LOSS.rule(negative, metric=name, outcome="negative")
        yield _LOSS.rule(positive, metric=name, outcome="positive")


def _inside(score: str) -> str:
    return f"clamp({score}, 1e-15, 1 - 1e-15)"


def _rows(labels: Labels, timing: Timing) -> Iterator[Rule]:
    metric = names.LABEL_BIN
    yield series.BIN_TOTAL.rule(largest(metric.name, labels.of(*metric.labels)))
    by_cell = labels.model("segment", *_BIN, "y_true")
    outcome = many_to_one(labels.model("y_true"), "outcome")
    for window in timing.windows:
        arrived = sum_by(by_cell, rise(series.BIN_TOTAL.name, window, timing))
        yield series.BIN_ROWS.rule(
            f"{arrived}\n* {outcome} {series.BIN_OUTCOME.name}",
            source="realised",
            window=window.text,
        )
    for text, of_batch in last_batch(metric, labels, timing):
        yield series.BIN_ROWS.rule(
            f"{of_batch}\n* {outcome} {series.BIN_OUTCOME.name}", source="realised", window=text
        )
    for name, place in OUTCOMES.items():
        known = f"on ({labels.model('y_true')}) {series.BIN_OUTCOME.where(outcome=name)}"
        ratio = f"({series.OUTCOME_RATIO.where(place=place)} and {known})"
        yield series.BIN_ROWS.rule(
            sum_by(f"{by_cell}, window", times(labels, ratio, taken="y_true")),
            source="estimated",
            outcome=name,
        )


def _reliability(labels: Labels) -> Iterator[Rule]:
    by_bin = labels.scope(*_BIN)
    rows = sum_by(by_bin, series.BIN_ROWS.where(source="realised"))
    hits = sum_by(by_bin, series.BIN_ROWS.where(outcome="positive", source="realised"))
    yield series.POSITIVE_RATIO.rule(f"{hits}\n/ on ({by_bin})\n({rows} > 0)")
    yield series.POSITIVE_RATIO_ERROR.rule(
        f"sqrt(({hits} + 1) * on ({by_bin}) ({rows} - on ({by_bin}) {hits} + 1)\n"
        f"/ on ({by_bin}) (({rows} > 0) + 2) ^ 3)"
    )


def _cells(labels: Labels) -> Iterator[Rule]:
    """Add a row to every cell of the confusion matrix, spread over bins as rows there are."""
    by_bin, by_side = labels.scope(*_BIN), labels.scope("y_pred")
    side = many_to_one(labels.model(*_BIN), "y_pred")
    ratio = selector(series.OUTCOME_RATIO.name, 'ord!=""', 'place="01"')
    known = f"on ({labels.model('y_true')}) {series.BIN_OUTCOME.name}"
    rows = f"({sum_by(by_bin, series.BIN_ROWS.name)} + {side} 0 * ({ratio} and {known}))"
    one = many_to_one(by_side)
    yield series.PSEUDO_ROWS.rule(
        f"{rows}\n/ {one}\n({sum_by(by_side, rows)} > 0)\n"
        # A side without rows: evenly.
        f"or\n({rows} + 1)\n/ {one}\ncount by ({by_side}) ({rows})"
    )
    by_cell = labels.scope(*_BIN, "outcome")
    rows = sum_by(by_cell, series.BIN_ROWS.name)
    yield _CELLS.rule(rows, smoothed="no")
    yield _CELLS.rule(f"{rows}\n+ {many_to_one(by_bin)}\n{series.PSEUDO_ROWS.name}", smoothed="yes")


def _auc(labels: Labels, positions: int) -> Iterator[Rule]:
    """Compare every row with those of the other outcome that have lower scores."""
    kind = labels.scope("outcome", "smoothed")
    for position in range(positions):
        up_to = selector(_CELLS.name, f'ord=~"{positions_up_to(position)}"')
        here = _CELLS.where(ord=f"{position:02d}")
        yield _BELOW.rule(
            f"{sum_by(kind, up_to)}\n- on ({kind})\n{sum_by(kind, here)} / 2",
            ord=f"{position:02d}",
        )
    scope, whole = labels.scope(), labels.scope("smoothed")
    count = {
        outcome: f"({sum_by(whole, _CELLS.where(outcome=outcome))} > 0)" for outcome in OUTCOMES
    }
    pairs = (
        f"{_CELLS.where(outcome='positive')} * on ({labels.scope('smoothed', 'ord')}) "
        f"{_BELOW.where(outcome='negative')}"
    )
    yield _MEAN.rule(
        f"{sum_by(whole, pairs)}\n"
        f"/ on ({whole}) {count['positive']}\n/ on ({whole}) {count['negative']}",
        metric="roc_auc",
    )
    yield _value(labels, "roc_auc")
    mean = _MEAN.where(metric="roc_auc", smoothed="yes")
    parts = []
    for outcome, other in _OTHER.items():
        cells, below = (
            one.where(outcome=which, smoothed="yes")
            for one, which in ((_CELLS, outcome), (_BELOW, other))
        )
        of_other, own = (
            sum_by(scope, _CELLS.where(outcome=which, smoothed="yes")) for which in (other, outcome)
        )
        share = f"({below} / {many_to_one(scope)} {of_other})"
        right = share if outcome == "positive" else f"(1 - {share})"
        squares = (
            f"{cells} * on ({labels.scope('ord')}) ({right} - {many_to_one(scope)} {mean}) ^ 2"
        )
        parts.append(f"{sum_by(scope, squares)}\n/ on ({scope}) {own} ^ 2")
    yield _error(labels, f"\n+ on ({scope})\n".join(parts), "roc_auc")


def _means(labels: Labels) -> Iterator[Rule]:
    """Average the loss over rows; for the calibration error, over bins without their signs."""
    scope, whole = labels.scope(), labels.scope("smoothed")
    known = many_to_one(labels.model(*_BIN, "outcome"))
    losses = {
        name: f"{_CELLS.name} * {known} {_LOSS.where(metric=name)}" for name in (*_ALIKE, "ece")
    }
    yield _SURPLUS.rule(sum_by(labels.scope(*_BIN, "smoothed"), losses["ece"]))
    losses["ece"] = f"abs({_SURPLUS.name})"
    cells = _CELLS.where(smoothed="yes")
    sign = f"sgn({_SURPLUS.where(smoothed='yes')})"
    for name, loss in losses.items():
        yield _MEAN.rule(
            f"{sum_by(whole, loss)}\n/ on ({whole})\n({sum_by(whole, _CELLS.name)} > 0)",
            metric=name,
        )
        yield _value(labels, name)
        own = f"0 * {cells} + {known} {_LOSS.where(metric=name)}"
        if name == "ece":
            own = f"({own}) * {many_to_one(labels.scope(*_BIN))} {sign}"
        mean = _MEAN.where(metric=name, smoothed="yes")
        squares = f"{cells} * ({own} - {many_to_one(scope)} {mean}) ^ 2"
        expr = f"{sum_by(scope, squares)}\n/ on ({scope}) {sum_by(scope, cells)} ^ 2"
        yield _error(labels, expr, name)


def _chance(labels: Labels) -> Iterator[Rule]:
    """Take off the calibration error that a calibrated model has on average."""
    scope, by_bin = labels.scope(), labels.scope(*_BIN)
    cells = _CELLS.where(smoothed="no")
    score = _inside(series.BIN_SCORE.name)
    known = many_to_one(labels.model(*_BIN))
    rows = f"2 * {sum_by(by_bin, cells)} * {known} ({score} * (1 - {score}))"
    # The mean deviation of a proportion: a normal one's, but never above that of a single row.
    chance = f"({rows} <= {1 / math.pi!r}) or sqrt({rows} / {math.pi!r})"
    value, error = figures.VALUE, figures.ERROR
    yield value.rule(
        f"sum by ({scope}) ({value.where(metric='ece')})\n- on ({scope})\n"
        f"{sum_by(scope, chance)}\n/ on ({scope}) {sum_by(scope, cells)}",
        metric="ece_excess",
    )
    yield error.rule(error.where(metric="ece"), metric="ece_excess")


def _value(labels: Labels, metric: str) -> Rule:
    mean = _MEAN.where(metric=metric, smoothed="no")
    return figures.VALUE.rule(f"sum by ({labels.scope()}) ({mean})", metric=metric)


def _error(labels: Labels, variance: str, metric: str) -> Rule:
    """Record a standard error where the figure itself is defined."""
    defined = figures.VALUE.where(metric=metric)
    return figures.ERROR.rule(
        f"sqrt(\n{variance}\n)\nand on ({labels.scope()}) {defined}", metric=metric
    )
