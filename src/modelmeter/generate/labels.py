"""Recording rules for the labels themselves: how many came, how late, how many are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter import names
from modelmeter.generate import label_series as series
from modelmeter.generate.promql import Labels, largest, rise, sum_by
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.timing import Timing

QUANTILES: Final = ("0.5", "0.95")


def label_rules(labels: Labels, timing: Timing) -> Iterator[Rule]:
    """Yield the rules: labels by outcome, how late they came, and what still waits.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    """
    yield series.LABEL_TOTAL.rule(largest(names.LABELS.name, labels.of(*names.LABELS.labels)))
    for window in timing.windows:
        arrived = rise(series.LABEL_TOTAL.name, window, timing)
        yield series.LABEL_ROWS.rule(sum_by(labels.model("outcome"), arrived), window=window.text)
    yield from _lags(labels, timing)
    yield from _waiting(labels)
    yield from _ages(labels, timing)


def _lags(labels: Labels, timing: Timing) -> Iterator[Rule]:
    metric = names.LABEL_LAG
    yield series.LAG_TOTAL.rule(largest(f"{metric.name}_bucket", labels.of(*metric.labels, "le")))
    for window in timing.windows:
        arrived = rise(series.LAG_TOTAL.name, window, timing)
        yield series.LAG_ROWS.rule(sum_by(labels.model("le"), arrived), window=window.text)
    for quantile in QUANTILES:
        # The comparison drops the NaN of a window without labels.
        yield series.LAG_SECONDS.rule(
            f"histogram_quantile({quantile}, {series.LAG_ROWS.name}) >= 0", quantile=quantile
        )


def _waiting(labels: Labels) -> Iterator[Rule]:
    by_age = labels.model("age")
    with_label, all_of_age = (
        sum_by(by_age, largest(metric.name, labels.of(*metric.labels)))
        for metric in (names.COVERAGE_LABELS, names.COVERAGE_PREDICTIONS)
    )
    yield series.COVERAGE.rule(f"{with_label}\n/ on ({by_age})\n({all_of_age} > 0)")
    pending = largest(names.PENDING.name, labels.of(*names.PENDING.labels))
    yield series.PENDING.rule(sum_by(labels.model(), pending))


def _ages(labels: Labels, timing: Timing) -> Iterator[Rule]:
    # Also while no replica can read its store.
    latest = f"max_over_time({names.LAST_LABEL.name}[{timing.windows[0].text}])"
    yield series.SECONDS_SINCE_LABEL.rule(f"time() - (max by ({labels.model()}) ({latest}) > 0)")
    oldest = f"min by ({labels.model()}) ({names.OLDEST_PENDING.name} > 0)"
    yield series.OLDEST_PENDING_SECONDS.rule(f"time() - {oldest}")
