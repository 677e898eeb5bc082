"""Columns of texts are counted in their frame, and as their values one by one."""

from __future__ import annotations

from collections import Counter

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from modelmeter.live.freshness import telling
from modelmeter.live.placing import Plan, count_column, place_column
from modelmeter.live.rows import Columns, Texts, split
from modelmeter.stats.bins import CategoricalBins, NumericBins
from modelmeter.stats.values import is_missing

CELLS = ["a", None, "b", "a", "", "z", None, "a", "\ud7ff"] * 9
BINS = [
    CategoricalBins(("a", "b", ""), "str"),
    CategoricalBins((1,), "int"),
    NumericBins((0.0, 1.0)),
]


def frame(dtype):
    return pd.DataFrame({"count": pd.Series(CELLS, dtype=dtype)})


def two_dictionaries():
    """Chunks of a column whose dictionaries differ."""
    chunks = [pa.array(part).dictionary_encode() for part in (CELLS[:5], CELLS[5:])]
    return pa.table({"count": pa.chunked_array(chunks)})


POLARS = pl.DataFrame({"count": CELLS})
ENUM = pl.Enum(sorted({cell for cell in CELLS if cell is not None}))
FORMS = {
    "str": lambda: frame("str"),
    "string": lambda: frame("string"),
    "string[python]": lambda: frame("string[python]"),
    "arrow string": lambda: frame(pd.ArrowDtype(pa.string())),
    "arrow large string": lambda: frame(pd.ArrowDtype(pa.large_string())),
    "category": lambda: frame("category"),
    "object": lambda: frame(object),
    "polars": lambda: POLARS,
    "polars categorical": lambda: POLARS.cast(pl.Categorical),
    "polars enum": lambda: POLARS.cast(ENUM),
    "narwhals": lambda: nw.from_native(frame("str")),
    "arrow": lambda: pa.table({"count": pa.array(CELLS)}),
    "arrow dictionary": two_dictionaries,
}
IN_FRAME = set(FORMS) - {"string[python]", "object"}


def column_of(form):
    rows = split(FORMS[form](), ["count"])
    assert isinstance(rows, Columns)
    return rows.arrays["count"]


@pytest.mark.parametrize("bins", BINS, ids=["texts", "whole numbers", "numbers"])
@pytest.mark.parametrize("form", FORMS)
def test_texts_count_as_their_values(form, bins):
    """A column of texts, of any library, is counted and placed as its values one by one."""
    column = column_of(form)
    expected = [bins.index(cell) for cell in CELLS]
    where, counts = count_column(Plan("count", 3, 3 + len(bins.bins), bins), column)
    assert where == slice(3, 3 + len(bins.bins))
    assert counts.tolist() == [Counter(expected)[i] for i in range(len(bins.bins))]
    assert place_column(bins, column).tolist() == expected


@pytest.mark.parametrize("form", sorted(IN_FRAME))
def test_no_object_is_made_of_every_text(form):
    """Texts stay in their frame until some are asked for; a slice of them is an array."""
    column = column_of(form)
    assert isinstance(column, Texts)
    assert len(column) == len(CELLS)
    for part in (slice(None), slice(3, 7), slice(2, None, 4), slice(0, 0)):
        cut = [None if is_missing(cell) else cell for cell in column[part].tolist()]
        assert cut == CELLS[part]


@pytest.mark.parametrize("form", FORMS)
def test_what_texts_tell(form):
    """The first, another and the last text that is there."""
    assert telling(column_of(form)) == ["a", "b", "\ud7ff"]


def test_categories_of_numbers_are_numbers():
    """A category of numbers falls into the bins of numbers; a missing one is missing."""
    values = pd.Categorical([1.5, 7.0, None, 1.5])
    column = split(pd.DataFrame({"x": values}), ["x"]).arrays["x"]
    bins = NumericBins((0.0, 2.0, 9.0))
    assert count_column(Plan("x", 0, 5, bins), column)[1].tolist() == [0, 2, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([np.nan, np.nan], []),
        ([np.nan, 3.0, 3.0, np.nan], [3.0, 3.0]),
        ([np.nan] * 100 + [3.0] * 200_000 + [4.0, np.nan], [3.0, 4.0, 4.0]),
        ([5.0] + [np.nan] * 200_000, [5.0, 5.0]),
        ([1] * 70_000, [1, 1]),
        ([], []),
    ],
    ids=["none", "one", "at the end", "at the start", "whole", "empty"],
)
def test_what_numbers_tell(cells, expected):
    """The first, another and the last number that is there, wherever in the column."""
    assert telling(np.asarray(cells)) == expected
