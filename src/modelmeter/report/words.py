"""Numbers, durations and lists as a reader takes them in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_LONGEST: Final = 60


def percent(share: float | None) -> str:
    """Say a share.

    Examples
    --------
    >>> percent(0.061), percent(0.0042), percent(0.00001), percent(0.0), percent(None)
    ('6 %', '0.4 %', 'under 0.1 %', '0 %', 'unknown')
    """
    if share is None:
        return "unknown"
    points = 100 * share
    if 0 < points < 0.1:
        return "under 0.1 %"
    if 99.9 < points < 100:
        return "over 99.9 %"
    return f"{points:.1f} %" if 0 < points < 1 or 99 < points < 100 else f"{points:.0f} %"


def count(rows: float) -> str:
    """Say a number of rows.

    Examples
    --------
    >>> count(1234567.2), count(0)
    ('1,234,567', '0')
    """
    return f"{rows:,.0f}"


def figure(value: float | None) -> str:
    """Say a number in three digits.

    Examples
    --------
    >>> figure(0.84321), figure(12345.6), figure(0.000012), figure(None)
    ('0.843', '12,346', '1.2e-05', 'unknown')
    """
    if value is None:
        return "unknown"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """Say how long, in one unit.

    Examples
    --------
    >>> duration(86400), duration(5400), duration(90), duration(7), duration(0.0095)
    ('1 d', '1.5 h', '1.5 min', '7 s', '9.5 ms')
    """
    for unit, name in _UNITS:
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{1000 * seconds:.3g} ms"


def shortened(name: str) -> str:
    """Return a name that fits into a sentence, on one line."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def listed(words: Sequence[str], *, most: int = 3) -> str:
    """Join words, the first few.

    Examples
    --------
    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b, c and 2 more')
    """
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
