"""Counts by the profile's bins, from families of any origin."""

from __future__ import annotations

import pytest

from modelmeter import names
from modelmeter.report.counts import observed
from report.example import MODEL, family


def test_other_models_do_not_count(profile):
    """Series of another version or model, and of bins that the profile lacks, are left out."""
    key = ("feature", "weekend", "category", "", "True")
    rows = family(
        names.FEATURE_BIN,
        {
            (*MODEL, *key, ""): 5,
            (MODEL[0], "8", *key, ""): 7,
            ("other", MODEL[1], *key, ""): 9,
            (*MODEL, "feature", "weekend", "category", "", "Maybe", ""): 11,
        },
    )
    absent = family(names.FEATURE_ABSENT, {(*MODEL, "temp"): 3, (*MODEL, "gone"): 4})
    found = observed(profile, [rows, absent], kind="process")
    assert found.bins["feature", "weekend", ""].sum() == 5
    assert found.absent["temp"] == 3
    assert "gone" not in found.absent


def test_stores_of_labels_are_added_up(profile):
    """Labels of one model in two stores are different labels."""
    cells = {(*MODEL, store, "", "late", "late"): n for store, n in (("a", 4), ("b", 6))}
    found = observed(profile, [family(names.CONFUSION, cells)], kind="process")
    assert found.labelled.confusion[""].tolist() == [[0, 0], [0, 10]]


@pytest.mark.parametrize(
    ("since", "until", "seconds"), [(None, 5.0, None), (5.0, 65.0, 60.0), (9.0, 5.0, 0.0)]
)
def test_the_length_of_a_window(profile, since, until, seconds):
    """It is known where both ends are, and a clock that was set back makes none negative."""
    found = observed(profile, [], kind="process", since=since, until=until)
    assert found.seconds == seconds
