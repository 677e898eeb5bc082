"""Recording rules that judge performance: worse than in training or not, or too little to tell.

As with drift (`modelmeter.generate.alarms`), a loss alarms when it is real (its z is above the
threshold of the alarm budget) and when it matters, as `modelmeter.stats.alarms.worse_state` says
in Python. Only the longer windows are judged, and of
each model one figure: everything else would be further questions that may alarm falsely.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter.generate import alarm_series, count_series
from modelmeter.generate import judgement_series as series
from modelmeter.generate import performance_series as figures
from modelmeter.generate.promql import Labels, at_least, many_to_one, selector, sum_by
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.series import BIN_REFERENCE_ROWS
from modelmeter.generate.tasks import Tasks
from modelmeter.generate.timing import Timing
from modelmeter.profile.facts import Y_SCORE
from modelmeter.stats.alarms import ENOUGH_ROWS, POWER_Z
from modelmeter.stats.performance.calibration import PRIOR_ROWS

HEADLINES: Final = ("roc_auc", "macro_f1", "mae")
"""Figures that stand for a model: the first of them that it has."""

QUESTIONS: Final = 3
"""What is asked of a model and window: realised and estimated performance, and calibration."""

ENOUGH_OUTCOMES: Final = 5
"""Rows of either outcome that must be due in a score bin, the usual minimum of a chi-square."""

RELATIVE: Final = 5
"""An error matters when it grows by so many times `smallest_loss`, as a share."""

SMALLEST_GAP: Final = 0.05
"""From which difference on scores no longer mean what they meant."""

_FIGURE: Final = ("metric", "class")
_WHOLE: Final = 'segment=""'
_ERRORS: Final = "mae"


def performance_alarm_rules(
    labels: Labels, timing: Timing, tasks: Tasks, smallest_loss: float
) -> Iterator[Rule]:
    """Yield the rules: the figure that is judged, its loss, and the verdict; calibration.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    tasks
        What the models do; nothing for models that do not predict.
    smallest_loss
        How many points a score must lose to matter; of errors, `RELATIVE` times as large a
        share.
    """
    if not tasks.any:
        return
    judged = f'window=~"{"|".join(timing.judged)}"'
    identity = f"or on ({labels.model()})"
    yield series.HEADLINE.rule(
        f"\n{identity}\n".join(
            selector(figures.REFERENCE.name, f'metric="{one}"', 'class=""', _WHOLE)
            for one in HEADLINES
        )
    )
    yield from _losses(labels, judged)
    yield series.STATE.rule(_state(labels, smallest_loss))
    if tasks.score_positions:
        yield from _calibration(labels, judged)


def _losses(labels: Labels, judged: str) -> Iterator[Rule]:
    normal = many_to_one(labels.model("segment", *_FIGURE))
    headline = series.HEADLINE.name
    # Only where it is the headline: the factor is 1, the divisor what is normal.
    as_points, as_share = f"* {normal} ({headline} * 0 + 1)", f"/ {normal} ({headline} > 0)"
    matchers = (f'metric!="{_ERRORS}"', f'metric="{_ERRORS}"')
    changes, errors = (
        [selector(one.name, judged, _WHOLE, matcher) for matcher in matchers]
        for one in (figures.CHANGE, figures.ERROR)
    )
    yield series.LOSS.rule(f"-1 * {changes[0]} {as_points}\nor\n{changes[1]} {as_share}")
    training = f"{normal} {figures.REFERENCE_ERROR.name} ^ 2"
    points, share = (f"sqrt({one} ^ 2 + {training})" for one in errors)
    yield series.LOSS_ERROR.rule(f"{points} {as_points}\nor\n{share} {as_share}")


def _state(labels: Labels, smallest_loss: float) -> str:
    loss, error = series.LOSS.name, series.LOSS_ERROR.name
    on = f"on ({labels.scope(*_FIGURE)})"
    threshold = f"{many_to_one(labels.model('window'))} {alarm_series.Z_THRESHOLD.name}"
    enough = f"and on ({labels.scope()}) ({figures.PERFORMANCE_ROWS.name} >= {ENOUGH_ROWS})"
    matters = {
        f'metric!="{_ERRORS}"': smallest_loss,
        f'metric="{_ERRORS}"': RELATIVE * smallest_loss,
    }
    # Not loss / error: without any error that is infinite, and 0 * infinity no state.
    real = f"{loss} > {on} ({error} * {threshold})"
    large = " or ".join(f"{selector(loss, m)} > {limit!r}" for m, limit in matters.items())
    fine = " or ".join(
        f"{selector(error, m)} * {many_to_one(labels.model('window'))} "
        f"({alarm_series.Z_THRESHOLD.name} + {POWER_Z!r}) <= {limit!r}"
        for m, limit in matters.items()
    )
    return (
        f"(({real})\nand {on} ({large})\n{enough}) * 0 + 1\nor {on}\n"
        f"(({fine})\n{enough}) * 0\nor {on}\n0 * {loss} - 1"
    )


def _calibration(labels: Labels, judged: str) -> Iterator[Rule]:
    """Compare outcomes per score bin with what such scores were worth in training."""
    model_bin, by_bin, scope = (
        labels.model("ord", "bin"),
        labels.scope("ord", "bin"),
        labels.scope(),
    )
    positive = selector(count_series.OUTCOME_RATIO.name, 'place="01"', 'ord!=""')
    yield series.NORMAL_RATIO.rule(f"max by ({model_bin}) ({positive})")
    yield series.NORMAL_ROWS.rule(_measured_rows(labels))
    chosen = (judged, _WHOLE, 'source="realised"')
    n = sum_by(by_bin, selector(count_series.BIN_ROWS.name, *chosen))
    hits = sum_by(by_bin, selector(count_series.BIN_ROWS.name, *chosen, 'outcome="positive"'))
    training, r = many_to_one(model_bin), series.NORMAL_RATIO.name
    on_bin, on = f"on ({by_bin})", f"on ({scope})"
    spread = f"{n} * {training} ({r} * (1 - {r}))"
    yield series.BIN_MISS.rule(
        f"({hits}\n- {on_bin} {n} * {training} {r})\nand {on_bin} ({spread} >= {ENOUGH_OUTCOMES})"
    )
    miss, variance = series.BIN_MISS.name, series.BIN_MISS_VARIANCE.name
    yield series.BIN_MISS_VARIANCE.rule(
        f"{spread}\n* {on_bin} (1 + {n} / {training} ({series.NORMAL_ROWS.name} + {PRIOR_ROWS}))\n"
        f"and {on_bin} {miss}"
    )
    total = sum_by(scope, f"{n} and {on_bin} {miss}")
    beyond = sum_by(scope, f"({miss} ^ 2 - {on_bin} {variance}) / {on_bin} ({n} > 0)")
    yield series.CALIBRATION_GAP.rule(
        f"sqrt({at_least(f'{beyond} / {on} {total}', '0')})\nand {on} ({total} >= {ENOUGH_ROWS})"
    )
    chi_square = sum_by(scope, f"{miss} ^ 2 / {on_bin} {variance}")
    df = f"count by ({scope}) ({miss})"
    part = f"(2 / (9 * {df}))"
    yield series.CALIBRATION_Z.rule(
        f"(({chi_square} / {on} {df}) ^ (1 / 3) - 1 + {on} {part})\n/ {on} sqrt({part})"
    )


def _measured_rows(labels: Labels) -> str:
    """Return on how many rows the ratio of each score bin was measured, out of sample.

    Nobody says it, but the error of the accuracy does: fewer rows than were trained on, where
    there was a holdout.
    """
    by, by_bin = labels.model(), labels.model("ord", "bin")
    which = ('metric="accuracy"', 'class=""', _WHOLE)
    accuracy, error = (
        f"max by ({by}) ({selector(one.name, *which)})"
        for one in (figures.REFERENCE, figures.REFERENCE_ERROR)
    )
    scores = selector(
        BIN_REFERENCE_ROWS.name, 'role="prediction"', f'feature="{Y_SCORE}"', _WHOLE, 'ord!=""'
    )
    return (
        f"{sum_by(by_bin, scores)}\n/ {many_to_one(by)} {sum_by(by, scores)}\n"
        f"* {many_to_one(by)} ({accuracy} * (1 - {accuracy}) / on ({by}) ({error} > 0) ^ 2)"
    )
