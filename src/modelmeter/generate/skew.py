"""Recording rules for train-serve skew: whether what serves is what was trained."""

from __future__ import annotations

from collections.abc import Iterator

from modelmeter import names
from modelmeter.generate import skew_series as series
from modelmeter.generate.promql import Labels, many_to_one, selector, sum_by
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.timing import Timing


def skew_rules(labels: Labels, timing: Timing) -> Iterator[Rule]:
    """Yield the rules: rows answered otherwise, other libraries, other columns.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    """
    outcomes = selector(names.CANARY_ROWS.name, 'outcome=~"different|failed"')
    one_replica = f"sum without (outcome) ({outcomes})"
    yield series.CANARY_DIFFERENT.rule(f"max by ({labels.model()}) ({one_replica})")
    by_library = labels.model("library")
    yield series.LIBRARY_MISMATCH.rule(f"max by ({by_library}) ({names.LIBRARY_MISMATCH.name})")
    window = timing.signal_window
    found, checks = (
        f"increase({metric.name}[{window}])"
        for metric in (names.SCHEMA_MISMATCHES, names.SCHEMA_CHECKS)
    )
    yield series.SCHEMA_MISMATCH.rule(
        f"{sum_by(labels.of(*names.SCHEMA_MISMATCHES.labels), found)}\n"
        f"/ {many_to_one(labels.model())}\n"
        f"({sum_by(labels.model(), checks)} > 0)",
        role="feature",
        window=window,
    )
