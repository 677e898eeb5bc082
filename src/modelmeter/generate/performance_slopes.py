"""Recording rules for the standard errors of macro F1 and MCC.

Both have a derivative by the rows of a cell of the confusion matrix that is a sum of three
terms: one by true class, one by predicted class, and one more on the diagonal. So their
error follows from three numbers by class and one pass over the cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter.generate import count_series as series
from modelmeter.generate import performance_series as figures
from modelmeter.generate.promql import Labels, many_to_one, rename, sum_by
from modelmeter.generate.rulefile import Rule

_ROWS, _SMOOTH, _SLOPE = series.CLASS_ROWS, series.CLASS_SMOOTHED, series.CLASS_SLOPE
_TRUE, _SAID, _RIGHT, _EITHER = (
    _ROWS.where(of=of) for of in ("true", "predicted", "right", "either")
)
_SMOOTH_TRUE, _SMOOTH_SAID = (_SMOOTH.where(of=of) for of in ("true", "predicted"))
# Pseudo-rows on every cell of the diagonal; as many are spread over the rest of its row.
_PSEUDO_ROWS: Final = {"macro_f1": "{classes} ^ 0", "mcc": "2 / {classes}"}


def slope_rules(labels: Labels) -> Iterator[Rule]:
    """Yield the rules: derivatives by class, then the errors.

    Parameters
    ----------
    labels
        What to group by.
    """
    yield from _slopes_of_macro_f1(labels)
    yield from _slopes_of_mcc(labels)
    for metric in _PSEUDO_ROWS:
        yield _error(labels, metric)


def _classes(labels: Labels) -> str:
    return f"count by ({labels.scope()}) ({_TRUE})"


def _slopes_of_macro_f1(labels: Labels) -> Iterator[Rule]:
    scope, by_class = labels.scope(), labels.scope("class")
    # Over the classes in use, without pseudo-rows.
    weight = (
        f"({_EITHER} > bool 0) / ({_EITHER} + 4)\n"
        f"/ {many_to_one(scope)} count by ({scope}) ({_EITHER} > 0)"
    )
    yield _SLOPE.rule(f"2 * {weight}", metric="macro_f1", of="right")
    right = _SLOPE.where(metric="macro_f1", of="right")
    share = f"({_RIGHT} + 1) / on ({by_class}) ({_EITHER} + 4)"
    for of in ("true", "predicted"):
        yield _SLOPE.rule(f"- {right} * on ({by_class}) ({share})", metric="macro_f1", of=of)


def _slopes_of_mcc(labels: Labels) -> Iterator[Rule]:
    scope, by_class = labels.scope(), labels.scope("class")
    for of, rows in (("true", _TRUE), ("predicted", _SAID)):
        yield _SMOOTH.rule(f"{rows} + {many_to_one(scope)} 4 / {_classes(labels)}", of=of)
    n = sum_by(scope, _SMOOTH_TRUE)
    right = f"({sum_by(scope, _RIGHT)} + 2)"
    spread_true, spread_said = (
        f"({n} ^ 2 - on ({scope}) {sum_by(scope, f'{rows} ^ 2')})"
        for rows in (_SMOOTH_TRUE, _SMOOTH_SAID)
    )
    root = f"sqrt({spread_true} * on ({scope}) {spread_said})"
    shared = sum_by(scope, f"{_SMOOTH_TRUE} * on ({by_class}) {_SMOOTH_SAID}")
    value = f"(({right} * on ({scope}) {n} - on ({scope}) {shared}) / on ({scope}) {root})"
    one = many_to_one(scope)
    yield _SLOPE.rule(
        f"0 * {_SMOOTH_TRUE} + {one} ({n} / on ({scope}) {root})", metric="mcc", of="right"
    )
    for of, rows, other, spread, first in (
        ("true", _SMOOTH_TRUE, _SMOOTH_SAID, spread_true, f"{right} "),
        ("predicted", _SMOOTH_SAID, _SMOOTH_TRUE, spread_said, f"0 * {right} "),
    ):
        upper = f"({first} - on ({scope}) group_right () {other}) / {one} {root}"
        lower = f"({n} - on ({scope}) group_right () {rows}) / {one} {spread}"
        yield _SLOPE.rule(
            f"{upper}\n- on ({by_class})\n{lower} * {one} {value}", metric="mcc", of=of
        )


def _error(labels: Labels, metric: str) -> Rule:
    """Add up rows times squared slope over all cells, and the rest on the diagonal."""
    scope, by_class = labels.scope(), labels.scope("class")
    cells = series.CONFUSION_ROWS.name
    true, said, right = (
        _SLOPE.where(metric=metric, of=of) for of in ("true", "predicted", "right")
    )
    diagonal = f"({_PSEUDO_ROWS[metric].format(classes=_classes(labels))})"
    # A single class cannot be told wrong: there is no error.
    elsewhere = f"({diagonal} / on ({scope}) (({_classes(labels)} > 1) - 1))"
    one = many_to_one(scope)
    slope = (
        f"(0 * {cells} + {many_to_one(labels.scope('y_true'))} "
        f"{rename(true, label='class', to='y_true')} + {many_to_one(labels.scope('y_pred'))} "
        f"{rename(said, label='class', to='y_pred')}) ^ 2"
    )
    off = f"({true} + on ({by_class}) {said})"
    on = f"({off} + on ({by_class}) {right})"
    rest = (
        f"({_RIGHT} + {one} {diagonal}) * on ({by_class}) {on} ^ 2\n"
        f"- on ({by_class}) ({_RIGHT} + {one} {elsewhere}) * on ({by_class}) {off} ^ 2"
    )
    return figures.ERROR.rule(
        f"sqrt(\n{sum_by(scope, f'({cells} + {one} {elsewhere}) * {slope}')}\n"
        f"+ on ({scope})\n{sum_by(scope, rest)}\n)\n"
        f"and on ({scope}) {figures.VALUE.where(metric=metric)}",
        metric=metric,
    )
