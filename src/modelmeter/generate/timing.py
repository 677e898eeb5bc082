"""When things happen: scrapes, evaluations, and the windows that statistics look back on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modelmeter._errors import ConfigurationError
from modelmeter.generate.durations import format_duration, parse_duration

DEFAULT_WINDOWS: Final = ("1h", "24h")
DEFAULT_SCRAPE_INTERVAL: Final = "15s"

BATCH: Final = "batch"
"""The window of what a scoring job pushed: its last batch."""

LOOKBACK: Final = parse_duration("5m", field="lookback")
"""How long Prometheus shows the last sample of a series: the longest evaluation interval."""

_MONTH: Final = parse_duration("30d", field="month")

_INTERVALS: Final = tuple(
    parse_duration(text, field="interval")
    for text in ("1m", "30s", "20s", "15s", "10s", "5s", "2s", "1s")
)


@dataclass(frozen=True, slots=True)
class Window:
    """How far back a statistic looks.

    Parameters
    ----------
    text
        As given; the value of the label `window`.
    length
        In milliseconds.
    base
        The shorter window that it is added up from; None to read the counters.
    """

    text: str
    length: int
    base: Window | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Intervals and windows that fit each other, all in milliseconds.

    Parameters
    ----------
    windows
        From short to long.
    scrape_interval, evaluation_interval
        Between two scrapes of a target, and between two evaluations of a rule.
    batch_every
        Between two batches; None where there are none.
    """

    windows: tuple[Window, ...]
    scrape_interval: int
    evaluation_interval: int
    batch_every: int | None = None

    @property
    def batches_per_month(self) -> float | None:
        """How many batches are scored in a month of thirty days; None where there are none."""
        return None if self.batch_every is None else _MONTH / self.batch_every

    @property
    def judged(self) -> tuple[str, ...]:
        """Windows that drift and performance are judged over: all but the shortest of several."""
        windows = tuple(one.text for one in self.windows[1:] or self.windows)
        return windows if self.batch_every is None else (*windows, BATCH)

    @property
    def signal_window(self) -> str:
        """Window of rates and latencies: five minutes, or less where statistics look at less.

        Never under four scrapes, so that a rate survives one that failed.
        """
        shortest = min(LOOKBACK, self.windows[0].length)
        return format_duration(max(shortest, 4 * self.scrape_interval))

    @property
    def memory(self) -> str:
        """How long what training looked like is remembered after a replica stops saying it."""
        return format_duration(max(LOOKBACK, 4 * self.scrape_interval))


def plan_timing(
    windows: Sequence[str],
    *,
    scrape_interval: str,
    evaluation_interval: str | None,
    lookback: int = LOOKBACK,
    batch_every: str | None = None,
) -> Timing:
    """Check intervals and windows against each other.

    Parameters
    ----------
    windows
        Prometheus durations, at least one, in any order.
    scrape_interval
        A Prometheus duration, at most half the shortest window.
    evaluation_interval
        A Prometheus duration, at most half the shortest window and five minutes; by
        default a minute, or less for windows under ten minutes.
    lookback
        Instead of five minutes, for a Prometheus that is told another
        ``--query.lookback-delta``; in milliseconds.
    batch_every
        Time between two batches, at least twice the other two intervals, so that none is
        missed; None where there are none.

    Returns
    -------
    Timing

    Raises
    ------
    ConfigurationError
        One of them is no duration, or they do not fit each other; the message names it.
    """
    if isinstance(windows, str) or not windows:
        raise ConfigurationError(
            f"windows must be a list of durations such as ['1h', '24h'], not {windows!r}"
        )
    lengths = sorted((parse_duration(text, field="windows"), text) for text in windows)
    if len({length for length, _ in lengths}) < len(lengths):
        raise ConfigurationError(f"windows must all differ: {list(windows)!r}")
    shortest, text = lengths[0]
    scrape = parse_duration(scrape_interval, field="scrape_interval")
    if 2 * scrape > shortest:
        raise ConfigurationError(
            f"scrape_interval must be at most half the shortest window ({text}), so that a "
            f"window holds two scrapes: {scrape_interval!r}"
        )
    evaluation = (
        _fitting_interval(shortest)
        if evaluation_interval is None
        else parse_duration(evaluation_interval, field="evaluation_interval")
    )
    if 2 * evaluation > shortest:
        raise ConfigurationError(
            f"evaluation_interval must be at most half the shortest window ({text}): "
            f"{evaluation_interval!r}"
        )
    if evaluation > lookback:
        raise ConfigurationError(
            f"evaluation_interval must be at most {format_duration(lookback)}, after which "
            f"Prometheus takes a recorded series for gone: {evaluation_interval!r}"
        )
    every = None
    if batch_every is not None:
        every = parse_duration(batch_every, field="batch_every")
        if every < 2 * max(scrape, evaluation):
            raise ConfigurationError(
                "batch_every must be at least twice scrape_interval "
                f"({format_duration(scrape)}) and evaluation_interval "
                f"({format_duration(evaluation)}), so that no batch is missed: {batch_every!r}"
            )
    return Timing(_build_up(lengths, evaluation), scrape, evaluation, every)


def _fitting_interval(shortest: int) -> int:
    """Return the longest usual interval that cuts a window in at least ten equal parts."""
    for interval in _INTERVALS:
        if 10 * interval <= shortest and shortest % interval == 0:
            return interval
    return max(shortest // 10, 1)


def _build_up(lengths: Sequence[tuple[int, str]], evaluation: int) -> tuple[Window, ...]:
    """Add every window up from the shortest one that it is a multiple of."""
    windows: list[Window] = []
    for length, text in lengths:
        base = None
        if length % evaluation == 0:
            shorter = (w for w in windows if length % w.length == 0)
            # The shortest: it forgets soonest, so that the edges of the sum are sharpest.
            base = next((w for w in shorter if w.base is None), None)
        windows.append(Window(text, length, base))
    return tuple(windows)
