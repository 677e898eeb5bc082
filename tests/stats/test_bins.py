"""A value falls into the same bin alone, in a column, and in parts of a column."""

from __future__ import annotations

import math
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelmeter.profile.columns import as_objects, count_array, place_array
from modelmeter.stats.bins import MAX_INTERVALS, Bin, CategoricalBins, NumericBins, count_each
from modelmeter.stats.edges import quantile_edges
from stats.strategies import EDGES, FINITE, NUMBERS, STRANGERS, Rude, Secretive

patient = settings(deadline=None, max_examples=100)

CATEGORIES = ("JFK", "LGA", "", "missing", "é" * 80)


def counts_of(bins, values):
    """Count with nothing but `index`."""
    found = Counter(bins.index(value) for value in values)
    return [found[i] for i in range(len(bins.bins))]


@patient
@given(EDGES, st.lists(st.one_of(NUMBERS, STRANGERS), max_size=40))
def test_numbers_alone_and_in_a_column(edges, values):
    """Whatever the values, a column's counts are those of its values one by one."""
    bins = NumericBins(edges)
    expected = counts_of(bins, values)
    assert sum(expected) == len(values)
    assert count_array(bins, as_objects(values)).tolist() == expected
    assert count_each(bins, values).tolist() == expected


@patient
@given(
    EDGES,
    st.lists(st.one_of(FINITE, st.just(math.nan), st.just(math.inf), st.just(-math.inf))),
    st.sampled_from([np.float64, np.float32]),
)
def test_floats_as_an_array(edges, values, dtype):
    """An array of floats is counted, and placed, as its values are one by one."""
    with np.errstate(over="ignore"):
        column = np.asarray(values, dtype=dtype)
    bins = NumericBins(edges)
    expected = counts_of(bins, column.tolist())
    assert count_array(bins, column).tolist() == expected
    assert np.bincount(place_array(bins, column), minlength=len(expected)).tolist() == expected


@patient
@given(EDGES, st.lists(st.integers(-(2**63), 2**63 - 1)))
@example((0.0, 2.0**53 + 4, 2.0**60), [2**53 + 3, 2**53 + 2, 2**53 + 5])
def test_integers_as_an_array(edges, values):
    """Integers beyond the precision of floats fall into one bin alone and in an array."""
    bins = NumericBins(edges)
    column = np.asarray(values, dtype=np.int64)
    assert count_array(bins, column).tolist() == counts_of(bins, values)


@pytest.mark.parametrize("rows", [0, 1, 1_024, 1_025, 4_096, 4_097, 32_768, 32_769, 70_000])
def test_short_and_long_columns(rows):
    """A long column, counted block by block, gives numpy's own histogram."""
    random = np.random.default_rng(rows)
    values = random.normal(size=rows)
    values[random.random(rows) < 0.1] = np.nan
    edges = (-1.0, -0.25, 0.0, 0.5, 2.0)
    counts = NumericBins(edges).count(values)
    inner, _ = np.histogram(values[values < 2.0], edges)
    assert counts[1:5].tolist() == inner.tolist()
    assert counts[0] == np.count_nonzero(values < -1.0)
    assert counts[5] == np.count_nonzero(values >= 2.0)
    assert counts[6] == np.count_nonzero(np.isnan(values))
    assert counts.tolist() == count_each(NumericBins(edges), values.tolist()).tolist()


@settings(deadline=None, max_examples=30)
@given(EDGES, st.data(), st.sampled_from([3, 1_500, 5_000, 40_000]), st.booleans())
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "u8", "i1", "?"])
def test_every_way_to_count_and_place_agrees(dtype, edges, data, rows, spread):
    """Searched, sorted or compared, side by side in memory or not: the bins are the same."""
    near = [edge for middle in edges for edge in (middle, np.nextafter(middle, -np.inf))]
    values = st.sampled_from([*near, math.nan, math.inf, -math.inf, -0.0, 0.0, 2.0**53 + 2])
    if dtype[0] in "iu":
        info = np.iinfo(dtype)
        values = st.one_of(st.integers(int(info.min), int(info.max)), st.just(int(info.max)))
    few = data.draw(st.lists(values, min_size=1, max_size=20))
    with np.errstate(over="ignore"):
        few = np.asarray(few, dtype=dtype)
    column = np.resize(few, (rows, 3))[:, 1] if spread else np.resize(few, rows)
    bins = NumericBins(edges)
    one_by_one = {i: bins.index(value) for i, value in enumerate(few.tolist())}
    expected = [one_by_one[(3 * i + 1 if spread else i) % len(few)] for i in range(rows)]
    assert place_array(bins, column).tolist() == expected
    size = len(bins.bins)
    assert count_array(bins, column).tolist() == np.bincount(expected, minlength=size).tolist()


