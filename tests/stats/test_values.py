"""What a value is, told without ever raising."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from modelmeter.stats.values import as_number, as_seconds, epoch_seconds, is_missing


class Mock:
    """Says yes to everything."""

    def __ne__(self, other):
        return True

    __hash__ = None


@pytest.mark.parametrize("value", [0, "", False, [], "nan", "None", math.inf, Mock(), np.nan * 1j])
def test_not_missing(value):
    """Only None, NaN, NaT and pd.NA are missing, not what differs from itself."""
    assert not is_missing(value)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_arrays_are_not_missing(size):
    """An array is not missing, one of a single NaN neither."""
    assert not is_missing(np.full(size, np.nan))


def test_epoch_seconds():
    """A moment is its seconds since 1970, in UTC where it has no zone."""
    assert epoch_seconds(datetime(1970, 1, 2)) == 86_400.0
    assert epoch_seconds(datetime(1970, 1, 1, 0, 0, 0, 5, UTC)) == 5e-6
    assert epoch_seconds(date(1969, 12, 31)) == -86_400.0
    assert epoch_seconds(np.datetime64("1970-01-01T00:00:01.5")) == 1.5
    assert epoch_seconds(pd.Timestamp(1_999, unit="ns", tz="Europe/Paris")) == 1e-6
    assert epoch_seconds(datetime.max) == as_seconds(np.asarray([datetime.max], "M8[us]"))[0]
    assert epoch_seconds("1970-01-02") is None
    assert epoch_seconds(86_400) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3.0),
        (True, 1.0),
        (np.bool_(True), 1.0),
        (Decimal("1.5"), 1.5),
        (Fraction(1, 4), 0.25),
        (np.int8(-3), -3.0),
        (timedelta(minutes=1), 60.0),
        (np.timedelta64(1, "m"), 60.0),
        (pd.Timedelta(1.5, unit="s"), 1.5),
        (10**400, math.inf),
        (-(10**400), -math.inf),
        (Decimal("1e999"), math.inf),
        ("3", None),
        (b"3", None),
        (3j, None),
        (datetime(1970, 1, 1), None),
    ],
)
def test_as_number(value, number):
    """Numbers, booleans and durations are numbers; texts of numbers are not."""
    assert as_number(value) == number


def test_as_seconds():
    """Arrays of times and durations become seconds, NaT NaN."""
    times = np.asarray(["1970-01-01", "NaT", "1969-12-31T23:59:59.9999995"], dtype="M8[ns]")
    assert as_seconds(times).tolist()[::2] == [0.0, -1e-6]
    assert math.isnan(as_seconds(times)[1])
    assert as_seconds(np.asarray([90], dtype="m8[m]")).tolist() == [5400.0]
    assert as_seconds(np.empty(0, dtype="M8[D]")).tolist() == []
