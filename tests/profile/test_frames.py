"""Rows as JSON has them become the frame or the array that a model was fitted on."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression

import modelmeter as mm
from modelmeter.profile.frames import model_input

FRAME = pd.DataFrame(
    {
        "temp": np.linspace(0, 9, 40),
        "hour": np.arange(40) % 24,
        "city": ["Ulm", "Köln"] * 20,
        "kind": pd.Series(["a", "b"] * 20, dtype="category"),
        "vip": [True, False] * 20,
        "when": pd.date_range("2026-01-01", periods=40, freq="h"),
    }
)
PROFILE = mm.Profile.build(None, FRAME, name="m", version="1")
ROW = {
    "temp": 1.5,
    "hour": 3,
    "city": "Ulm",
    "kind": "b",
    "vip": True,
    "when": "2026-01-01T02:00:00+00:00",
}


def frame_model(X):
    return np.zeros(len(X))


@pytest.fixture
def without_pandas(monkeypatch):
    """Hide pandas from who looks for it."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pandas" else found(name)
    )


def test_a_frame_has_the_types_of_training():
    """Columns are in the order of training, of its types, categories and times too."""
    frame = model_input(PROFILE, frame_model, [ROW, {**ROW, "when": datetime(2026, 1, 2)}])
    assert list(frame.columns) == list(FRAME.columns)
    kinds = {name: dtype.kind for name, dtype in frame.dtypes.items()}
    assert kinds == {"temp": "f", "hour": "i", "city": "O", "kind": "O", "vip": "b", "when": "M"}
    assert isinstance(frame["kind"].dtype, pd.CategoricalDtype)
    assert frame["when"].tolist() == [pd.Timestamp("2026-01-01 02:00"), pd.Timestamp("2026-01-02")]


def test_what_is_missing_is_nan():
    """A value left out or null is NaN, for whole numbers, flags, texts and times too."""
    frame = model_input(PROFILE, frame_model, [ROW, {}, dict.fromkeys(ROW)])
    assert frame.isna().to_numpy().tolist() == [[False] * 6, [True] * 6, [True] * 6]
    assert frame["hour"].dtype == np.float64
    assert isinstance(frame["city"][1], float)


def test_a_model_fitted_on_an_array_is_given_one():
    """Without names in the model, the columns are put side by side."""
    X = FRAME[["temp", "hour"]]
    model = LinearRegression().fit(X.to_numpy(), X["temp"])
    profile = mm.Profile.build(model, X.to_numpy(), name="m", version="1")
    found = model_input(profile, model, [{"x0": 1.5, "x1": 2}, {"x0": 3}])
    assert np.array_equal(found, [[1.5, 2], [3, np.nan]], equal_nan=True)


def test_polars_stands_in_for_pandas(without_pandas):
    """Without pandas it is a polars frame, whose missing values are nulls."""
    frame = model_input(PROFILE, frame_model, [ROW, {}])
    assert frame.row(0) == (1.5, 3, "Ulm", "b", True, datetime(2026, 1, 1, 2))
    assert frame.row(1) == (None,) * 6
    assert frame.schema["kind"] == pl.Categorical
    assert frame.schema["hour"] == pl.Float64
    nothing = model_input(PROFILE, frame_model, [{}])
    assert nothing.schema == frame.schema


@pytest.mark.parametrize("moment", ["2026-01-01T02:00", "2026-01-01T02:00Z", "2026-01-01 02:00+05"])
def test_a_zone_is_dropped(moment):
    """A time is taken as it reads, with a zone or without, as text or not."""
    expected = pd.Timestamp("2026-01-01 02:00")
    for value in (moment, datetime.fromisoformat(moment)):
        assert model_input(PROFILE, frame_model, [{"when": value}])["when"][0] == expected


def test_times_of_utc_are_taken_as_they_read():
    """A datetime in UTC is the naive one."""
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    frame = model_input(PROFILE, frame_model, [{"when": moment}])
    assert frame["when"][0] == pd.Timestamp("2026-03-01")
