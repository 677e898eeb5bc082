"""What a caller observes, whatever its shape: one row, or columns.

A row is cheapest as a dict; a frame or an array is read by columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modelmeter.profile.columns import Array, as_objects

FEW_ROWS = 32
"""Up to so many dicts are counted one by one; above, by column."""

ABSENT: Final = object()
"""Stands for the value of a column that is not there."""

# By name, since a data frame's library is not imported to ask.
_PANDAS_TEXTS = frozenset({"str", "string", "string[pyarrow]", "large_string[pyarrow]"})
_ARROW_TEXTS = frozenset({"string", "large_string", "string_view"})
_POLARS_TEXTS = frozenset({"String", "Categorical", "Enum"})

_SEQUENCES = (list, tuple, np.ndarray)
_SCALARS = frozenset({np.float32, np.int64, np.int32, np.bool_})
_CELLS = frozenset({float, int, str, bool, type(None)})


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A column of texts or categories as its frame holds them.

    It is much cheaper to count them there than to make a Python object of each.

    Parameters
    ----------
    rows
        How many.
    cut
        Returns a slice of the column as an array of objects.
    count
        Returns the different values, missing ones among them, and how often each comes.
    """

    rows: int
    cut: Callable[[slice], Array]
    count: Callable[[], Iterable[tuple[Any, int]]]

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, part: slice) -> Array:
        return self.cut(part)


Column = Array | Texts


@dataclass(frozen=True, slots=True)
class Columns:
    """Several rows by column.

    Parameters
    ----------
    arrays
        A feature that is not among them is absent from all rows; one whose array is
        shorter, from the rest of them.
    rows
        How many.
    where
        Of a column that is absent from some rows, the numbers of those that have it.
    """

    arrays: Mapping[str, Column]
    rows: int
    where: Mapping[str, NDArray[np.intp]] = field(default_factory=dict)


Rows = list[dict[str, Any]] | Columns


