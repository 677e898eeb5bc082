"""Training data in batches, from wherever it comes, as often as it is asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import narwhals as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from narwhals.typing import IntoDataFrame

from modelmeter._errors import DataError, MissingExtraError
from modelmeter.profile.columns import Array
from modelmeter.profile.texts import Column, as_texts
from modelmeter.stats.labels import is_label

BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Batch:
    """Some rows of the training data.

    Parameters
    ----------
    native
        The rows as the model is given them, without the columns that are not features.
    rows
        How many.
    column
        A column by name, shape (n_rows,); the target and time stamps included.
    quick
        The same, where it can be had as its different texts.
    """

    native: Any
    rows: int
    column: Callable[[str], Array]
    quick: Callable[[str], Column]


class Source(Protocol):
    """Training data that can be read more than once, in batches."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        ...

    @property
    def dtypes(self) -> Mapping[str, str]:
        """Type of every column, in words."""
        ...

    def batches(self, features: Sequence[str], *, as_array: bool) -> Iterator[Batch]:
        """Read the data from its start.

        Parameters
        ----------
        features
            The columns that the model is given, in this order.
        as_array
            Whether the model is given a numpy array instead of a frame.
        """
        ...


def open_source(X: Any, feature_names: Sequence[str] | None) -> Source:
    """Find out what kind of data this is.

    Raises
    ------
    DataError
        The data is of no kind that can be read, or two columns have one name.
    """
    if isinstance(X, (str, Path)):
        from modelmeter.profile.files import FileSource

        return FileSource(Path(X))
    if isinstance(X, np.ndarray):
        return ArraySource(X, feature_names)
    if hasattr(X, "read_next_batch"):
        raise DataError("X can be read only once, and is needed twice: read it into a table")
    if (read := _stream_reader(X)) is not None:
        return StreamSource(read)
    if isinstance(frame := _narwhal(X), nw.DataFrame):
        return FrameSource(frame)
    if hasattr(X, "__arrow_c_stream__") and not hasattr(X, "dtype"):
        return StreamSource(lambda: _arrow_frames(X))
    raise DataError(
        "X must be a data frame (pandas, polars, pyarrow, DuckDB, Dask, Spark), a numpy array "
        f"or a path to a .parquet or .csv file, not {type(X).__module__}.{type(X).__name__}"
    )


def check_names(columns: Sequence[object]) -> tuple[str, ...]:
    """Return column names, refusing duplicates and names that cannot be labels."""
    seen: set[object] = set()
    for name in columns:
        if not isinstance(name, str):
            raise DataError(f"column names must be text, not {name!r} ({type(name).__name__})")
        if not is_label(name):
            raise DataError(f"a column is named {name!r}: give it a name that can be read")
        if name in seen:
            raise DataError(f"two columns have the name {name!r}: rename one")
        seen.add(name)
    return tuple(str(name) for name in columns)


def cells_at(source: Source, names: Sequence[str], numbers: Array) -> dict[str, list[Any]]:
    """Read some rows of some columns, from the start of the data.

    Parameters
    ----------
    source, names
        The data and the columns.
    numbers
        Which rows, counted from 0, increasing, shape (n_rows,).

    Returns
    -------
    dict of str to list
        By column, a value for every one of these rows.
    """
    cells: dict[str, list[Any]] = {name: [] for name in names}
    start = 0
    for batch in source.batches(names, as_array=False):
        first, last = np.searchsorted(numbers, (start, start + batch.rows))
        if first < last:
            chosen = numbers[first:last] - start
            for name, values in cells.items():
                values.extend(batch.column(name)[chosen])
        start += batch.rows
    return cells


class ArraySource:
    """A numpy array of shape (n_rows, n_features)."""

    def __init__(self, X: Array, feature_names: Sequence[str] | None) -> None:
        if X.ndim != 2:
            raise DataError(f"X must have two dimensions (rows, features), not shape {X.shape}")
        names = [f"x{i}" for i in range(X.shape[1])] if feature_names is None else feature_names
        self.columns = check_names(list(names))
        if len(self.columns) != X.shape[1]:
            raise DataError(f"{len(self.columns)} feature names for {X.shape[1]} columns of X")
        self.dtypes = dict.fromkeys(self.columns, str(X.dtype))
        self._X = X

    def batches(self, features: Sequence[str], *, as_array: bool) -> Iterator[Batch]:
        """Read the data from its start."""
        del as_array
        where = {name: i for i, name in enumerate(self.columns)}
        order = [where[name] for name in features]
        for start in range(0, len(self._X), BATCH_ROWS):
            part = self._X[start : start + BATCH_ROWS]
            native = part if order == list(range(part.shape[1])) else part[:, order]
            column = partial(_array_column, part, where)
            yield Batch(native, len(part), column, column)


