"""Recording rules for performance before labels: what the models answered, and what it is worth.

Live rows by answer, times what became of such answers out of sample, are expected counts;
everything else is computed from them as from counts of labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter import names
from modelmeter.generate import count_series as series
from modelmeter.generate.batch import last_batch
from modelmeter.generate.promql import (
    Labels,
    many_to_one,
    over_window,
    remembered,
    rename,
    selector,
    sum_by,
)
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.series import BIN_ROWS
from modelmeter.generate.tasks import Tasks
from modelmeter.generate.timing import Timing
from modelmeter.profile.facts import Y_PRED, Y_SCORE

OUTCOMES: Final = {"negative": "00", "positive": "01"}
"""Position among the classes of either outcome of a binary model."""

_ANSWER: Final = ("y_pred", "ord", "bin")
_RATIO: Final = series.OUTCOME_RATIO


def answer_rules(labels: Labels, timing: Timing, tasks: Tasks) -> Iterator[Rule]:
    """Yield the rules: ratios from training, and live rows by answer.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    tasks
        What the models do.
    """
    if tasks.classes:
        yield from _ratios(labels, timing, tasks)
    if tasks.regression:
        metric = names.REFERENCE_ERROR
        yield series.BIN_REFERENCE_ERROR.rule(
            remembered(metric.name, labels.of(*metric.labels), timing)
        )
    if tasks.scored_classes:
        metric = names.CLASS_SCORE
        for window in timing.windows:
            rows = over_window(metric.name, series.CLASS_SCORE_ROWS.name, window, timing)
            by_answer = labels.of(*metric.labels)
            yield series.CLASS_SCORE_ROWS.rule(sum_by(by_answer, rows), window=window.text)
        for text, rows in last_batch(metric, labels, timing):
            yield series.CLASS_SCORE_ROWS.rule(rows, window=text)
    yield series.ANSWER_ROWS.rule("\nor\n".join(_answers(labels, tasks)))


def times(labels: Labels, ratio: str, *, on: tuple[str, ...] = _ANSWER, taken: str) -> str:
    """Return live rows by answer, times a ratio of theirs that gives them one more label."""
    return f"{series.ANSWER_ROWS.name} * {many_to_one(labels.model(*on), taken)} {ratio}"


def _ratios(labels: Labels, timing: Timing, tasks: Tasks) -> Iterator[Rule]:
    metric = names.OUTCOME_RATIO
    yield _RATIO.rule(remembered(metric.name, labels.of(*metric.labels), timing))
    said = f"group by ({labels.model('y_pred')}) ({_RATIO.name})"
    yield series.RIGHT_RATIO.rule(
        sum_by(
            labels.model(*_ANSWER),
            f"{_RATIO.name} and on ({labels.model('y_pred', 'y_true')}) "
            f"{rename(said, label='y_pred', to='y_true')}",
        )
    )
    if tasks.score_positions:
        for outcome, place in OUTCOMES.items():
            ratio = selector(_RATIO.name, 'ord!=""', f'place="{place}"')
            yield series.BIN_OUTCOME.rule(
                f"group by ({labels.model('y_true')}) ({ratio})\n{_but_not_multiclass(labels)}",
                outcome=outcome,
            )


def _answers(labels: Labels, tasks: Tasks) -> Iterator[str]:
    """Yield live rows by answer: one expression for every kind of model, none met by two."""
    by = labels.of(*names.LAST_PREDICTION.labels, "segment", "window", *_ANSWER)
    scores, values = (
        selector(BIN_ROWS.name, 'role="prediction"', f'feature="{output}"', 'ord!=""')
        for output in (Y_SCORE, Y_PRED)
    )
    if tasks.score_positions:
        # What a score bin means is the same in all its ratios.
        ratio = selector(_RATIO.name, 'ord!=""', 'place="00"')
        side = f"({ratio} {_but_not_multiclass(labels)})"
        of_bin = many_to_one(labels.model("ord", "bin"), "y_pred")
        yield sum_by(by, f"{scores} * {of_bin} (0 * {side} + 1)")
    if tasks.scored_classes:
        yield series.CLASS_SCORE_ROWS.name
    if tasks.classes:
        said = selector(
            BIN_ROWS.name, 'role="prediction"', f'feature="{Y_PRED}"', 'kind="category"'
        )
        by_class = labels.of(*names.LAST_PREDICTION.labels, "segment", "window", "y_pred")
        counted = sum_by(by_class, rename(said, label="bin", to="y_pred"))
        ratio = selector(_RATIO.name, 'ord=""')
        yield f"{counted} and on ({labels.model('y_pred')}) {ratio}"
    if tasks.regression:
        by_bin = labels.of(*names.LAST_PREDICTION.labels, "segment", "window", "ord", "bin")
        error = series.BIN_REFERENCE_ERROR.name
        yield f"{sum_by(by_bin, values)} and on ({labels.model('ord', 'bin')}) {error}"


def _but_not_multiclass(labels: Labels) -> str:
    return f"unless on ({labels.model()}) {_RATIO.where(place='02')}"
