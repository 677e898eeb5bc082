"""Tests of modelmeter.demo.reading."""

import math

import pytest

from modelmeter.demo.reading import FeatureReading, Reading, rate_matters
from modelmeter.stats.rates import RateScore


@pytest.mark.parametrize(
    ("excess", "z", "verdict"),
    [
        (0.2, 30, "drift"),
        (0.2, 4.9, "quiet"),
        (0.049, 30, "small"),
        (-0.01, -1, "quiet"),
        (math.nan, 30, "no data"),
        (0.2, math.nan, "no data"),
    ],
)
def test_verdict_asks_whether_it_is_real_and_matters(excess: float, z: float, verdict: str):
    """Drift is what is real (z) and matters (PSI beyond noise)."""
    assert FeatureReading("feature", "x", 100, excess, z).verdict == verdict


@pytest.mark.parametrize(
    ("score", "matters"),
    [
        (RateScore(0.15, 0.10, 6), True),
        (RateScore(0.05, 0.10, -6), True),
        (RateScore(0.15, 0.10, 4), False),
        (RateScore(0.11, 0.10, 6), False),
        (RateScore(math.nan, 0.10, math.nan), False),
    ],
)
def test_rate_matters_when_real_and_large(score: RateScore, matters: bool):
    """A rate matters when it differs by two points and not by chance, in either direction."""
    assert rate_matters(score) is matters


def test_movers_come_first():
    """Features are ordered by what they moved, those without data last."""
    features = (
        FeatureReading("feature", "still", 10, 0.001, 0),
        FeatureReading("feature", "unknown"),
        FeatureReading("feature", "moved", 10, 3.0, 50),
    )
    reading = Reading(0.0, features)
    assert [f.name for f in reading.movers()] == ["moved", "still", "unknown"]


def test_unknown_feature_has_no_data():
    """Asking for a feature that is not there gives one without data."""
    assert Reading(0.0)["x"].verdict == "no data"
