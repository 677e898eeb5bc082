"""Recording rules for performance: realised from labels, estimated before they come.

Both are counts, or sums of errors, over a window (labels that arrived in it; predictions made
in it), from which the same rules compute the same figures as `modelmeter.stats.performance`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from modelmeter import names
from modelmeter.generate import performance_series as series
from modelmeter.generate.answers import answer_rules
from modelmeter.generate.count_series import CLASS_ROWS, ERROR_SUM
from modelmeter.generate.labels import label_rules
from modelmeter.generate.performance_classes import class_rules
from modelmeter.generate.performance_errors import error_rules
from modelmeter.generate.performance_scores import score_rules
from modelmeter.generate.promql import Labels, many_to_one, remembered, sum_by
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.tasks import Tasks
from modelmeter.generate.timing import Timing

_FIGURE: Final = ("segment", "metric", "class")


def performance_rules(labels: Labels, timing: Timing, tasks: Tasks) -> Iterator[Rule]:
    """Yield the rules that the models need, each series explained where it is first recorded.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    tasks
        What the models do; nothing for models that do not predict.
    """
    explained: set[str] = set()
    for rule in _all_rules(labels, timing, tasks) if tasks.any else ():
        yield replace(rule, comment="") if rule.record in explained else rule
        explained.add(rule.record)


def _all_rules(labels: Labels, timing: Timing, tasks: Tasks) -> Iterator[Rule]:
    yield from label_rules(labels, timing)
    yield from answer_rules(labels, timing, tasks)
    if tasks.classes:
        yield from class_rules(labels, timing, tasks)
    if tasks.score_positions:
        yield from score_rules(labels, timing, tasks)
    if tasks.regression:
        yield from error_rules(labels, timing)
    rows = []
    if tasks.classes:
        rows.append(sum_by(labels.scope(), CLASS_ROWS.where(of="predicted")))
    if tasks.regression:
        rows.append(sum_by(labels.scope(), ERROR_SUM.where(statistic="rows")))
    yield series.PERFORMANCE_ROWS.rule("\nor\n".join(rows))
    yield from _comparison(labels, timing)


def _comparison(labels: Labels, timing: Timing) -> Iterator[Rule]:
    """Compare every figure with the one out of sample."""
    for recorded, metric in (
        (series.REFERENCE, names.REFERENCE_PERFORMANCE),
        (series.REFERENCE_ERROR, names.REFERENCE_PERFORMANCE_ERROR),
    ):
        yield recorded.rule(remembered(metric.name, labels.of(*metric.labels), timing))
    normal = many_to_one(labels.model(*_FIGURE))
    figure = f"on ({labels.scope('metric', 'class')})"
    value, change = series.VALUE.name, series.CHANGE.name
    yield series.CHANGE.rule(f"{value} - {normal} {series.REFERENCE.name}")
    spread = f"sqrt({series.ERROR.name} ^ 2 + {normal} {series.REFERENCE_ERROR.name} ^ 2)"
    # The first comparison drops 0 / 0, which is no NaN but no change.
    yield series.Z.rule(
        f"({change} / {figure} {spread} >= -Inf)\nor\n({change} == 0 and {figure} {spread})"
    )
