"""What a value is: missing, a number, a point in time. One rule for cells and columns."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NUMBERS: tuple[type[Any], ...] = (Real, Decimal, np.bool_)
"""Types of numbers, booleans included."""

_MISSING_TYPES = frozenset({"NoneType", "NAType", "NaTType"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def is_missing(value: object) -> bool:
    """Tell whether a value is missing: None, NaN, NaT or ``pd.NA``; never raises.

    Parameters
    ----------
    value
        Anything at all.

    Returns
    -------
    bool
        False for what only claims to differ from itself, such as an array of NaN.
    """
    kind = type(value)
    if kind.__name__ in _MISSING_TYPES:
        return True
    # Not isinstance: it asks the value for its class.
    found: Any = value
    if issubclass(kind, (float, np.floating)):
        return math.isnan(found)
    if issubclass(kind, Decimal):
        return bool(found.is_nan())
    return issubclass(kind, (np.datetime64, np.timedelta64)) and bool(np.isnat(found))


def as_seconds(array: NDArray[Any]) -> Floats:
    """Convert an array of times or durations to seconds (since 1970), NaT to NaN.

    Parameters
    ----------
    array
        Shape (n_rows,), of a ``datetime64`` or ``timedelta64`` type. What is finer than a
        microsecond is cut off.
    """
    result = array.astype(f"{array.dtype.kind}8[us]").astype(np.int64) / 1e6
    result[np.isnat(array)] = np.nan
    return result


def epoch_seconds(value: object) -> float | None:
    """Convert a point in time to seconds since 1970 (UTC where it has no zone).

    Returns
    -------
    float or None
        None when the value is not a point in time.
    """
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        # Through whole microseconds, as arrays are: equal to the last bit.
        return (moment - _EPOCH) // _MICROSECOND / 1e6
    if isinstance(value, date):
        return float((value - _EPOCH.date()).days * 86_400)
    if isinstance(value, np.datetime64):
        return float(as_seconds(np.asarray([value]))[0])
    return None


def as_number(value: object, *, is_time: bool = False) -> float | None:
    """Return the number that a value is compared with edges as, None if it is none.

    Parameters
    ----------
    value
        A number, boolean or duration (in seconds); a point in time where `is_time`. Not
        missing (`is_missing`).
    is_time
        Whether points in time are expected.
    """
    if is_time:
        return epoch_seconds(value)
    if isinstance(value, timedelta):
        return value // _MICROSECOND / 1e6
    if isinstance(value, np.timedelta64):
        return float(as_seconds(np.asarray([value]))[0])
    if not isinstance(value, NUMBERS):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