class FrameSource:
    """A data frame in memory."""

    def __init__(self, frame: nw.DataFrame[Any]) -> None:
        self.columns = check_names(frame.columns)
        self.dtypes = dtype_names(frame)
        self._frame = frame
        self._is_arrow = frame.implementation.is_pyarrow()

    def batches(self, features: Sequence[str], *, as_array: bool) -> Iterator[Batch]:
        """Read the data from its start."""
        for start in range(0, len(self._frame), BATCH_ROWS):
            part = self._frame[start : start + BATCH_ROWS]
            if self._is_arrow:
                part = nw.from_native(arrow_to_frame(part.to_native()), eager_only=True)
            yield frame_batch(part, features, as_array)


class StreamSource:
    """Data that comes in frames from a reader that can be called again."""

    def __init__(self, read: Callable[[], Iterator[IntoDataFrame]]) -> None:
        self._read = read
        native = next(read(), None)
        if native is None:
            raise DataError("X has no rows")
        first = _narwhal(native)
        self.columns = check_names(first.columns)
        self.dtypes = dtype_names(first)

    def batches(self, features: Sequence[str], *, as_array: bool) -> Iterator[Batch]:
        """Read the data from its start."""
        for native in self._read():
            frame = nw.from_native(native, eager_only=True)
            for start in range(0, len(frame), BATCH_ROWS):
                yield frame_batch(frame[start : start + BATCH_ROWS], features, as_array)


def _array_column(part: Array, where: Mapping[str, int], name: str) -> Array:
    return part[:, where[name]]


def _narwhal(native: Any) -> Any:
    """Return a data frame as narwhals', anything else as it is."""
    try:
        return nw.from_native(native, pass_through=True)
    except DuplicateError:
        check_names(_raw_columns(native))  # says which
        raise


def _raw_columns(native: Any) -> list[object]:
    return list(native.column_names if _library(native) == "pyarrow" else native.columns)


def _library(native: Any) -> str:
    return type(native).__module__.partition(".")[0]


def dtype_names(frame: nw.DataFrame[Any]) -> dict[str, str]:
    """Return the type of every column in words, without the categories of an enumeration."""
    return {
        name: "enum" if isinstance(dtype, nw.Enum) else str(dtype).lower()
        for name, dtype in frame.schema.items()
    }


def frame_batch(frame: nw.DataFrame[Any], features: Sequence[str], as_array: bool) -> Batch:
    """Make a batch of a frame, with the model's columns picked out in their order."""
    chosen = frame if list(features) == frame.columns else frame.select(list(features))
    native = chosen.to_numpy() if as_array else chosen.to_native()

    def quick(name: str) -> Column:
        series = frame[name]
        texts = as_texts(series)
        return series.to_numpy() if texts is None else texts

    return Batch(native, len(frame), lambda name: frame[name].to_numpy(), quick)


def arrow_to_frame(table: Any) -> Any:
    """Turn a pyarrow table into what models are trained on: pandas, else polars, else itself."""
    for library in ("pandas", "polars"):
        if importlib.util.find_spec(library):
            return nw.from_arrow(table, backend=library).to_native()
    return table


def _stream_reader(X: Any) -> Callable[[], Iterator[IntoDataFrame]] | None:
    """Return a function that reads a lazy or distributed frame from its start."""
    library = _library(X)
    if library == "polars" and hasattr(X, "collect_batches"):
        return lambda: iter(X.collect_batches(chunk_size=BATCH_ROWS))
    if library == "polars" and hasattr(X, "collect"):
        return lambda: X.collect().iter_slices(BATCH_ROWS)
    if library.startswith("dask"):
        return lambda: (part.compute() for part in X.partitions)
    if library == "pyspark":
        return lambda: _spark_frames(X)
    if library.endswith("duckdb"):
        return lambda: _arrow_frames(X)
    return None


def _arrow_frames(X: Any) -> Iterator[IntoDataFrame]:
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError("pyarrow", "files") from error
    # A relation may stream into a buffer of its own: a fresh stream for every pass.
    reader = pyarrow.RecordBatchReader.from_stream(X)
    check_names(reader.schema.names)
    for batch in reader:
        yield arrow_to_frame(pyarrow.Table.from_batches([batch]))


def _spark_frames(X: Any) -> Iterator[IntoDataFrame]:
    import pyarrow

    rows: list[Mapping[str, Any]] = []
    for row in X.toLocalIterator(prefetchPartitions=True):
        rows.append(row.asDict())
        if len(rows) == BATCH_ROWS:
            yield arrow_to_frame(pyarrow.Table.from_pylist(rows))
            rows = []
    if rows:
        yield arrow_to_frame(pyarrow.Table.from_pylist(rows))
