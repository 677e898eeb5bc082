"""Durations as Prometheus writes them: ``30s``, ``1h``, ``1h30m``, ``7d``."""

from __future__ import annotations

import re
from typing import Final

from modelmeter._errors import ConfigurationError

_UNITS: Final = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_PATTERN: Final = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS))


def parse_duration(text: str, *, field: str) -> int:
    """Return a duration in milliseconds.

    Parameters
    ----------
    text
        Such as ``15s`` or ``1h30m``: whole numbers, units from large to small.
    field
        The setting it belongs to, for the error.

    Raises
    ------
    ConfigurationError
        `text` is no duration, or not a positive one.
    """
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    total = 0
    if match:
        pairs = zip(match.groups(), _UNITS.values(), strict=True)
        total = sum(int(number) * size for number, size in pairs if number)
    if not total:
        raise ConfigurationError(
            f"{field} must be a positive Prometheus duration such as '30s', '5m' or '1h', "
            f"not {text!r}"
        )
    return total


def format_duration(milliseconds: int) -> str:
    """Return a duration the way Prometheus reads it.

    Examples
    --------
    >>> format_duration(86_370_000)
    '23h59m30s'
    """
    parts = []
    for unit, size in _UNITS.items():
        # Prometheus itself never writes years and weeks.
        if unit not in ("y", "w") and milliseconds >= size:
            parts.append(f"{milliseconds // size}{unit}")
            milliseconds %= size
    return "".join(parts)
