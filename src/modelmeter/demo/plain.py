"""Progress as plain lines: for logs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console

from modelmeter.demo.reading import FIGURES, SOURCES, FeatureReading, Reading
from modelmeter.demo.replay import Progress
from modelmeter.demo.summary import CONTROLS, Month
from modelmeter.demo.words import count, figure, milliseconds, percent, say, score


class PlainScreen:
    """A line now and then, without control codes: for logs.

    Parameters
    ----------
    console, seconds
        See `make_screen`.
    """

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._every = max(seconds / 18, 1.0)
        self._next = time.monotonic() + self._every
        self._months = 0

    def __enter__(self) -> PlainScreen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def update(self, progress: Progress, reading: Reading, months: Sequence[Month] = ()) -> None:
        """Write a line when it is time for one, and one when a month is over.

        Parameters
        ----------
        progress
            Where the replay is.
        reading
            What was measured last.
        months
            Those that are over.
        """
        for month in months[self._months :]:
            say(self._console, describe_month(month))
        self._months = len(months)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            say(self._console, describe(progress, reading))


def describe(progress: Progress, reading: Reading) -> str:
    """Return progress and reading as one line of text.

    Parameters
    ----------
    progress
        Where the replay is.
    reading
        What was measured last.

    Returns
    -------
    str
    """
    drifting = [f for f in reading.movers() if f.verdict == "drift"][:4]
    parts = [
        f"{progress.simulated:%d %b %Y} {progress.share:4.0%}",
        f"{count(reading.rows_per_second)} flights/s, "
        f"median {milliseconds(reading.median_seconds)}",
        "drift: " + (", ".join(f"{f.name} {figure(f.psi_excess)}" for f in drifting) or "none"),
        "controls: " + ", ".join(f"{name} {figure(reading[name].psi_excess)}" for name in CONTROLS),
        f"pressure missing {_rate_text(reading['pressure'], 'missing')}",
        f"dest unseen {_rate_text(reading['dest'], 'unseen')}",
    ]
    if progress.left_out:
        parts.append(f"sampled: {progress.sampled:.0%} of the flights left out to keep up")
    if progress.failed:
        parts.append(f"{progress.failed:,} flights not answered")
    return " | ".join(parts)


def describe_month(month: Month) -> str:
    """Return how good the model was in a month as one line of text.

    Parameters
    ----------
    month
        One that is over.

    Returns
    -------
    str
    """
    parts = [
        f"{name} " + ", ".join(f"{s} {score(month.reading.figure(metric, s))}" for s in SOURCES)
        for metric, name in FIGURES.items()
    ]
    return f"{month.label}: " + " | ".join(parts)


def _rate_text(feature: FeatureReading, check: str) -> str:
    score = feature.checks.get(check)
    return "-" if score is None else percent(score.rate)
