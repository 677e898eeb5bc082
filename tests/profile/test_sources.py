"""The same data give the same profile, wherever they come from."""

from __future__ import annotations

import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import modelmeter as mm
from modelmeter.profile.sources import check_names, open_source

NUMBERS = ["temp", "hour", "stops", "fee", "year", "gone"]


def build(X, **options):
    """Return the profile of features only."""
    return mm.Profile.build(None, X, name="flights", version="1", **options)


@pytest.fixture(scope="session")
def expected(frame):
    """Return the profile of the pandas frame, read in one go."""
    return build(frame)


def relation(frame):
    """Return a DuckDB relation over the frame."""
    return duckdb.connect().from_arrow(pa.Table.from_pandas(frame))


def nullable(frame):
    """Return the frame with pandas' own nullable types."""
    types = {"stops": "Int64", "vip": "boolean", "tail": "string", "temp": "Float64"}
    return frame.astype(types)


def arrow_backed(frame):
    """Return the frame with columns that lie in Arrow memory."""
    return frame.convert_dtypes(dtype_backend="pyarrow").astype({"gone": "double[pyarrow]"})


def polars_categories(frame):
    """Return the frame with texts as polars categories and enumerations."""
    return pl.from_pandas(frame).with_columns(
        pl.col("tail").cast(pl.Categorical), pl.col("origin").cast(pl.Enum(["EWR", "JFK", "LGA"]))
    )


FORMS = {
    "pandas": lambda f: f,
    "pandas, nullable": nullable,
    "pandas, Arrow": arrow_backed,
    "pandas, categories": lambda f: f.astype({"origin": "category", "tail": "category"}),
    "pandas, objects": lambda f: f.astype(object),
    "pandas, odd index": lambda f: f.set_axis(np.arange(len(f)) % 7),
    "polars": pl.from_pandas,
    "polars, categories": polars_categories,
    "polars, lazy": lambda f: pl.from_pandas(f).lazy(),
    "pyarrow": pa.Table.from_pandas,
    "pyarrow, categories": lambda f: polars_categories(f).to_arrow(),
    "pyarrow, chunks": lambda f: pa.concat_tables(
        [pa.Table.from_pandas(f[:333]), pa.Table.from_pandas(f[333:])]
    ),
    "DuckDB": relation,
    "Dask": lambda f: dd.from_pandas(nullable(f), npartitions=3),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_kind_of_frame(form, frame, expected, small_batches, assert_same):
    """One data set has the same counts as every kind of frame, read in batches."""
    assert_same(build(form(frame)), expected)


def test_numpy(frame, small_batches, assert_same):
    """An array with feature names has the counts of the frame."""
    assert_same(build(frame[NUMBERS].to_numpy(), feature_names=NUMBERS), build(frame[NUMBERS]))


def test_numpy_of_objects(frame, expected, small_batches, assert_same):
    """An array of anything is profiled column by column."""
    assert_same(build(frame.to_numpy(dtype=object), feature_names=list(frame)), expected)


def test_numpy_names(frame):
    """Without names the columns of an array are x0, x1, ..."""
    profile = build(frame[["temp", "hour"]].to_numpy())
    assert [f.name for f in profile.features] == ["x0", "x1"]
    with pytest.raises(mm.DataError, match="3 feature names for 2 columns"):
        build(frame[["temp", "hour"]].to_numpy(), feature_names=["a", "b", "c"])


def test_types_in_words(frame):
    """A column's type is told in words, an enumeration's without its values."""
    dtypes = {f.name: f.dtype for f in build(polars_categories(frame)).features}
    assert dtypes["origin"] == "enum"
    assert dtypes["tail"] == "categorical"
    assert dtypes["hour"] == "int64"
    assert "EWR" not in str(dtypes)


@pytest.mark.parametrize(
    "X",
    [
        lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]),
        lambda: pa.table([[1], [2]], names=["a", "a"]),
        lambda: duckdb.connect().sql("select 1 as a, 2 as a"),
        lambda: dd.from_pandas(pd.DataFrame({"a": [1], "b": [2]}), npartitions=1).rename(
            columns={"b": "a"}
        ),
    ],
    ids=["pandas", "pyarrow", "DuckDB", "Dask"],
)
def test_duplicate_names(X):
    """Two columns of one name are refused, naming it."""
    with pytest.raises(mm.DataError, match="two columns have the name 'a'"):
        build(X())


def test_duplicate_feature_names():
    """Two feature names that are alike are refused."""
    with pytest.raises(mm.DataError, match="two columns have the name 'a'"):
        build(np.ones((3, 2)), feature_names=["a", "a"])


@pytest.mark.parametrize("name", [3, None, ("a", "b"), "", "  ", "\ud800"])
def test_names_that_are_no_labels(name):
    """A column name has to be a text that can be a label."""
    with pytest.raises(mm.DataError, match="name"):
        check_names(["fine", name])


def test_columns_named_like_attributes(assert_same):
    """Columns may have the names that frames use themselves."""
    names = ["columns", "column_names", "schema", "iloc", "values", "shape"]
    X = pd.DataFrame({name: [1.0, 2.0, 3.0] for name in names})
    assert_same(build(X), build(pl.from_pandas(X)))


@pytest.mark.parametrize(
    "X",
    [
        lambda: pd.DataFrame({"a": []}),
        lambda: pl.DataFrame({"a": []}),
        lambda: pl.LazyFrame({"a": []}),
        lambda: pa.table({"a": pa.array([], pa.int64())}),
        lambda: np.empty((0, 1)),
        lambda: duckdb.connect().sql("select 1 as a where false"),
        lambda: dd.from_pandas(pd.DataFrame({"a": [1.0]}), npartitions=1).query("a > 1"),
    ],
    ids=["pandas", "polars", "lazy", "pyarrow", "numpy", "DuckDB", "Dask"],
)
def test_no_rows(X):
    """Data without rows are refused."""
    with pytest.raises(mm.DataError, match="no rows"):
        build(X())


@pytest.mark.parametrize(
    "X", [[[1.0]], {"a": [1]}, 3, None, "nothing.xlsx", pl.Series([1]), pd.Series([1]), iter([])]
)
def test_no_data(X):
    """What is no table is refused, in words that say what is taken."""
    with pytest.raises(mm.DataError, match=r"parquet|there is no file"):
        open_source(X, None)


def test_wrong_dimensions():
    """An array of another shape than rows by features is refused."""
    with pytest.raises(mm.DataError, match=r"two dimensions .* not shape \(3,\)"):
        build(np.ones(3))


def test_readers_that_run_dry(frame):
    """Data that can be read only once are refused."""
    reader = pa.Table.from_pandas(frame).to_reader()
    with pytest.raises(mm.DataError, match="only once"):
        build(reader)


def test_data_that_change():
    """Data that are others in the second reading are refused."""

    class Fickle:
        """A distributed frame that loses rows."""

        __module__ = "dask"
        readings = 0

        @property
        def partitions(self):
            """Return one partition."""
            return [self]

        def compute(self):
            """Return ever fewer rows."""
            self.readings += 1
            return pd.DataFrame({"a": np.arange(10.0 - self.readings)})

    with pytest.raises(mm.DataError, match="other rows"):
        mm.Profile.build(lambda X: X["a"], Fickle(), name="m", version="1")
