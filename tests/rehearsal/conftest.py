"""A history with known faults, and the profile of rows without any."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import modelmeter as mm
from modelmeter.profile.profile import ModelFacts

HOUR = 3600
DAY = 24 * HOUR
START = 1_700_006_400  # 15 November 2023, midnight
DAYS = 6
PER_HOUR = 240
FEATURES = ["a", "b", "city"]


def make_rows(number, seed):
    """Return rows without drift: two numbers and a category."""
    random = np.random.default_rng(seed)
    cities = np.array(["Ulm", "Bonn", "Kiel"], dtype=object)
    return pd.DataFrame(
        {
            "a": random.normal(size=number),
            "b": random.normal(size=number),
            "city": random.choice(cities, number),
        }
    )


def make_history():
    """Return rows of some days, evenly spread, in order, without drift."""
    number = DAYS * 24 * PER_HOUR
    times = START + (np.arange(number) + 0.5) * (HOUR / PER_HOUR)
    return make_rows(number, 1).assign(time=times)


@pytest.fixture(scope="session")
def profile():
    """A profile of features only: rules for performance are most of the work."""
    built = mm.Profile.build(Sign(), make_rows(8000, 0), name="quiet", version="1")
    facts = ModelFacts("test.Encoder", "other")
    return dataclasses.replace(built, model=facts, predictions=())


class Sign:
    """Says whether the first feature is above zero."""

    classes_ = np.array(["no", "yes"], dtype=object)

    def predict(self, X):
        return self.classes_[(X["a"].to_numpy() > 0).astype(int)]
