"""Rows as JSON has them, as what the model was fitted on: a frame or an array."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np

from modelmeter.profile.columns import Array, as_objects
from modelmeter.profile.facts import wants_array
from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.stats.bins import CategoricalBins, ValueType

Backend = Literal["pandas", "polars"]
_BACKENDS: Final[tuple[Backend, ...]] = ("pandas", "polars")
_TYPES: Final[Mapping[ValueType, str]] = {
    "str": "String",
    "bool": "Boolean",
    "int": "Int64",
    "float": "Float64",
}


def model_input(profile: Profile, model: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Make what the model predicts on.

    Parameters
    ----------
    profile
        Knows the columns, their order and their types in training.
    model
        The model: one that was fitted on an array is given an array.
    rows
        Values by feature; one that is left out is missing. A point in time is a datetime or
        its ISO text; its zone is dropped.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame or numpy.ndarray
        With one row for each of `rows`; a frame of the first of these libraries that is
        installed.
    """
    columns = {feature.name: _column(feature, rows) for feature in profile.features}
    if not wants_array(model):
        for backend in _BACKENDS:
            if importlib.util.find_spec(backend):
                return _frame(profile, columns, backend)
    return np.column_stack(list(columns.values()))


def _frame(profile: Profile, columns: Mapping[str, Array], backend: Backend) -> Any:
    import narwhals as nw  # reading a profile does not need it, and must not wait for it

    given: Mapping[str, Any] = columns
    if backend == "polars":  # it has a null of its own, and no column of texts and NaN
        given = {f.name: _nullable(f, columns[f.name], backend) for f in profile.features}
    frame = nw.from_dict(given, backend=backend)
    categorical = [f.name for f in profile.features if f.dtype.startswith(("categ", "enum"))]
    if categorical:
        frame = frame.with_columns(nw.col(*categorical).cast(nw.Categorical))
    return frame.to_native()


def _nullable(feature: FeatureProfile, column: Array, backend: Backend) -> Any:
    import narwhals as nw

    if column.dtype.kind not in "fO":
        return column
    cells = [None if isinstance(v, float) and math.isnan(v) else v for v in column.tolist()]
    bins = feature.bins
    of_type: ValueType = bins.value_type if isinstance(bins, CategoricalBins) else "float"
    return nw.new_series(feature.name, cells, getattr(nw, _TYPES[of_type]), backend=backend)


def _column(feature: FeatureProfile, rows: Sequence[Mapping[str, Any]]) -> Array:
    values = [row.get(feature.name) for row in rows]
    missing = any(value is None for value in values)
    if feature.kind == "datetime":
        return np.asarray([_moment(value) for value in values], dtype="datetime64[us]")
    if isinstance(feature.bins, CategoricalBins):
        # scikit-learn's encoders and imputers know NaN, and tell it from None.
        cells = [np.nan if value is None else value for value in values]
        if feature.bins.value_type == "bool" and not missing:
            return np.asarray(cells, dtype=bool)
        return as_objects(cells)
    whole = feature.dtype.startswith(("int", "uint")) and not missing
    return np.asarray(
        [np.nan if value is None else value for value in values],
        dtype=np.int64 if whole else np.float64,
    )


def _moment(value: datetime | str | None) -> datetime | None:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return None if moment is None else moment.replace(tzinfo=None)
