"""Hostile and strange values: no series, no exception, no wrong count. A matrix."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest

import modelmeter as mm
from modelmeter import names
from modelmeter.live.counts import merged

TRAIN = pd.DataFrame(
    {"number": np.arange(100.0), "text": ["a", "b"] * 50, "flag": [True, False] * 50}
)
PROFILE = mm.Profile.build(None, TRAIN, name="m", version="1")


class Hostile:
    """An object whose every comparison raises."""

    def __eq__(self, other):
        raise RuntimeError("no")

    def __ne__(self, other):
        raise RuntimeError("no")

    def __hash__(self):
        raise RuntimeError("no")

    def __bool__(self):
        raise RuntimeError("no")


# value: (bin of the number, of the text, of the flag)
MATRIX = [
    (50.0, ("interval", "invalid", "invalid")),
    (50, ("interval", "invalid", "invalid")),
    (True, ("interval", "invalid", "category")),
    (None, ("missing", "missing", "missing")),
    (math.nan, ("missing", "missing", "missing")),
    (pd.NA, ("missing", "missing", "missing")),
    (pd.NaT, ("missing", "missing", "missing")),
    (math.inf, ("above", "invalid", "invalid")),
    (-math.inf, ("below", "invalid", "invalid")),
    (10**400, ("above", "invalid", "invalid")),
    ("a", ("invalid", "category", "invalid")),
    ("12", ("invalid", "unseen", "invalid")),
    ("", ("invalid", "unseen", "invalid")),
    ("x" * 1_000_000, ("invalid", "unseen", "invalid")),
    ('"}\n# HELP', ("invalid", "unseen", "invalid")),
    ("\ud800", ("invalid", "unseen", "invalid")),
    (b"a", ("invalid", "invalid", "invalid")),
    ([1, [2]], ("invalid", "invalid", "invalid")),
    ({"a": 1}, ("invalid", "invalid", "invalid")),
    (np.array([1.0, 2.0]), ("invalid", "invalid", "invalid")),
    (1j, ("invalid", "invalid", "invalid")),
    (Hostile(), ("invalid", "invalid", "invalid")),
]


def of(monitor, metric):
    for found in merged([monitor.counts]):
        if found.metric is metric:
            return found
    raise AssertionError(metric)


def kinds(monitor):
    """Kinds of the bins that hold rows, by feature, with the rows."""
    found = of(monitor, names.FEATURE_BIN)
    counted = {}
    for row, value in zip(found.rows, found.values, strict=True):
        if value:
            by_kind = counted.setdefault(row[3], {})
            by_kind[row[4]] = by_kind.get(row[4], 0) + value
    return counted


def objects(value, rows):
    column = np.empty(rows, dtype=object)
    for i in range(rows):
        column[i] = value
    return column


def frame_of(value, rows):
    return pd.DataFrame({name: pd.Series(objects(value, rows), dtype=object) for name in TRAIN})


def opaque(value):
    return pl.Series([value] * 40, dtype=pl.Object)


FORMS = {
    "dict": lambda value: [dict.fromkeys(TRAIN, value)] * 3,
    "few dicts": lambda value: [[dict.fromkeys(TRAIN, value)] * 3],
    "many dicts": lambda value: [[dict.fromkeys(TRAIN, value)] * 99],
    "frame of one row": lambda value: [frame_of(value, 1)] * 3,
    "frame": lambda value: [frame_of(value, 40)],
    "array": lambda value: [np.column_stack([objects(value, 40)] * 3)],
    "polars": lambda value: [pl.DataFrame(dict.fromkeys(TRAIN, opaque(value)))],
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("value", "expected"), MATRIX, ids=[repr(m[0])[:20] for m in MATRIX])
def test_the_matrix(form, value, expected):
    """A value in every column, in every form, is counted in just the bin it belongs to."""
    monitor = mm.Monitor(PROFILE)
    before = [found.rows for found in merged([monitor.counts])]
    size = {"many dicts": 99, "frame": 40, "array": 40, "polars": 40}.get(form, 3)
    for X in FORMS[form](value):
        monitor.observe(X)
    assert [found.rows for found in merged([monitor.counts])] == before
    assert not of(monitor, names.FAILURES).values.any()
    assert kinds(monitor) == {
        name: {kind: size} for name, kind in zip(TRAIN, expected, strict=True)
    }


def test_column_order_and_extra_and_duplicate_columns():
    """Columns are taken by name; extra ones are ignored, of two alike the last counts."""
    monitor = mm.Monitor(PROFILE)
    for rows in (TRAIN.iloc[[0]], TRAIN):
        swapped = rows[["flag", "text", "number"]].assign(extra="new")
        monitor.observe(swapped)
        twice = pd.concat([rows.assign(number=-1.0), rows[["number"]]], axis=1)
        monitor.observe(twice)
    assert kinds(monitor)["number"] == {"interval": 202}
    assert kinds(monitor)["text"] == {"category": 202}
    assert not of(monitor, names.FAILURES).values.any()


@pytest.mark.parametrize("X", [[], TRAIN[:0], np.empty((0, 3)), pl.from_pandas(TRAIN)[:0]])
def test_no_rows_count_nothing(X):
    """Zero rows are no failure and no prediction."""
    monitor = mm.Monitor(PROFILE)
    monitor.observe(X)
    assert not of(monitor, names.PREDICTIONS).values.any()
    assert not of(monitor, names.FAILURES).values.any()
