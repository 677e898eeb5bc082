"""The few PromQL phrases that the rules are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from modelmeter import names
from modelmeter.generate.durations import format_duration
from modelmeter.generate.timing import Timing, Window

SMALLEST: Final = "1e-300"
"""Under any count or share, so that ``v * ln(max(v, SMALLEST))`` is 0 at 0 and not NaN."""

_FEATURE: Final = (*names.REFERENCE_VARIATION.labels, "segment")
_BIN: Final = names.FEATURE_BIN.labels
_MODEL: Final = names.LAST_PREDICTION.labels
_SCOPE: Final = (*_MODEL, "segment", "source", "window")


@dataclass(frozen=True)
class Labels:
    """Lists of labels to group by and to match on.

    Parameters
    ----------
    keep
        Labels beyond modelmeter's own that every recorded series keeps, such as
        ``cluster`` and ``namespace``.
    """

    keep: tuple[str, ...] = ()

    def of(self, *labels: str) -> str:
        """Return the kept labels and these, as PromQL lists them."""
        return ", ".join((*self.keep, *labels))

    @cached_property
    def bin(self) -> str:
        """What identifies a bin."""
        return self.of(*_BIN)

    @cached_property
    def feature(self) -> str:
        """What identifies a feature or an output of a model."""
        return self.of(*_FEATURE)

    @cached_property
    def window(self) -> str:
        """What identifies a feature and a window."""
        return self.of(*_FEATURE, "window")

    @cached_property
    def check(self) -> str:
        """What identifies a feature and a data quality check."""
        return self.of(*_FEATURE, "check")

    def model(self, *labels: str) -> str:
        """Return what identifies a model, and these labels."""
        return self.of(*_MODEL, *labels)

    def scope(self, *labels: str) -> str:
        """Return what performance is measured over, and these labels."""
        return self.of(*_SCOPE, *labels)


def many_to_one(labels: str, *taken: str) -> str:
    """Match several series on the left with one on the right: each window with training.

    The result also gets the labels `taken` from the right.
    """
    return f"on ({labels}) group_left ({', '.join(taken)})"


def selector(metric: str, *matchers: str) -> str:
    """Return a metric and what its labels must be.

    Examples
    --------
    >>> selector("up"), selector("up", 'job="api"', 'instance=~"10.*"')
    ('up', 'up{job="api",instance=~"10.*"}')
    """
    return f"{metric}{{{','.join(matchers)}}}" if matchers else metric


def over_window(counter: str, recorded: str, window: Window, timing: Timing) -> str:
    """Return what was counted over a window, by series.

    Parameters
    ----------
    counter
        What a short window reads.
    recorded
        What a long window adds up: the same over its base window, recorded at every
        evaluation. Each row stands in base / interval of these, hence the factor. (An
        average times the number of base windows would scale a series that appeared an
        hour ago up to a day.)
    window, timing
        The window, and how often rules are evaluated.
    """
    if window.base is None:
        return f"increase({counter}[{window.text}])"
    # Half an interval less, so that the number of samples does not depend on whether
    # Prometheus counts the one at the far end (version 2 does, 3 does not).
    reach = format_duration(window.length - timing.evaluation_interval // 2)
    samples = f'sum_over_time({recorded}{{window="{window.base.text}"}}[{reach}])'
    return f"{samples} * {_seconds(timing.evaluation_interval)} / {_seconds(window.base.length)}"


def largest(metric: str, labels: str) -> str:
    """Return what every replica exports alike: the largest, by labels."""
    return f"max by ({labels}) ({metric})"


def remembered(metric: str, labels: str, timing: Timing) -> str:
    """Return what every replica exports alike, for some minutes after the last that did."""
    return largest(f"last_over_time({metric}[{timing.memory}])", labels)


def rise(total: str, window: Window, timing: Timing) -> str:
    """Return by how much a recorded total that never falls has risen over a window.

    Not `increase`: it scales up to the ends of the window, and takes the smallest fall for a
    restart, after which it counts the whole total once more. The largest of several replicas
    does fall by what they differ in, for a moment, when one goes whose scrape was the later.
    """
    # Half an interval more, so that the sample at the far end is the first, whether or not
    # Prometheus counts the end itself (version 2 does, 3 does not).
    reach = format_duration(window.length + timing.evaluation_interval // 2)
    return f"(last_over_time({total}[{timing.memory}]) - min_over_time({total}[{reach}]))"


def rename(expr: str, *, label: str, to: str) -> str:
    """Return an expression whose series have the value of one label under another name too."""
    # The flag: a category may hold line breaks.
    return f'label_replace({expr}, "{to}", "$1", "{label}", "(?s)(.*)")'


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.15g}"


def sum_by(labels: str, expr: str) -> str:
    """Return a sum by labels."""
    return f"sum by ({labels}) ({expr})"


def at_least(expr: str, limit: str) -> str:
    """Return an expression with a lower limit on its value."""
    return f"clamp_min({expr}, {limit})"


def x_log_x(expr: str) -> str:
    """Return ``v ln v``, 0 at 0."""
    return f"{expr} * ln({at_least(expr, SMALLEST)})"


def positions_up_to(position: int) -> str:
    """Return a regular expression for the two-digit positions from 00 to `position`.

    Examples
    --------
    >>> positions_up_to(3), positions_up_to(12), positions_up_to(30)
    ('0[0-3]', '0[0-9]|1[0-2]', '[0-2][0-9]|30')
    """
    tens, ones = divmod(position, 10)
    whole = f"{_digits(tens - 1)}[0-9]|" if tens else ""
    return f"{whole}{tens}{_digits(ones)}"


def _digits(highest: int) -> str:
    return f"[0-{highest}]" if highest else "0"