def getter(features: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return a function that takes these features' values out of a row."""
    if not features:
        return lambda row: ()
    if len(features) == 1:  # itemgetter returns no tuple for one
        (name,) = features
        return lambda row: (row[name],)
    return itemgetter(*features)


def split(X: Any, features: Sequence[str]) -> Rows:
    """Bring what is observed into one of two shapes.

    Parameters
    ----------
    X
        One row as a mapping, or as a tuple, list or array in the order of the features;
        rows as a list of these; a data frame; or an array of shape (n_rows, n_features),
        sparse or not.
    features
        The profile's features, in order.

    Returns
    -------
    list of dict, or Columns

    Raises
    ------
    TypeError
        `X` is none of these.
    """
    if isinstance(X, Mapping):
        return [_as_dict(X)]
    if isinstance(X, (list, tuple)):
        return _split_sequence(X, features)
    if isinstance(X, np.ndarray):
        return _split_array(X, features)
    if hasattr(X, "columns"):
        return _split_frame(X, features)
    if hasattr(X, "toarray"):
        return _split_array(X.toarray(), features)
    raise TypeError(f"rows must be a dict, a data frame or an array, not {type(X).__name__}")


def _as_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    # Asking a defaultdict for what is absent would add it.
    return row if type(row) is dict else dict(row)


def _split_sequence(X: Sequence[Any], features: Sequence[str]) -> Rows:
    if not X:
        return []
    if type(X[0]) in _CELLS:
        rows = [dict(zip(features, X, strict=False))]
    elif isinstance(X[0], Mapping):
        rows = [_as_dict(row) for row in X]
    elif all(isinstance(row, _SEQUENCES) for row in X):
        rows = [dict(zip(features, row, strict=False)) for row in X]
    else:
        rows = [dict(zip(features, X, strict=False))]
    if len(rows) <= FEW_ROWS:
        return rows
    try:
        columns = zip(*map(getter(features), rows), strict=True)
        named = zip(features, columns, strict=True)
        return Columns({name: _column(values) for name, values in named}, len(rows))
    except KeyError:
        return _split_partly(rows, features)


def _split_partly(rows: Sequence[Mapping[str, Any]], features: Sequence[str]) -> Columns:
    """Bring rows that lack some features into columns."""
    arrays, where = {}, {}
    for name in features:
        values = [row[name] for row in rows if name in row]
        if values:
            arrays[name] = _column(values)
        if 0 < len(values) < len(rows):
            where[name] = np.flatnonzero([name in row for row in rows])
    return Columns(arrays, len(rows), where)


def _split_array(X: Array, features: Sequence[str]) -> Rows:
    if X.ndim == 1:
        X = X.reshape(1, -1)
    if X.ndim != 2:
        raise TypeError(f"an array must be of shape (rows, features), not {X.shape}")
    X = np.asarray(X)
    if len(X) == 1:  # a list of times may be one of integers
        values = X[0] if X.dtype.kind in "mM" else X[0].tolist()
        return [dict(zip(features, values, strict=False))]
    return Columns(dict(zip(features, X.T, strict=False)), len(X))


def _split_frame(X: Any, features: Sequence[str]) -> Rows:
    if hasattr(X, "iloc"):  # pandas
        names = X.columns.tolist()
        if len(X) == 1:
            # A row of several types holds NumPy's scalars: everything is slower with these.
            cells = [
                float(v) if type(v) is np.float64 else v.item() if type(v) in _SCALARS else v
                for v in X.iloc[0].tolist()
            ]
            return [dict(zip(names, cells, strict=True))]
        arrays = {name: _pandas_column(X, name) for name in set(names).intersection(features)}
        return Columns(arrays, len(X))
    if hasattr(X, "combine_chunks"):  # pyarrow: two columns may have one name, the last counts
        places = {name: i for i, name in enumerate(X.column_names)}
        chosen = [(name, X.column(places[name])) for name in features if name in places]
        return Columns({name: _arrow_column(column) for name, column in chosen}, X.num_rows)
    there = set(X.columns)
    if len(X) == 1 and hasattr(X, "row"):  # polars
        return [X.row(0, named=True)]
    return Columns({name: _other_column(X[name]) for name in features if name in there}, len(X))


def _pandas_column(X: Any, name: str) -> Column:
    column = X[name]
    # Two columns of one name: the last counts, as it does in a dict.
    column = column if column.ndim == 1 else column.iloc[:, -1]
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        array: Array = column.values
        return array
    cells = column.array
    if dtype.name in _PANDAS_TEXTS and getattr(dtype, "storage", "pyarrow") == "pyarrow":
        return _arrow_column(cells.__arrow_array__())
    if dtype.name == "category" and cells.categories.dtype.kind == "O":
        count = partial(_count_coded, cells.codes, cells.categories)
        return Texts(len(column), lambda part: np.asarray(column.iloc[part].to_numpy()), count)
    array = column.to_numpy()
    return array


def _count_coded(codes: Array, categories: Any) -> Iterable[tuple[Any, int]]:
    rows = np.bincount(codes.astype(np.intp) + 1, minlength=len(categories) + 1)  # -1 is missing
    return zip([None, *categories.tolist()], rows.tolist(), strict=True)


def _arrow_column(column: Any) -> Column:
    kind = column.type
    if is_coded := (hasattr(kind, "value_type") and hasattr(kind, "index_type")):
        kind = kind.value_type
    if str(kind) in _ARROW_TEXTS:
        cut = partial(_arrow_array, column)
        return Texts(len(column), cut, lambda: _pairs(column.value_counts()))
    return _arrow_array(column.cast(kind) if is_coded else column, slice(None))


def _arrow_array(column: Any, part: slice) -> Array:
    piece = column[part]
    # pyarrow makes a NumPy array of a dictionary's values without its nulls.
    if hasattr(piece.type, "index_type"):
        piece = piece.cast(piece.type.value_type)
    array: Array = piece.to_numpy()
    return array


def _pairs(counted: Any) -> Iterable[tuple[Any, int]]:
    return zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)


def _other_column(column: Any) -> Column:
    if str(getattr(column, "dtype", "")).partition("(")[0] in _POLARS_TEXTS:
        named = column.alias("value")
        return Texts(
            len(column),
            lambda part: np.asarray(column[part].to_numpy()),
            lambda: named.value_counts(sort=False).rows(),
        )
    array: Array = column.to_numpy()
    return array


def _column(values: Sequence[Any]) -> Array:
    """Make an array of a list, of a numeric type only where every value is a number."""
    if set(map(type, values)) <= {float, int}:
        try:
            return np.asarray(values, dtype=np.float64)
        except OverflowError:  # an integer beyond any float
            pass
    return as_objects(values)
