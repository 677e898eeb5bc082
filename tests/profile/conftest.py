"""Training data of every type, and what makes two profiles say the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modelmeter.profile import files, sources

ROWS = 1_500


@pytest.fixture(scope="session")
def frame():
    """Return columns of every type that can be profiled, with and without missing values."""
    random = np.random.default_rng(0)

    def holes(values, share=0.05):
        series = pd.Series(values, dtype=object)
        return series.mask(random.random(ROWS) < share, None)

    start = pd.Timestamp("2013-01-01")
    minutes = pd.to_timedelta(np.sort(random.integers(0, 40_000, ROWS)), unit="min")
    return pd.DataFrame(
        {
            "temp": holes(random.normal(10, 8, ROWS).round(3)).astype(float),
            "hour": random.integers(0, 24, ROWS),
            "stops": holes(random.integers(0, 3, ROWS)).astype(float),
            "fee": np.where(random.random(ROWS) < 0.6, 0.0, random.lognormal(3, 1, ROWS).round(2)),
            "origin": random.choice(["JFK", "LGA", "EWR"], ROWS, p=[0.5, 0.49, 0.01]),
            "tail": holes(random.choice([f"N{i:03d}" for i in range(300)], ROWS)),
            "late": random.random(ROWS) < 0.2,
            "vip": holes(random.random(ROWS) < 0.5),
            "when": start + minutes,
            "zoned": (start + minutes).tz_localize("UTC"),
            "year": 2013,
            "gone": np.nan,
        }
    )


@pytest.fixture
def small_batches(monkeypatch):
    """Read data in batches of 100 rows."""
    monkeypatch.setattr(sources, "BATCH_ROWS", 100)
    monkeypatch.setattr(files, "BATCH_ROWS", 100)
    monkeypatch.setattr(files, "_CSV_BLOCK", 4_096)


def counted(profile):
    """Return what a profile counted: bins and rows of every feature and output."""
    everything = (*profile.features, *profile.predictions, profile.target)
    return {f.name: (f.kind, f.bins, f.counts) for f in everything if f is not None}


def assert_same(profile, expected):
    """Two profiles count the same in the same bins, and measure the same up to rounding."""
    assert counted(profile) == counted(expected)
    for mine, theirs in zip(profile.features, expected.features, strict=True):
        for what in ("min", "max", "mean", "std", "quantiles", "centers"):
            assert getattr(mine, what) == pytest.approx(getattr(theirs, what), nan_ok=True), what


@pytest.fixture(name="assert_same")
def assert_same_fixture():
    """Return the comparison of two profiles."""
    return assert_same


@pytest.fixture(name="counted")
def counted_fixture():
    """Return what tells the counts of a profile."""
    return counted
