"""Recording rules for regressions: what follows from sums of errors.

Standard errors are those of `modelmeter.stats.performance.regression`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter import names
from modelmeter.generate import count_series as series
from modelmeter.generate import performance_series as figures
from modelmeter.generate.answers import times
from modelmeter.generate.batch import last_batch
from modelmeter.generate.promql import Labels, at_least, largest, rise, sum_by
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.timing import Timing
from modelmeter.stats.performance import ERROR_SUMS

_BIN: Final = ("ord", "bin")


def error_rules(labels: Labels, timing: Timing) -> Iterator[Rule]:
    """Yield the rules: sums of errors, and every figure of theirs.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    """
    yield from _sums(labels, timing)
    yield from _means(labels)
    yield from _target(labels, timing)
    yield from _r2(labels)


def _sums(labels: Labels, timing: Timing) -> Iterator[Rule]:
    metric = names.ERROR_SUM
    yield series.ERROR_TOTAL.rule(largest(metric.name, labels.of(*metric.labels)))
    by_bin = labels.model("segment", *_BIN)
    for window in timing.windows:
        arrived = rise(series.ERROR_TOTAL.name, window, timing)
        yield series.ERROR_BIN_SUM.rule(
            sum_by(f"{by_bin}, statistic", arrived), source="realised", window=window.text
        )
    for text, sums in last_batch(metric, labels, timing):
        yield series.ERROR_BIN_SUM.rule(sums, source="realised", window=text)
    for statistic in ERROR_SUMS:
        # Each row counts once: any statistic tells which rows have an expectation.
        ratio = series.BIN_REFERENCE_ERROR.where(
            statistic="squared" if statistic == "rows" else statistic
        )
        ratio = f"(0 * {ratio} + 1)" if statistic == "rows" else ratio
        expected = times(labels, ratio, on=_BIN, taken="statistic")
        yield series.ERROR_BIN_SUM.rule(
            sum_by(f"{by_bin}, window", expected), source="estimated", statistic=statistic
        )
    yield series.ERROR_SUM.rule(sum_by(labels.scope("statistic"), series.ERROR_BIN_SUM.name))
    over, under, rows = (
        sum_by(labels.scope(*_BIN), series.ERROR_BIN_SUM.where(statistic=statistic))
        for statistic in ("over", "under", "rows")
    )
    on = f"on ({labels.scope(*_BIN)})"
    yield series.ERROR_BIN_MAE.rule(f"({over}\n+ {on} {under})\n/ {on}\n({rows} > 0)")


def _means(labels: Labels) -> Iterator[Rule]:
    on = f"on ({labels.scope()})"
    n, over, under, squared, fourth = (_sum(labels, statistic) for statistic in ERROR_SUMS)
    some = f"({n} > 0)"
    square = f"{squared} / {on} {some}"
    yield figures.VALUE.rule(f"({over} + {on} {under})\n/ {on} {some}", metric="mae")
    yield figures.VALUE.rule(f"({over} - {on} {under})\n/ {on} {some}", metric="bias")
    yield figures.VALUE.rule(f"sqrt({square})", metric="rmse")
    for metric in ("mae", "bias"):
        mean = _value(labels, metric)
        error = _error_of_mean(mean, square, n, on)
        yield figures.ERROR.rule(error, metric=metric)
    error = _error_of_mean(f"({square})", f"{fourth} / {on} {some}", n, on)
    rmse = _value(labels, "rmse")
    yield figures.ERROR.rule(
        f"{error}\n/ {on} (2 * ({rmse} > 0))\n"
        # All errors 0: the root has no slope there, and nothing varies.
        f"or {on}\n({rmse} == 0) and {on} {n} > 1",
        metric="rmse",
    )


def _error_of_mean(mean: str, square: str, n: str, on: str) -> str:
    """Return the standard error of a mean, given the mean of squares."""
    variance = at_least(f"{square} - {on} {mean} ^ 2", "0")
    return f"sqrt(\n{variance}\n/ {on} (({n} > 1) - 1)\n)"


def _sum(labels: Labels, statistic: str) -> str:
    return sum_by(labels.scope(), series.ERROR_SUM.where(statistic=statistic))


def _value(labels: Labels, metric: str) -> str:
    return f"sum by ({labels.scope()}) ({figures.VALUE.where(metric=metric)})"


def _target(labels: Labels, timing: Timing) -> Iterator[Rule]:
    metric = names.TARGET_SUM
    yield series.TARGET_TOTAL.rule(largest(metric.name, labels.of(*metric.labels)))
    for window in timing.windows:
        arrived = rise(series.TARGET_TOTAL.name, window, timing)
        yield series.TARGET_SUM.rule(
            sum_by(labels.model("segment", "statistic"), arrived),
            source="realised",
            window=window.text,
        )
    for text, sums in last_batch(metric, labels, timing):
        yield series.TARGET_SUM.rule(sums, source="realised", window=text)
    on, n = f"on ({labels.scope()})", _sum(labels, "rows")
    first = f"({_power(labels, 'above')} - {on} {_power(labels, 'below')})"
    yield series.TARGET_MEAN.rule(f"{first}\n/ {on} ({n} > 0)")
    squared = _power(labels, "squared")
    # A target that does not vary leaves nothing but rounding.
    yield series.TARGET_SPREAD.rule(
        f"{squared} - {on} {first} * {on} {series.TARGET_MEAN.name}\n> {on} 1e-12 * {squared}"
    )


def _power(labels: Labels, statistic: str) -> str:
    return sum_by(labels.scope(), series.TARGET_SUM.where(statistic=statistic))


def _r2(labels: Labels) -> Iterator[Rule]:
    on = f"on ({labels.scope()})"
    n, _, _, squared, fourth = (_sum(labels, statistic) for statistic in ERROR_SUMS)
    mean, total = series.TARGET_MEAN.name, series.TARGET_SPREAD.name
    yield figures.VALUE.rule(f"1 - {squared} / {on} {total}", metric="r2")
    z1, z3, weighted = (
        f"({_power(labels, f'{name}above')} - {on} {_power(labels, f'{name}below')})"
        for name in ("", "cubed_", "weighted_")
    )
    z2, z4, weighted_squared = (
        _power(labels, name) for name in ("squared", "fourth", "weighted_squared")
    )
    # Moments about the mean of these rows, from those about the center.
    moment = (
        f"({z4}\n- {on} 4 * {mean} * {on} {z3}\n+ {on} 6 * {mean} ^ 2 * {on} {z2}\n"
        f"- {on} 4 * {mean} ^ 3 * {on} {z1}\n+ {on} {mean} ^ 4 * {on} {n})"
    )
    shared = (
        f"({weighted_squared}\n- {on} 2 * {mean} * {on} {weighted}\n"
        f"+ {on} {mean} ^ 2 * {on} {squared})"
    )
    unexplained = f"(1 - {_value(labels, 'r2')})"
    spread = (
        f"{fourth}\n- {on} 2 * {unexplained} * {on} {shared}\n"
        f"+ {on} {unexplained} ^ 2 * {on} {moment}"
    )
    yield figures.ERROR.rule(
        f"sqrt({at_least(f'{spread}', '0')} * {on} {n} / {on} (({n} > 1) - 1))\n/ {on} {total}",
        metric="r2",
    )
