"""Numbers as JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from modelmeter.report.schema import State
from modelmeter.stats.alarms import State as Known

_STATES: dict[int, State] = {
    Known.OK: "ok",
    Known.DRIFT: "alarm",
    Known.FEW_ROWS: "few_rows",
    Known.FEW_TRAINING_ROWS: "few_training_rows",
}


def number(value: Any) -> float | None:
    """Return a finite number, None for NaN and infinities."""
    found = float(value)
    return found if math.isfinite(found) else None


def numbers(values: Iterable[Any]) -> list[float | None]:
    """Return numbers one by one, see `number`."""
    return [number(value) for value in values]


def moment(value: float | None) -> float | None:
    """Return a point in time; None for 0, which metrics say before the first."""
    return None if value is None or not value > 0 else number(value)


def state_of(value: Any) -> State:
    """Return a state of `modelmeter.stats.alarms` by its name in findings."""
    return _STATES[int(value)]


def ratio(part: float, whole: float) -> float | None:
    """Return a share, None of nothing."""
    return number(part / whole) if whole > 0 else None
