"""Recording rules for classifiers: everything that follows from the confusion matrix.

With t rows that are truly of a class, p that are said to be, r rightly said to be, n in all
and K classes. Standard errors are those of `modelmeter.stats.performance.multiclass`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter import names
from modelmeter.generate import count_series as series
from modelmeter.generate import performance_series as figures
from modelmeter.generate.answers import times
from modelmeter.generate.batch import last_batch
from modelmeter.generate.performance_slopes import slope_rules
from modelmeter.generate.promql import Labels, largest, many_to_one, rename, rise, selector, sum_by
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.tasks import Tasks
from modelmeter.generate.timing import Timing

_ROWS: Final = series.CLASS_ROWS
_TRUE, _SAID, _RIGHT, _EITHER = (
    _ROWS.where(of=of) for of in ("true", "predicted", "right", "either")
)
_REALISED, _ESTIMATED = "realised", "estimated"


def class_rules(labels: Labels, timing: Timing, tasks: Tasks) -> Iterator[Rule]:
    """Yield the rules: the confusion matrix, rows by class, and every figure of theirs.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    tasks
        What the models do.
    """
    yield from _confusion(labels, timing, tasks)
    yield from _class_rows(labels)
    yield from _values(labels)
    yield from _errors(labels)
    yield from slope_rules(labels)


def _confusion(labels: Labels, timing: Timing, tasks: Tasks) -> Iterator[Rule]:
    metric = names.CONFUSION
    yield series.CONFUSION_TOTAL.rule(largest(metric.name, labels.of(*metric.labels)))
    cell = labels.model("segment", "y_true", "y_pred")
    for window in timing.windows:
        arrived = rise(series.CONFUSION_TOTAL.name, window, timing)
        yield series.CONFUSION_ROWS.rule(
            sum_by(cell, arrived), source=_REALISED, window=window.text
        )
    for text, rows in last_batch(metric, labels, timing):
        yield series.CONFUSION_ROWS.rule(rows, source=_REALISED, window=text)
    by_answer = labels.model("y_pred", "ord", "bin")
    whole = f"on ({by_answer}) count by ({by_answer}) ({series.OUTCOME_RATIO.name}) > 1"
    expected = []
    for place in range(tasks.classes):
        # A ratio belongs to one answer and one truth: truth after truth, since PromQL joins no
        # two tables that both have several rows of a kind.
        ratio = f"({series.OUTCOME_RATIO.where(place=f'{place:02d}')} and {whole})"
        expected.append(sum_by(f"{cell}, window", times(labels, ratio, taken="y_true")))
    yield series.CONFUSION_ROWS.rule("\nor\n".join(expected), source=_ESTIMATED)


def _class_rows(labels: Labels) -> Iterator[Rule]:
    """Count rows by class; what is right and what was said also where not all ratios are known."""
    by_class = labels.scope("class")
    both = series.CONFUSION_ROWS.name
    realised = series.CONFUSION_ROWS.where(source=_REALISED)
    answers = selector(series.ANSWER_ROWS.name, 'y_pred!=""')
    yield _ROWS.rule(sum_by(by_class, rename(both, label="y_true", to="class")), of="true")
    answered = labels.model("segment", "window", "class")
    cells = labels.model("y_true", "y_pred")
    said = f"group by ({labels.model('y_pred')}) ({realised})"
    diagonal = f"({realised} and on ({cells}) {rename(said, label='y_pred', to='y_true')})"
    by_answer = many_to_one(labels.model("y_pred", "ord", "bin"))
    expected = f"({answers} * {by_answer} {series.RIGHT_RATIO.name})"
    for of, live, before in (("predicted", realised, answers), ("right", diagonal, expected)):
        yield _ROWS.rule(sum_by(by_class, rename(live, label="y_pred", to="class")), of=of)
        yield _ROWS.rule(
            sum_by(answered, rename(before, label="y_pred", to="class")), of=of, source=_ESTIMATED
        )
    yield _ROWS.rule(f"{_TRUE} + on ({by_class}) {_SAID}", of="either")


def _values(labels: Labels) -> Iterator[Rule]:
    scope, by_class = labels.scope(), labels.scope("class")
    n, right = sum_by(scope, _SAID), sum_by(scope, _RIGHT)
    value = figures.VALUE
    yield value.rule(f"{right}\n/ on ({scope})\n({n} > 0)", metric="accuracy")
    for metric, part, whole in (
        ("precision", _RIGHT, _SAID),
        ("recall", _RIGHT, _TRUE),
        ("f1", f"2 * {_RIGHT}", _EITHER),
    ):
        yield value.rule(f"{part} / on ({by_class}) ({whole} > 0)", metric=metric)
    share = f"{_TRUE} / {many_to_one(scope)} ({n} > 0)"
    yield value.rule(sum_by(by_class, share), metric="prevalence")
    yield value.rule(f"avg by ({scope}) ({value.where(metric='f1')})", metric="macro_f1")
    spread_true, spread_said = (
        f"({n} ^ 2 - on ({scope}) {sum_by(scope, f'{rows} ^ 2')})" for rows in (_TRUE, _SAID)
    )
    # A single class leaves a spread of 0 but for rounding.
    some = f"> on ({scope}) 1e-12 * {n} ^ 2"
    yield value.rule(
        f"({right} * on ({scope}) {n} - on ({scope}) "
        f"{sum_by(scope, f'{_TRUE} * on ({by_class}) {_SAID}')})\n"
        f"/ on ({scope})\nsqrt(({spread_true} {some}) * on ({scope}) ({spread_said} {some}))",
        metric="mcc",
    )


def _errors(labels: Labels) -> Iterator[Rule]:
    """Compute binomial errors, of shares with pseudo-rows: as many right as wrong."""
    scope, by_class = labels.scope(), labels.scope("class")
    n, right = sum_by(scope, _SAID), sum_by(scope, _RIGHT)
    yield _error(
        f"sqrt(({right} + 2) * on ({scope}) ({n} - on ({scope}) {right} + 2)\n"
        f"/ on ({scope}) ({n} + 4) ^ 3)",
        "accuracy",
        scope,
    )
    for metric, whole in (("precision", _SAID), ("recall", _TRUE)):
        yield _error(
            f"sqrt(({_RIGHT} + 1) * on ({by_class}) ({whole} - on ({by_class}) {_RIGHT} + 1)\n"
            f"/ on ({by_class}) ({whole} + 2) ^ 3)",
            metric,
            by_class,
        )
    missed = f"({_EITHER} - on ({by_class}) 2 * {_RIGHT} + 2)"
    yield _error(
        f"2 * sqrt(({_RIGHT} + 1) * on ({by_class}) {missed} * on ({by_class}) "
        f"({_EITHER} - on ({by_class}) {_RIGHT} + 3))\n/ on ({by_class}) ({_EITHER} + 4) ^ 2",
        "f1",
        by_class,
    )
    all_rows = f"({n} + on ({scope}) 2 * count by ({scope}) ({_TRUE}))"
    others = f"({all_rows} - on ({scope}) group_right () ({_TRUE} + 2))"
    yield _error(
        f"sqrt(({_TRUE} + 2) * on ({by_class}) {others}\n/ {many_to_one(scope)} {all_rows} ^ 3)",
        "prevalence",
        by_class,
    )


def _error(expr: str, metric: str, on: str) -> Rule:
    """Record a standard error where the figure itself is defined."""
    defined = figures.VALUE.where(metric=metric)
    return figures.ERROR.rule(f"{expr}\nand on ({on}) {defined}", metric=metric)
