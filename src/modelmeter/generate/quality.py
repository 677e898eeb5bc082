"""Recording rules for data quality: rates of missing, unseen, invalid and absent values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter import names
from modelmeter.generate import series
from modelmeter.generate.batch import last_batch
from modelmeter.generate.promql import (
    SMALLEST,
    Labels,
    at_least,
    many_to_one,
    over_window,
    selector,
    sum_by,
)
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.timing import Timing
from modelmeter.stats.rates import CHECKS

ABSENT: Final = "absent"
"""The check on rows whose column was not there; they fall in no bin."""

_LIVE, _TRAINING = series.BIN_ROWS.name, series.BIN_REFERENCE_ROWS.name
_M: Final = f"({series.REFERENCE_ROWS.name} > 0)"


def quality_rules(labels: Labels, timing: Timing) -> Iterator[Rule]:
    """Yield the rules: rows looked at, rates live and in training, and whether they differ.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    """
    yield from _absent_rows(labels, timing)
    yield from _live_rates(labels)
    yield from _reference_rates(labels)
    yield from _significance(labels)


def _live_rates(labels: Labels) -> Iterator[Rule]:
    looked_at, absent = series.CHECKED_ROWS.name, series.ABSENT_ROWS.name
    for check in CHECKS:
        yield series.CHECKED_ROWS.rule(
            f"{series.ROWS.name} and on ({labels.window}) {_of_check(_LIVE, check)}",
            first=check == "missing",
            check=check,
        )
    yield series.CHECKED_ROWS.rule(f"{series.ROWS.name} + {absent}", first=False, check=ABSENT)
    for check in CHECKS:
        # Both sums from the same rows, see `rules._live_rows`.
        yield series.RATE.rule(
            f"{sum_by(labels.window, _of_check(_LIVE, check))}\n"
            f"/ on ({labels.window})\n"
            f"({sum_by(labels.window, _LIVE)} > 0)",
            first=check == "missing",
            check=check,
        )
    total = selector(looked_at, f'check="{ABSENT}"')
    yield series.RATE.rule(
        f"{absent} / on ({labels.window}) ({total} > 0)", first=False, check=ABSENT
    )


def _of_check(metric: str, check: str) -> str:
    kinds = CHECKS[check]
    return selector(metric, f'kind=~"{"|".join(kinds)}"' if kinds[1:] else f'kind="{kinds[0]}"')


def _absent_rows(labels: Labels, timing: Timing) -> Iterator[Rule]:
    metric = names.FEATURE_ABSENT
    for i, window in enumerate(timing.windows):
        expr = over_window(metric.name, series.ABSENT_ROWS.name, window, timing)
        yield series.ABSENT_ROWS.rule(
            sum_by(labels.of(*metric.labels), expr),
            first=i == 0,
            role="feature",
            window=window.text,
        )
    for text, rows in last_batch(metric, labels, timing):
        yield series.ABSENT_ROWS.rule(rows, first=False, role="feature", window=text)


def _reference_rates(labels: Labels) -> Iterator[Rule]:
    for check in CHECKS:
        yield series.REFERENCE_RATE.rule(
            f"{sum_by(labels.feature, _of_check(_TRAINING, check))}\n/ on ({labels.feature})\n{_M}",
            first=check == "missing",
            check=check,
        )
    # Training always has all its columns.
    features = selector(series.REFERENCE_ROWS.name, 'role="feature"')
    yield series.REFERENCE_RATE.rule(
        f"0 * ({features} > 0)",
        first=False,
        check=ABSENT,
    )


def _significance(labels: Labels) -> Iterator[Rule]:
    """Compute the signed root of the likelihood ratio of two proportions."""
    training = many_to_one(labels.feature)
    normal = f"{many_to_one(labels.check)} {series.REFERENCE_RATE.name}"
    rate, n = series.RATE.name, series.CHECKED_ROWS.name
    reference_rows = f"({series.REFERENCE_RATE.name} * {training} {_M})"
    yield series.POOLED_RATE.rule(
        f"({rate} * {n} + {many_to_one(labels.check)} {reference_rows})\n/ ({n} + {training} {_M})",
    )
    pooled = series.POOLED_RATE.name
    # KL(rate, pooled), and KL(reference rate, pooled) written from the side with the windows.
    live_part = f"({_live_term(rate, pooled)} + {_live_term(f'(1 - {rate})', f'(1 - {pooled})')})"
    training_part = " ".join(
        f"- ln({at_least(one, SMALLEST)} / {many_to_one(labels.check)} "
        f"{at_least(other, SMALLEST)}) * {many_to_one(labels.check)} {other}"
        for one, other in (
            (pooled, series.REFERENCE_RATE.name),
            (f"(1 - {pooled})", f"(1 - {series.REFERENCE_RATE.name})"),
        )
    )
    g = f"2 * (\n{n} * {live_part}\n+ ({training_part}) * {training} {_M}\n)"
    yield series.RATE_Z.rule(
        f"sgn({rate} - {normal})\n* sqrt({at_least(g, '0')})",
    )


def _live_term(share: str, pooled: str) -> str:
    return f"{share} * ln({at_least(share, SMALLEST)} / {at_least(pooled, SMALLEST)})"
