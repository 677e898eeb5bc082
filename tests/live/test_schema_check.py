"""Served columns are compared with training's: missing, of another type, extra, reordered."""

from __future__ import annotations

import logging
import threading
from collections import UserDict
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

import modelmeter as mm
from live.test_hostile import FORMS as HOSTILE_FORMS
from live.test_hostile import MATRIX, PROFILE
from modelmeter import names
from modelmeter.live import observer as observer_module
from modelmeter.live.freshness import Freshness
from modelmeter.live.schema_check import NAMED
from serving.counted import series, total

N = 200
TRAIN = pd.DataFrame(
    {
        "temp": np.linspace(-10.0, 30.0, N),
        "hour": np.arange(N) % 24,
        "city": ["Ulm", "Bonn"] * (N // 2),
        "late": [True, False] * (N // 2),
        "when": pd.date_range("2024-01-01", periods=N, freq="h"),
    }
)
PROFILE_OF_FRAME = mm.Profile.build(None, TRAIN, name="frame", version="1")
NUMBERS = np.column_stack([np.linspace(0, 1, N), np.arange(N)])
PROFILE_OF_ARRAY = mm.Profile.build(None, NUMBERS, name="array", version="1")


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that stands still until it is told."""
    clock = SimpleNamespace(now=1_000_000.0)
    monkeypatch.setattr(observer_module, "time", SimpleNamespace(time=lambda: clock.now))
    return clock


@pytest.fixture
def monitor():
    return mm.Monitor(PROFILE_OF_FRAME)


def found(monitor):
    """Return the mismatches counted, by feature and check."""
    assert total(monitor, names.FAILURES) == 0
    return {pair: n for pair, n in series(monitor, names.SCHEMA_MISMATCHES).items() if n}


def checks(monitor):
    return total(monitor, names.SCHEMA_CHECKS)


def found_in(X, profile=PROFILE_OF_FRAME):
    """Return what one look at some rows finds."""
    monitor = mm.Monitor(profile)
    monitor.observe(X)
    assert checks(monitor) == 1
    assert set(found(monitor).values()) <= {1}
    return set(found(monitor))


def objects(frame):
    return frame.astype(object).to_numpy()


# What a frame of several rows becomes in every form of rows.
FRAMES = {
    "pandas": lambda frame: frame,
    "pandas of one row": lambda frame: frame.head(1),
    "polars": pl.from_pandas,
    "polars of one row": lambda frame: pl.from_pandas(frame.head(1)),
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}
DICTS = {
    "dict": lambda frame: frame.iloc[0].to_dict(),
    "mapping": lambda frame: UserDict(frame.iloc[0].to_dict()),
    "few dicts": lambda frame: frame.head(5).to_dict("records"),
    "many dicts": lambda frame: frame.to_dict("records"),
}
BY_PLACE = {
    "array": objects,
    "array of one row": lambda frame: objects(frame)[:1],
    "row of an array": lambda frame: objects(frame)[0],
    "tuple": lambda frame: tuple(objects(frame)[0]),
    "list of tuples": lambda frame: list(map(tuple, objects(frame))),
    "few lists": lambda frame: objects(frame)[:3].tolist(),
}
FORMS = FRAMES | DICTS | BY_PLACE


def test_every_series_is_there_at_zero_from_the_start(monitor):
    """Before any row, each check of each feature is exported, and extra and reordered."""
    by_feature = {(name, check): 0 for name in TRAIN for check in ("missing", "dtype")}
    expected = by_feature | {("", "extra"): 0, ("", "reordered"): 0}
    assert series(monitor, names.SCHEMA_MISMATCHES) == expected
    assert checks(monitor) == 0


@pytest.mark.parametrize("form", FORMS)
def test_rows_as_in_training_do_not_differ(form):
    """Training rows differ from training in no form."""
    assert found_in(FORMS[form](TRAIN)) == set()


@pytest.mark.parametrize("form", FRAMES | DICTS)
def test_a_column_that_is_not_there_is_missing(form):
    """A feature that no row has is missing, and nothing else is said of it."""
    rows = FORMS[form](TRAIN.drop(columns=["hour", "when"]))
    assert found_in(rows) == {("hour", "missing"), ("when", "missing")}


@pytest.mark.parametrize("form", BY_PLACE)
def test_columns_without_names_are_missing_from_the_end(form):
    """Rows that are too short lack the last features."""
    assert found_in(FORMS[form](TRAIN.drop(columns="when"))) == {("when", "missing")}


@pytest.mark.parametrize("form", FORMS)
def test_a_column_too_many_is_extra(form, caplog):
    """A column that is no feature is counted without its name, which is logged."""
    assert found_in(FORMS[form](TRAIN.assign(tail=1.0, id=2.0))) == {("", "extra")}
    expected = "extra: column 5, column 6" if form in BY_PLACE else "extra: tail, id"
    assert caplog.text.count(expected) == 1


@pytest.mark.parametrize("form", FORMS)
def test_only_the_order_of_frames_matters(form):
    """Features in another order are told where columns have both an order and names."""
    found = found_in(FORMS[form](TRAIN[["city", *TRAIN.columns.drop("city")]]))
    if form in BY_PLACE:  # there the types tell
        wrong = ("temp", "city")
        assert found >= {(name, "dtype") for name in wrong}
        assert ("", "reordered") not in found
    else:
        assert found == ({("", "reordered")} if form in FRAMES else set())


def test_columns_between_and_columns_lacking_are_no_other_order():
    """Only the features that are there are compared in order."""
    between = TRAIN.drop(columns="hour")
    between.insert(1, "new", 1.0)
    assert found_in(between) == {("hour", "missing"), ("", "extra")}


def test_a_feature_that_is_there_twice_is_extra():
    """Of two columns with one name the second is one too many."""
    twice = pd.concat([TRAIN, TRAIN[["temp"]]], axis=1)
    assert found_in(twice) == {("", "extra")}


STRANGE = {
    "temp": ["21.5", datetime(2024, 1, 1, tzinfo=UTC), b"1", [1.0], "text"],
    "hour": ["7", datetime(2024, 1, 1, tzinfo=UTC)],
    "city": [3, 1.5, True, datetime(2024, 1, 1, tzinfo=UTC)],
    "late": ["True", "yes", 5, 0.5],
    "when": ["2024-01-01", 1_704_067_200, True],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in STRANGE.items() for value in values]
)
def test_another_type_is_found(form, name, value):
    """Text for a number, a number for text, what is no boolean, what is no time: in any form."""
    if form.startswith("polars") and isinstance(value, list):
        value = "21.5"  # a list is a type of its own there
    column = pd.Series([value] * N, dtype=None if isinstance(value, datetime) else object)
    rows = FORMS[form](TRAIN.assign(**{name: column}))
    assert found_in(rows) == {(name, "dtype")}


HARMLESS = {
    "temp": [3, True, np.float32(1.5), Decimal("1.5"), None, float("nan"), float("inf")],
    "hour": [3.0, 3.5, np.int8(3), None, float("nan")],
    "city": ["Paris", None, float("nan")],
    "late": [1, 0.0, np.bool_(True), None],
    "when": [pd.Timestamp("2030-01-01"), pd.NaT, None],
}


@pytest.mark.parametrize("form", ["pandas", "pandas of one row", "dict", "many dicts", "array"])
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in HARMLESS.items() for value in values]
)
def test_what_means_the_same_is_no_other_type(form, name, value):
    """Whole numbers for fractions, floats for integers, 0 and 1 for booleans, missing values."""
    column = pd.Series([value] * N, dtype=object)
    assert found_in(FORMS[form](TRAIN.assign(**{name: column}))) == set()


def test_pandas_promotion_by_a_missing_value_is_no_other_type():
    """Integers and booleans that pandas turned into floats and objects are still these."""
    promoted = TRAIN.assign(
        hour=TRAIN["hour"].where(TRAIN["hour"] > 3), late=TRAIN["late"].where(TRAIN["hour"] > 3)
    )
    assert promoted["hour"].dtype == float
    assert promoted["late"].dtype == object
    assert found_in(promoted) == set()
    assert found_in(promoted.convert_dtypes()) == set()


def test_a_column_without_values_has_no_type():
    """A text column of floats is no mismatch while all of them are NaN."""
    assert found_in(TRAIN.assign(city=np.nan)) == set()
    assert found_in(pl.from_pandas(TRAIN).with_columns(pl.lit(None).alias("city"))) == set()


def test_categories_are_their_values():
    """A pandas category, a polars one and a pyarrow dictionary of texts are text."""
    as_category = TRAIN.assign(city=TRAIN["city"].astype("category"))
    assert found_in(as_category) == set()
    assert found_in(pl.from_pandas(TRAIN).with_columns(pl.col("city").cast(pl.Categorical))) == (
        set()
    )
    table = pa.Table.from_pandas(as_category, preserve_index=False)
    assert found_in(table) == set()
    codes = TRAIN.assign(city=TRAIN["city"].astype("category").cat.codes)
    assert found_in(codes) == {("city", "dtype")}


def test_the_width_and_the_type_of_arrays():
    """An array is compared by its number of columns and the type of its values."""
    assert found_in(NUMBERS, PROFILE_OF_ARRAY) == set()
    assert found_in(NUMBERS.astype(np.float32), PROFILE_OF_ARRAY) == set()
    assert found_in(NUMBERS[:, :1], PROFILE_OF_ARRAY) == {("x1", "missing")}
    assert found_in(NUMBERS[0, :1], PROFILE_OF_ARRAY) == {("x1", "missing")}
    assert found_in(NUMBERS[:, [0, 1, 1]], PROFILE_OF_ARRAY) == {("", "extra")}
    as_text = {("x0", "dtype"), ("x1", "dtype")}
    assert found_in(NUMBERS.astype(str), PROFILE_OF_ARRAY) == as_text
    assert found_in(NUMBERS.astype("datetime64[s]"), PROFILE_OF_ARRAY) == as_text
    assert found_in(scipy.sparse.csr_matrix(NUMBERS), PROFILE_OF_ARRAY) == set()
    wide = scipy.sparse.csr_matrix(np.ones((3, 4)))
    assert found_in(wide, PROFILE_OF_ARRAY) == {("", "extra")}


def test_a_key_that_some_rows_have_is_there():
    """A field that some of the rows of a call leave out is not a missing column."""
    rows = TRAIN.head(3).to_dict("records")
    del rows[0]["temp"]
    assert found_in(rows) == set()
    assert found_in(rows[:1]) == {("temp", "missing")}
    many = TRAIN.to_dict("records")
    del many[0]["temp"]
    assert found_in(many) == set()


def test_a_feature_without_training_values_takes_any_type():
    """What training never had a value of cannot be of another type."""
    profile = mm.Profile.build(
        None, pd.DataFrame({"a": [np.nan] * 20, "b": range(20)}), name="m", version="1"
    )
    assert found_in({"a": "text", "b": 1}, profile) == set()


def test_at_most_once_a_second(monitor, clock):
    """Rows are looked at once a second, however many calls there are."""
    row = {"temp": "warm", "hour": 1, "city": "Ulm", "late": True}
    for _ in range(100):
        monitor.observe(row)
    clock.now += 0.999
    monitor.observe(row)
    assert checks(monitor) == 1
    clock.now += 0.002
    monitor.observe(row)
    monitor.observe(row)
    assert checks(monitor) == 2
    assert found(monitor) == {("temp", "dtype"): 2, ("when", "missing"): 2}


def test_a_clock_set_back_does_not_stop_the_looking(monitor, clock):
    """After a jump into the past rows are looked at again, and not with every call."""
    for now in (1_000_000.0, 999_000.0, 999_000.0, 998_999.9, 999_001.0):
        clock.now = now
        monitor.observe(TRAIN)
    assert checks(monitor) == 3


def test_a_late_thread_does_not_begin_a_second_twice(monitor):
    """A thread that read the clock just before another began the second looks at nothing."""
    freshness = Freshness(monitor.counts, ("m", "1"), ["temp"])
    assert freshness.look(50.0, [{"temp": 1.0}])
    assert not freshness.look(49.9999, [{"temp": 1.0}])
    assert not freshness.look(50.5, [{"temp": 2.0}])
    assert freshness.look(51.0, [{"temp": 2.0}])


def test_threads_count_one_look_a_second(monitor, clock):
    """Of many threads that observe at one moment, one looks; and one in every second."""

    def next_second():
        clock.now += 1.0

    together = threading.Barrier(8, action=next_second)

    def work():
        for _ in range(50):
            together.wait()
            monitor.observe({"temp": 1.0})
            together.wait(timeout=20)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert checks(monitor) == 50
    assert found(monitor)["hour", "missing"] == 50


def test_each_mismatch_is_logged_once_with_its_name(monitor, clock, caplog):
    """What was logged is not logged again; what is new is, by name and type, without values."""
    caplog.set_level(logging.WARNING, logger="modelmeter")
    bad = TRAIN.assign(temp="secret", more=1.0).drop(columns="hour")
    for _ in range(3):
        monitor.observe(bad)
        clock.now += 1
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert "frame/1" in message
    assert "missing: hour" in message
    assert "temp (str; in training float64)" in message
    assert "extra: more" in message
    assert "secret" not in message
    caplog.clear()
    monitor.observe(bad[["city", *bad.columns.drop("city")]].assign(late="no"))
    (record,) = caplog.records
    assert "late (str; in training boolean)" in record.getMessage()
    assert "in another order: city, temp, late, when, more" in record.getMessage()
    assert "hour" not in record.getMessage()


def test_names_of_strangers_are_no_labels_and_short_in_the_log(monitor, caplog):
    """However many and strange the extra columns, no series is made and the log stays short."""
    before = series(monitor, names.SCHEMA_MISMATCHES).keys()
    row = TRAIN.iloc[0].to_dict() | {f"x{i}" * 1_000: 1 for i in range(1_000)} | {"a\nb": 1, 7: 2}
    monitor.observe(row)
    monitor.observe({1: "a", ("b", 2): 3, None: 4})
    assert series(monitor, names.SCHEMA_MISMATCHES).keys() == before
    assert total(monitor, names.FAILURES) == 0
    (record,) = caplog.records
    assert len(record.getMessage()) < 2_000
    assert "\n" not in record.getMessage()
    assert record.getMessage().count("x1") < NAMED * 20
    assert record.getMessage().endswith("...")


def test_line_breaks_in_names_are_escaped(monitor, caplog):
    """A name cannot begin a line of its own in the log."""
    monitor.observe(TRAIN.iloc[0].to_dict() | {"a\nCRITICAL": 1})
    assert r"extra: 'a\nCRITICAL'" in caplog.records[0].getMessage()


def test_the_request_is_compared_not_the_frame_made_of_it(monitor):
    """A service that observes the request's rows has these compared."""
    frame = TRAIN.head(1)
    with monitor.observing([{"temp": 1.0, "id": 3}]):
        monitor.observe(frame)
    expected = {(name, "missing"): 1 for name in TRAIN.columns.drop("temp")}
    assert found(monitor) == expected | {("", "extra"): 1}


def test_answers_alone_are_not_compared():
    """Answers without rows say nothing of columns, and leave the second to the next rows."""
    X = TRAIN[["temp"]]
    monitor = mm.Monitor(mm.Profile.build(lambda X: X["temp"], X, name="m", version="1"))
    monitor.observe(None, y_pred=[1.0])
    assert checks(monitor) == 0
    monitor.observe({"temp": 1.0}, y_pred=[1.0])
    assert checks(monitor) == 1
    monitor.observe([])
    assert found(monitor) == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("form", HOSTILE_FORMS)
@pytest.mark.parametrize(("value", "kinds"), MATRIX, ids=[repr(m[0])[:20] for m in MATRIX])
def test_hostile_values_are_found_where_the_bins_call_them_invalid(form, value, kinds):
    """Whatever the value and the form, it is counted, compared, and nothing fails."""
    monitor = mm.Monitor(PROFILE)
    for X in HOSTILE_FORMS[form](value):
        monitor.observe(X)
    expected = zip(("number", "text", "flag"), kinds, strict=True)
    assert set(found(monitor)) == {(name, "dtype") for name, kind in expected if kind == "invalid"}


class HostileName(str):
    """A text that will not be shown."""

    def isprintable(self):
        raise RuntimeError("no")


def test_a_failing_comparison_loses_no_row(monitor):
    """Where the comparison itself fails, the rows are counted and the failure is."""
    monitor.observe(TRAIN.iloc[0].to_dict() | {HostileName("x"): 1})
    assert total(monitor, names.PREDICTIONS, outcome="ok") == 1
    assert series(monitor, names.FAILURES) == {("observe",): 0, ("schema",): 1}