@pytest.mark.parametrize("dtype", ["i8", "u1", "?"])
@pytest.mark.parametrize("rows", [50, 5_000])
def test_whole_numbers_as_categories(dtype, rows):
    """Many whole numbers, counted by sorting, are counted as each alone."""
    column = np.random.default_rng(0).integers(0, 2 if dtype == "?" else 9, rows).astype(dtype)
    for bins in (CategoricalBins((1, 2, 7), "int"), CategoricalBins((True,), "bool")):
        assert count_array(bins, column).tolist() == counts_of(bins, column.tolist())


OBJECTS = ["a", "b", None, math.nan, pd.NA, 1, 1.0, True, np.str_("a"), b"a", [1], (1, 2)]


@pytest.mark.parametrize("late", [[], ["late", "b", [1]], [f"user {i}" for i in range(99)]])
@pytest.mark.parametrize("head", [OBJECTS, [f"user {i}" for i in range(99)]], ids=["few", "many"])
@pytest.mark.parametrize("step", [1, 2])
def test_long_columns_of_objects(late, head, step):
    """Objects that come often, or late, or once, are counted as each alone; slices too."""
    values = [*head * 800, *late * 40_000][: 70_000 if late else None]
    column = np.repeat(as_objects(values), step)[::step]
    for bins in (CategoricalBins(("a", "b", "user 7"), "str"), CategoricalBins((1, 2), "int")):
        assert count_array(bins, column).tolist() == counts_of(bins, values)


@patient
@given(EDGES, st.lists(FINITE, max_size=60), st.integers(0, 60))
def test_parts_add_up(edges, values, cut):
    """Counts of two parts of a column add up to those of the whole."""
    bins = NumericBins(edges)
    column = np.asarray(values, dtype=np.float64)
    parts = bins.count(column[:cut]) + bins.count(column[cut:])
    assert parts.tolist() == bins.count(column).tolist()


@patient
@given(
    st.lists(st.one_of(st.text(max_size=3), st.sampled_from(CATEGORIES), STRANGERS, NUMBERS)),
    st.booleans(),
)
def test_texts_alone_and_in_a_column(values, open_ended):
    """A column of anything is counted in text categories as its values are one by one."""
    bins = CategoricalBins(CATEGORIES, "str", open_ended=open_ended)
    expected = counts_of(bins, values)
    assert sum(expected) == len(values)
    assert count_array(bins, as_objects(values)).tolist() == expected


@patient
@given(
    st.lists(
        st.one_of(st.integers(-3, 9), st.floats(-3, 9), st.booleans(), st.decimals(-3, 9, places=1))
    ),
    st.sampled_from(["int", "float", "bool"]),
)
def test_number_categories_alone_and_in_a_column(values, value_type):
    """Equal numbers of different types are one category, alone and in a column."""
    categories = (False, True) if value_type == "bool" else (1, 2, 3)
    known = frozenset() if value_type == "bool" else frozenset(map(hash_of, (7, 8)))
    bins = CategoricalBins(categories, value_type, known)
    assert count_array(bins, as_objects(values)).tolist() == counts_of(bins, values)


def hash_of(value):
    from modelmeter.stats.labels import hash_category

    return hash_category(value)


ZONES = st.sampled_from(
    [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=9))]
)
MOMENTS = st.datetimes(timezones=st.one_of(st.none(), ZONES))


@patient
@given(st.lists(MOMENTS, max_size=20), EDGES)
def test_moments_in_every_shape(moments, edges):
    """A moment falls into one bin as a datetime, in UTC, as numpy's, and in an array."""
    bins = NumericBins(tuple(edge * 1e-90 for edge in edges), is_time=True)
    expected = counts_of(bins, moments)
    naive = [
        m if m.tzinfo is None else m.astimezone(UTC).replace(tzinfo=None)
        for m in moments
        if m.tzinfo is None or 2 < m.year < 9998
    ]
    assert count_array(bins, as_objects(moments)).tolist() == expected
    array = np.asarray(naive, dtype="datetime64[us]")
    assert count_array(bins, array).tolist() == counts_of(bins, naive)
    assert counts_of(bins, list(array)) == counts_of(bins, naive)


