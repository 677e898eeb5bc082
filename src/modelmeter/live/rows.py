"""What a caller observes, whatever its shape: one row, or columns.

A row is cheapest as a dict; a frame or an array is read by columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modelmeter.profile.columns import Array, as_objects

FEW_ROWS = 32
"""Up to so many dicts are counted one by one; above, by column."""

ABSENT: Final = object()
"""Stands for the value of a column that is not there."""

_SEQUENCES = (list, tuple, np.ndarray)


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

    arrays: Mapping[str, Array]
    rows: int
    where: Mapping[str, NDArray[np.intp]] = field(default_factory=dict)


Rows = list[dict[str, Any]] | Columns


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
    if isinstance(X[0], Mapping):
        rows = [_as_dict(row) for row in X]
    elif all(isinstance(row, _SEQUENCES) for row in X):
        rows = [dict(zip(features, row, strict=False)) for row in X]
    else:
        rows = [dict(zip(features, X, strict=False))]
    if len(rows) <= FEW_ROWS:
        return rows
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
            return [dict(zip(names, X.iloc[0].tolist(), strict=True))]
        arrays = {name: _pandas_column(X, name) for name in set(names).intersection(features)}
        return Columns(arrays, len(X))
    if hasattr(X, "combine_chunks"):  # pyarrow: two columns may have one name, the last counts
        places = {name: i for i, name in enumerate(X.column_names)}
        chosen = [(name, X.column(places[name])) for name in features if name in places]
        return Columns({name: _arrow_column(column) for name, column in chosen}, X.num_rows)
    there = set(X.columns)
    if len(X) == 1 and hasattr(X, "row"):  # polars
        return [X.row(0, named=True)]
    return Columns({name: X[name].to_numpy() for name in features if name in there}, len(X))


def _pandas_column(X: Any, name: str) -> Array:
    column = X[name]
    # Two columns of one name: the last counts, as it does in a dict.
    column = column if column.ndim == 1 else column.iloc[:, -1]
    array: Array = column.to_numpy()
    return array


def _arrow_column(column: Any) -> Array:
    # pyarrow makes a NumPy array of a dictionary's values without its nulls.
    if hasattr(column.type, "value_type") and hasattr(column.type, "index_type"):
        column = column.cast(column.type.value_type)
    array: Array = column.to_numpy()
    return array


def _column(values: list[Any]) -> Array:
    """Make an array of a list, of a numeric type only where every value is a number."""
    if set(map(type, values)) <= {float, int}:
        try:
            return np.asarray(values, dtype=np.float64)
        except OverflowError:  # an integer beyond any float
            pass
    return as_objects(values)
