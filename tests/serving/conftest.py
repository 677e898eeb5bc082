"""A small real model and its data, shared by the serving tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import modelmeter as mm


@pytest.fixture(scope="session")
def flights():
    """A frame like the flights': numbers (some missing), whole numbers, text, flags."""
    random = np.random.default_rng(7)
    n = 2_000
    frame = pd.DataFrame(
        {
            "temp": random.normal(50, 15, n),
            "hour": random.integers(5, 23, n),
            "origin": random.choice(["JFK", "LGA", "EWR"], n),
            "weekend": random.random(n) < 0.3,
        }
    )
    frame.loc[::10, "temp"] = np.nan
    return frame


@pytest.fixture(scope="session")
def late(flights):
    """Whether a flight was late: more often in the evening."""
    noise = np.random.default_rng(8).normal(0, 4, len(flights))
    return (flights["hour"] + noise > 15).astype(int)


@pytest.fixture(scope="session")
def model(flights, late):
    """A fitted pipeline with an imputer and an encoder."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_pipeline(
        make_column_transformer(
            (numbers, ["temp", "hour"]),
            (OneHotEncoder(handle_unknown="ignore"), ["origin", "weekend"]),
        ),
        LogisticRegression(),
    ).fit(flights, late)


@pytest.fixture(scope="session")
def profile(model, flights, late):
    """The profile of the model's training data."""
    return mm.Profile.build(model, flights, late, name="flights", version="3")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Run every test in a folder of its own: label stores are made in the working directory."""
    monkeypatch.chdir(tmp_path)