@patient
@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=20))
def test_nanoseconds(numbers):
    """What is finer than a microsecond is cut off alike for cells and columns, before 1970 too."""
    array = np.asarray(numbers, dtype="datetime64[ns]")
    bins = NumericBins(
        quantile_edges(np.sort(array.astype("M8[us]").astype(np.int64) / 1e6), 4), is_time=True
    )
    expected = count_array(bins, array).tolist()
    assert counts_of(bins, list(array)) == expected
    assert counts_of(bins, list(pd.DatetimeIndex(array))) == expected
    assert (
        counts_of(bins, list(pd.DatetimeIndex(array, tz="UTC").tz_convert("Asia/Tokyo")))
        == expected
    )


def test_dates():
    """A date is its midnight in UTC."""
    bins = NumericBins((0.0, 86_400.0, 172_800.0), is_time=True)
    assert bins.index(date(1970, 1, 2)) == bins.index(datetime(1970, 1, 2)) == 2
    assert bins.index(datetime(1970, 1, 1, 23, 59, 59, 999_999, UTC)) == 1


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_columns_of_moments(library, zone):
    """Columns of moments with and without a zone count as their moments do."""
    moments = pd.date_range("2013-01-01", periods=48, freq="37min", tz=zone)
    column = {
        "pandas": lambda: pd.Series(moments),
        "polars": lambda: pl.from_pandas(pd.Series(moments)),
        "pyarrow": lambda: pa.chunked_array([pa.Array.from_pandas(pd.Series(moments))]),
    }[library]()
    edges = tuple(1357000000.0 + 7200 * i for i in range(12))
    bins = NumericBins(edges, is_time=True)
    array = np.asarray(column.to_numpy())
    assert count_array(bins, array).tolist() == counts_of(bins, moments.to_pydatetime())


@patient
@given(st.lists(st.timedeltas(), max_size=20))
def test_durations(durations):
    """A duration is its seconds, alone and in an array."""
    bins = NumericBins((-86_400.0, 0.0, 1e-6, 3600.0, 1e10))
    kept = [d for d in durations if abs(d) < timedelta(days=10**8)]
    array = np.asarray(kept, dtype="timedelta64[us]")
    assert (
        count_array(bins, array).tolist() == counts_of(bins, kept) == counts_of(bins, list(array))
    )


@pytest.mark.parametrize(
    "value",
    [None, math.nan, np.nan, np.float32("nan"), pd.NA, pd.NaT, Decimal("NaN"), Decimal("sNaN"),
     np.datetime64("NaT"), np.timedelta64("NaT")],
)  # fmt: skip
def test_missing(value):
    """Every way to say that a value is missing means `missing`, in every kind of bins."""
    for bins in (
        NumericBins((0.0, 1.0)),
        NumericBins((0.0, 1.0), is_time=True),
        NumericBins(()),
        CategoricalBins(CATEGORIES, "str"),
        CategoricalBins((1, 2), "int"),
        CategoricalBins((False, True), "bool"),
    ):
        assert bins.bins[bins.index(value)].kind == "missing"
        assert count_array(bins, as_objects([value]))[bins.missing] == 1


@pytest.mark.parametrize(
    "value",
    ["12.5", "", b"1", [1.0], (1,), {}, {1}, 1j, np.array([1.0]), np.array([math.nan]), Rude(),
     object(), datetime(2020, 1, 1), np.datetime64("2020-01-01"), "\ud800"],
)  # fmt: skip
def test_invalid_numbers(value):
    """What is no number is `invalid` where numbers are expected, a number as text included."""
    bins = NumericBins((0.0, 1.0))
    assert bins.index(value) == bins.invalid
    assert count_array(bins, as_objects([value]))[bins.invalid] == 1


@pytest.mark.parametrize(
    "value", [1, 1.5, True, b"JFK", ["JFK"], {}, Rude(), object(), Decimal(1), datetime(2020, 1, 1)]
)
def test_invalid_texts(value):
    """What is no text is `invalid` where texts are expected."""
    bins = CategoricalBins(CATEGORIES, "str", open_ended=True)
    assert bins.index(value) == bins.invalid
    assert count_array(bins, as_objects([value, value]))[bins.invalid] == 2


