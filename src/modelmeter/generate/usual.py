"""Recording rules for what is usual: traffic at this hour, how long values and labels rest.

Alerts on silence need it: a service that nobody asks at night is not broken, nor is a feature
that changes once an hour. All of it is the past of the model itself; nothing is said until there
is enough of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from modelmeter import names
from modelmeter.generate import judgement_series as series
from modelmeter.generate.durations import format_duration, parse_duration
from modelmeter.generate.label_series import SECONDS_SINCE_LABEL
from modelmeter.generate.promql import Labels, over_window, sum_by
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.series import SECONDS_SINCE_CHANGE
from modelmeter.generate.timing import Timing, Window
from modelmeter.stats.budget import HOURS_PER_MONTH

SILENCES: Final = {"10m": 1 / 6, "1h": 1.0, "1d": 24.0}
"""Windows over which silence is looked for, in hours: a busy service is missed soon."""

DAYS: Final = 7
ENOUGH_DAYS: Final = 3
"""Days at whose same hour the model was there: from three on one odd day is outvoted."""

FEATURE_RESTS: Final = 15 * 60
LABELS_REST: Final = 3600
"""Seconds from which on something rests: what is usual is not learnt any more then."""

MEMORY: Final = "1d"
"""How long what was usual is remembered over a break of Prometheus."""

CHANGES: Final = 20
LABELLED_HOURS: Final = 7 * 24


def silent_calls(hours: float, alarms_per_month: float) -> float:
    """Return the calls that must be usual in a window before it is strange to see none.

    Where calls come independently, ``calls · exp(-calls)`` gaps of such a length are due in
    the time of a window. The smallest number that keeps them within the budget is doubled:
    calls come in bunches, and days differ.

    Parameters
    ----------
    hours
        Length of the window.
    alarms_per_month
        The budget of the model.

    Examples
    --------
    >>> [round(silent_calls(hours, 1.0)) for hours in (1 / 6, 1, 24)]
    [22, 18, 10]
    """
    calls = 1.0
    while HOURS_PER_MONTH / hours * calls * math.exp(-calls) > alarms_per_month:
        calls += 0.01
    return 2 * calls


def call_rules(labels: Labels, timing: Timing) -> Iterator[Rule]:
    """Yield the rules on how often models are asked, which must be fresh.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    """
    model = labels.of("model")
    base = None
    for text in SILENCES:
        length = max(parse_duration(text, field="window"), 4 * timing.scrape_interval)
        window = Window(text, length, base)
        if base is not None and not length % timing.evaluation_interval:
            calls = over_window("", series.CALLS.name, window, timing)
        else:
            # An increase over no less than four scrapes, whatever the window is called.
            calls = f"\n+ on ({model})\n".join(
                sum_by(model, f"increase({counter}[{format_duration(length)}])")
                for counter in (
                    f"{names.PREDICTION_ROWS.name}_count",
                    f'{names.PREDICTIONS.name}{{outcome="error"}}',
                )
            )
        yield series.CALLS.rule(calls, first=base is None, window=text)
        base = base or window
    since = f"min by ({model}) ({SECONDS_SINCE_LABEL.name})"
    yield series.SECONDS_SINCE_LABEL.rule(since)


def usual_rules(labels: Labels) -> Iterator[Rule]:
    """Yield the rules on what is usual, which may be a few minutes old.

    Parameters
    ----------
    labels
        What to group by.
    """
    by, calls = labels.of("model", "window"), series.CALLS.name
    days = "\nor\n".join(
        f'label_replace({calls} offset {day}d, "day", "{day}", "", "")'
        for day in range(1, DAYS + 1)
    )
    median = f"quantile by ({by}) (0.5,\n{days}\n)"
    enough = f"count by ({by}) (\n{days}\n) >= {ENOUGH_DAYS}"
    # On a Saturday five of the last seven days were working days.
    yield series.USUAL_CALLS.rule(
        f'min by ({by}) (\nlabel_replace({median}, "of", "days", "", "")\nor\n'
        f'label_replace({calls} offset {DAYS}d, "of", "week", "", "")\n)\n'
        f"and on ({by})\n({enough})"
    )
    since = series.SECONDS_SINCE_LABEL.name
    yield series.USUAL_LABEL_GAP.rule(
        _while_moving(
            labels.of("model"),
            since,
            f"max_over_time({since}[14d:1h])",
            f"count_over_time({since}[14d:1h]) >= {LABELLED_HOURS}",
            series.USUAL_LABEL_GAP.name,
            LABELS_REST,
        )
    )
    still = SECONDS_SINCE_CHANGE.name
    yield series.USUAL_STILL.rule(
        _while_moving(
            labels.of(*names.REFERENCE_VARIATION.labels),
            still,
            f"max_over_time({still}[3d:15m])",
            f"resets({still}[3d:15m]) >= {CHANGES}",
            series.USUAL_STILL.name,
            FEATURE_RESTS,
        )
    )


def _while_moving(by: str, age: str, longest: str, enough: str, itself: str, rest: int) -> str:
    """Learn while something moves; keep what was learnt while it rests."""
    learnt = f"{longest}\nand on ({by}) ({enough})\nand on ({by}) ({age} <= {rest})"
    return f"(\n{learnt}\nor on ({by})\nlast_over_time({itself}[{MEMORY}])\n)\nand on ({by}) {age}"
