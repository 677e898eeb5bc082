"""When an alert fires, given when its expression returned a series: as Prometheus decides it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def episodes(
    active: Sequence[int], *, step: float, hold: float, keep: float, steps: int
) -> Iterator[tuple[int, int | None]]:
    """Yield when an alert fires.

    Parameters
    ----------
    active
        Numbers of the evaluations at which its expression returned the series, increasing.
    step
        Seconds between evaluations.
    hold
        Seconds for which it must have been returned without a break (``for``).
    keep
        Seconds for which it fires on when it no longer is (``keep_firing_for``).
    steps
        How many evaluations there are.

    Yields
    ------
    tuple of (int, int or None)
        The evaluation at which it begins to fire, and the one at which it no longer does;
        None where it fires to the end.

    Examples
    --------
    >>> list(episodes([2, 3, 4, 9], step=60, hold=120, keep=0, steps=20))
    [(4, 5)]
    >>> list(episodes([2, 3, 4, 6, 19], step=60, hold=0, keep=120, steps=20))
    [(2, 9), (19, None)]
    """
    began: int | None = None
    ends = -1
    for first, last in _runs(active):
        if began is not None and first > ends:
            yield began, ends
            began = None
        if began is None:
            fires = first + _steps(hold, step)
            if fires > last:
                continue
            began = fires
        ends = last + 1 + _steps(keep, step)
    if began is not None:
        yield began, ends if ends < steps else None


def _steps(seconds: float, step: float) -> int:
    """Return after how many evaluations so many seconds have passed."""
    return int(-(-round(seconds, 3) // step))


def _runs(active: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of numbers that follow each other."""
    start = before = None
    for number in active:
        if start is None or before is None:
            start = number
        elif number != before + 1:
            yield start, before
            start = number
        before = number
    if start is not None and before is not None:
        yield start, before