@pytest.mark.parametrize(
    "value", [1, 1.5, "2020-01-01", True, timedelta(1), np.timedelta64(1, "D")]
)
def test_invalid_moments(value):
    """What is no point in time is `invalid` where times are expected."""
    bins = NumericBins((0.0, 1.0), is_time=True)
    assert bins.index(value) == bins.invalid
    assert count_array(bins, np.asarray([value]))[bins.invalid] == 1


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "timedelta64[ns]"])
@pytest.mark.parametrize("value_type", ["str", "int", "float"])
def test_times_are_no_categories(dtype, value_type):
    """Times in a column of categories are `invalid`, though a list of them is of integers."""
    bins = CategoricalBins(("a",) if value_type == "str" else (5,), value_type)
    column = np.asarray([5, 6, -(2**63)]).astype(dtype)
    counts = count_array(bins, column)
    assert (counts[bins.invalid], counts[bins.missing]) == (2, 1)


def test_a_value_without_a_class():
    """A value that refuses to say its class is `invalid`."""
    for bins in (NumericBins((0.0, 1.0)), CategoricalBins(("a",), "str")):
        assert bins.index(Secretive()) == bins.invalid
        assert count_array(bins, as_objects([Secretive()]))[bins.invalid] == 1


def test_edges_are_half_open():
    """An edge belongs to the interval that it starts, and zero has no sign."""
    bins = NumericBins((-1.0, 0.0, 1.0))
    assert [bins.index(v) for v in (-1.0, -0.0, 0.0, 0, 1.0, math.nextafter(1, 0))] == [
        1,
        2,
        2,
        2,
        3,
        2,
    ]
    assert [bins.index(v) for v in (-1.1, -math.inf, 1e300, math.inf, 10**400, -(10**400))] == [
        0, 0, 3, 3, 3, 0,
    ]  # fmt: skip
    assert bins.index(Fraction(10**400)) == 3
    assert bins.index(sys.float_info.max) == 3


def test_numeric_bins():
    """Numeric bins are below, intervals, above, missing and invalid, with two-digit positions."""
    assert NumericBins((0.0, 1.5, 2.0)).bins == (
        Bin("below", "00", "below"),
        Bin("interval", "01", "[0, 1.5)"),
        Bin("interval", "02", "[1.5, 2]"),
        Bin("above", "03", "above"),
        Bin("missing", "", "missing"),
        Bin("invalid", "", "invalid"),
    )
    most = NumericBins(tuple(map(float, range(MAX_INTERVALS + 1)))).bins
    assert max(b.ord for b in most) == "99"
    assert len({b.ord for b in most if b.ord}) == MAX_INTERVALS + 2


def test_no_training_value():
    """Where training had no value every value is `unseen`, whatever its type."""
    bins = NumericBins(())
    assert [b.kind for b in bins.bins] == ["unseen", "missing", "invalid"]
    values = [1.0, "JFK", [1], Rude(), None, math.nan]
    assert count_array(bins, as_objects(values)).tolist() == [4, 2, 0]
    assert count_array(bins, np.asarray([1.0, math.nan])).tolist() == [1, 1, 0]


def test_categorical_bins():
    """Categorical bins are the categories, other, unseen, missing and invalid."""
    bins = CategoricalBins(("JFK", "LGA"), "str", frozenset({hash_of("EWR")}))
    assert [b.kind for b in bins.bins] == ["category"] * 2 + [
        "other",
        "unseen",
        "missing",
        "invalid",
    ]
    assert [b.label for b in bins.bins][:2] == ["JFK", "LGA"]
    assert {b.ord for b in bins.bins} == {""}
    values = ["LGA", "EWR", "SFO", np.str_("JFK"), None, 3, "\ud800", "x" * 1_000_000]
    assert [bins.bins[bins.index(v)].label for v in values] == [
        "LGA", "other", "unseen", "JFK", "missing", "invalid", "unseen", "unseen",
    ]  # fmt: skip


def test_open_ended_categories():
    """Where training had too many values to remember, any other text is `other`."""
    bins = CategoricalBins(("JFK",), "str", open_ended=True)
    assert bins.index("never seen") == bins.other


def test_whole_number_categories():
    """A fraction is no category of whole numbers, a whole number in any type is."""
    bins = CategoricalBins((1, 2), "int")
    assert [bins.index(v) for v in (2, 2.0, np.int8(2), np.float32(2), Decimal(2))] == [1] * 5
    assert bins.index(2.5) == bins.invalid
    assert bins.index(3.0) == bins.unseen
    assert bins.index(math.inf) == bins.invalid
