"""Checks of what comes from outside."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelmeter.live.labels import check_id, class_check, number_check
from modelmeter.live.labels.checks import check_label

NOW = 1_700_000_000.0


@given(st.one_of(st.text(max_size=250), st.integers(), st.floats(), st.none(), st.binary()))
def test_an_id_is_kept_as_it_is_or_refused(value):
    """What is accepted as an id is storable text that means the value; the rest is refused."""
    try:
        kept = check_id(value)
    except ValueError:
        return
    assert kept == str(value)
    assert 1 <= len(kept) <= 200
    assert not any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in kept)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "an id has 1 to 200 characters, not 0"),
        ("x" * 201, "an id has 1 to 200 characters, not 201"),
        ("a\0", "an id has no control characters: 'a\\x00'"),
        ("\ud800", "an id has no lone surrogates (it is not valid Unicode): '\\ud800'"),
        (1.0, "an id is text or a whole number, not 1.0"),
        (True, "an id is text or a whole number, not True"),
        (None, "an id is text or a whole number, not None"),
        (b"a", "an id is text or a whole number, not b'a'"),
        (["a" * 99], f"an id is text or a whole number, not ['{'a' * 55}..."),
    ],
)
def test_an_id_is_refused_with_the_reason(value, reason):
    """The reason says what was expected and echoes what came, shortened."""
    with pytest.raises(ValueError, match="an id") as caught:
        check_id(value)
    assert str(caught.value) == reason


def test_whole_numbers_are_ids():
    """A whole number is its text, unless it is absurd."""
    assert (check_id(np.int64(7)), check_id(-7), check_id(10**18)) == ("7", "-7", str(10**18))
    with pytest.raises(ValueError, match="an id is text or a whole number, not a int"):
        check_id(10**5000)


@pytest.mark.parametrize(
    ("classes", "given", "kept"),
    [
        ([0, 1], [0, np.int64(0), "0", False], "0"),
        ([0, 1], [1, 1.0, "1", True, np.float32(1)], "1"),
        (["no", "yes"], ["yes", np.str_("yes")], "yes"),
        ([False, True], [True, "True", 1, np.bool_(True)], "True"),
        (["0", "1"], ["1", 1, 1.0], "1"),
        ([1.5, 2], [1.5, "1.5"], "1.5"),
        (["other", "a"], ["other", "other (category)"], "other (category)"),
    ],
)
def test_a_class_is_known_in_every_form(classes, given, kept):
    """A class may be given as its value, an equal number or its text; its name is kept."""
    check = class_check(classes)
    assert {check(value) for value in given} == {kept}


@pytest.mark.parametrize("value", [2, -1, "2", "", None, math.nan, [], {}, "yes", b"1", object()])
def test_what_is_no_class_is_refused(value):
    """A value that is no class is refused with the classes and the value."""
    with pytest.raises(ValueError, match="y_true is one of the classes '0', '1', not "):
        class_check([0, 1])(value)


def test_many_classes_are_not_all_listed():
    """The reason names ten classes at most."""
    with pytest.raises(ValueError, match=r"'9', \.\.\., not 12$"):
        class_check(range(12))(12)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_as_text(value):
    """The text of a number gives exactly that number, and -0.0 is 0.0."""
    assert float(number_check(value)) == value
    assert number_check(-value) == number_check(-1 * value)
    assert number_check(-0.0) == "0.0"


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", None, True, 10**400, [1], 1j])
def test_what_is_no_number_is_refused(value):
    """A value that is no finite number is refused with the value."""
    with pytest.raises(ValueError, match="y_true is a finite number, not "):
        number_check(value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, NOW),
        (math.nan, NOW),
        (pd.NaT, NOW),
        (1.5e9, 1.5e9),
        (np.int64(5), 5.0),
        (datetime(2024, 1, 1, tzinfo=UTC), 1704067200.0),
        (datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-5))), 1704085200.0),
        (pd.Timestamp("2024-01-01", tz="UTC"), 1704067200.0),
        ("2024-01-01T00:00:00Z", 1704067200.0),
        ("2024-01-01T01:00:00.5+01:00", 1704067200.5),
    ],
)
def test_a_time_may_be_given_in_several_forms(given, kept):
    """A time is Unix time, a datetime or ISO text with a zone; without one it is now."""
    item = {"prediction_id": "a", "y_true": 1, "time": given}
    assert check_label(item, class_check([0, 1]), NOW) == ("a", "1", kept)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (datetime(2024, 1, 1), "time needs a time zone"),
        ("2024-01-01", "time needs a time zone"),
        ("yesterday", "time is not in ISO form: 'yesterday'"),
        (1.7e12, "time is Unix time in seconds or a datetime"),
        (True, "time is Unix time"),
        (math.inf, "time is Unix time"),
    ],
)
def test_a_time_that_is_none_is_refused(given, reason):
    """A time without a zone, in milliseconds or of nothing is refused."""
    with pytest.raises(ValueError, match=reason):
        check_label({"prediction_id": "a", "y_true": 1, "time": given}, class_check([0, 1]), NOW)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({}, "prediction_id is missing"),
        ({"prediction_id": "a"}, "y_true is missing"),
        ("a", "a label is an object with prediction_id and y_true, not 'a'"),
        (None, "a label is an object"),
    ],
)
def test_an_item_that_is_no_label_is_refused(item, reason):
    """Anything that is not an id with a truth is refused."""
    with pytest.raises(ValueError, match=reason):
        check_label(item, class_check([0, 1]), NOW)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_json_value_breaks_a_check(value):
    """Whatever JSON holds is checked or refused, never an error of another kind."""
    for check in (class_check([0, 1]), class_check(["a"]), number_check):
        for item in ({"prediction_id": value, "y_true": value, "time": value}, value):
            with suppress(ValueError):
                assert json.dumps(check_label(item, check, NOW))
