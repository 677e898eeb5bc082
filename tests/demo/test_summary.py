"""Tests of modelmeter.demo.summary."""

import math
from dataclasses import replace

import pytest

from modelmeter.demo.reading import FeatureReading, Reading
from modelmeter.demo.summary import Month, drift_lines, findings, performance_lines, rate_lines
from modelmeter.stats.rates import RateScore


def feature(name: str, excess: float, **checks: RateScore) -> FeatureReading:
    return FeatureReading("feature", name, 1_000, excess, 100 * excess, checks)


def month(label: str, temp: float, **other: FeatureReading) -> Month:
    features = {
        "temp": feature("temp", temp),
        "dewp": feature("dewp", temp / 2),
        "dest": feature("dest", 0.01, unseen=RateScore(0.007, 0, 20)),
        "pressure": feature("pressure", 0.3, missing=RateScore(temp / 100, 0.11, 9)),
        "hour": feature("hour", 0.003),
        "carrier": feature("carrier", 0.004),
        "origin": feature("origin", 0.001),
    }
    performance = {
        ("accuracy", "estimated"): 0.8 - temp / 1000,
        ("accuracy", "realised"): 0.8 - temp / 500,
        ("accuracy", "training"): 0.78,
        ("roc_auc", "estimated"): 0.7,
        ("roc_auc", "realised"): 0.65,
        ("roc_auc", "training"): 0.69,
    }
    found = tuple((features | other).values())
    reading = Reading(0.0, found, positive=0.05, performance=performance, labelled=0.97)
    return Month(label, reading, 0.2)


def replace_performance(given: Month) -> Month:
    return replace(given, reading=replace(given.reading, performance={}))


YEAR = [month("Apr", 8), month("Jul", 20), month("Dec", 0.3)]


def test_drift_lines_are_sorted_by_peak_with_controls_last():
    """The feature that moved most in any month is first; controls come after everything."""
    lines = drift_lines(YEAR)
    assert [line.label for line in lines] == [
        *("temp", "dewp", "pressure", "dest"),
        *("carrier", "hour", "origin"),
    ]
    assert lines[0].values == (8, 20, 0.3)
    assert lines[0].worth == (True, True, True)
    assert lines[-1].worth == (False, False, False)


def test_rate_lines():
    """Missing and unseen rates, predicted and true late rates stand by month."""
    lines = {line.label: line.values for line in rate_lines(YEAR)}
    assert lines == {
        "pressure missing": (0.08, 0.20, 0.003),
        "dest unseen": (0.007, 0.007, 0.007),
        "predicted late": (0.05, 0.05, 0.05),
        "late in truth": (0.2, 0.2, 0.2),
    }


def test_performance_lines():
    """Estimated and realised figures stand by month, beside training; low ones are marked."""
    lines = {line.label: line for line in performance_lines(YEAR)}
    assert list(lines) == [
        *("accuracy estimated", "accuracy realised", "AUC estimated", "AUC realised"),
        "with a label",
    ]
    realised = lines["accuracy realised"]
    assert realised.before == 0.78
    assert [round(value, 3) for value in realised.values] == [0.784, 0.76, 0.799]
    assert lines["AUC realised"].worth == (True, True, True)
    assert lines["AUC estimated"].worth == (False, False, False)
    assert realised.words(realised.values[1]) == "0.760"


def test_no_labels_are_not_expected():
    """Months without labels say so, and are not called what the data holds."""
    found = findings([replace_performance(one) for one in YEAR])
    assert not found[-1].expected
    assert "no labels arrived" in found[-1].text


def test_everything_as_the_data_has_it():
    """Seasonal drift, quiet controls, unseen destinations, missing pressure, performance."""
    found = findings(YEAR)
    assert [finding.expected for finding in found] == [True] * 5
    assert found[4].text.startswith("Accuracy 0.760 to 0.799 by month (0.780 in training)")
    assert found[0].text.startswith("Drifted most: temp 20.0, dewp 10.0, pressure 0.30 ")
    assert "its peak in Jul" in found[0].text
    assert "up to 0.70%" in found[2].text
    assert "0.30% to 20.0% by month, 11.0% in training" in found[3].text


def test_loud_control_is_not_expected():
    """A control that drifts is reported as what it is."""
    found = findings([month("Apr", 8, hour=feature("hour", 0.4))])
    assert not found[1].expected
    assert found[1].text.startswith("Should have stayed quiet: hour 0.400")


def test_quiet_temperature_is_not_expected():
    """A year without seasons is not New York."""
    assert not findings([month("Apr", 0.0)])[0].expected


def test_months_without_readings():
    """Months in which nothing was measured are no evidence, and no error."""
    found = findings([Month("Apr", Reading(0.0))])
    assert [finding.expected for finding in found] == [False] * 5


@pytest.mark.parametrize("months", [[], [Month("Apr", Reading(0.0))]])
def test_lines_without_readings(months: list[Month]):
    """Nothing measured, there are no drift lines, and rates are unknown."""
    assert drift_lines(months) == []
    rates = [value for line in rate_lines(months)[:3] for value in line.values]
    assert all(math.isnan(value) for value in rates)
