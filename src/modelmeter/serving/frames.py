"""Rows of a request as what the model was fitted on: a frame or an array."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.stats.bins import CategoricalBins


def model_input(profile: Profile, model: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Make what the model predicts on.

    Parameters
    ----------
    profile
        Knows the columns, their order and their types in training.
    model
        The model: one that was fitted on an array is given an array.
    rows
        Values by feature; one that is left out is missing.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame or numpy.ndarray
        With one row for each of `rows`.
    """
    columns = {f.name: _column(f, rows) for f in profile.features}
    if hasattr(model, "n_features_in_") and not hasattr(model, "feature_names_in_"):
        return np.column_stack(list(columns.values()))
    if importlib.util.find_spec("pandas"):
        import pandas

        frame = pandas.DataFrame(columns)
        categorical = [f.name for f in profile.features if f.dtype.startswith(("categ", "enum"))]
        return frame.astype(dict.fromkeys(categorical, "category")) if categorical else frame
    if importlib.util.find_spec("polars"):
        import polars

        return polars.DataFrame(columns, nan_to_null=True)
    return np.column_stack(list(columns.values()))


def _column(feature: FeatureProfile, rows: Sequence[Mapping[str, Any]]) -> Any:
    values = [row.get(feature.name) for row in rows]
    missing = any(value is None for value in values)
    if feature.kind == "datetime":
        naive = [None if v is None else v.replace(tzinfo=None) for v in values]
        return np.asarray(naive, dtype="datetime64[us]")
    if isinstance(feature.bins, CategoricalBins):
        # scikit-learn's encoders and imputers know NaN, and tell it from None.
        cells = [np.nan if value is None else value for value in values]
        if feature.bins.value_type == "bool" and not missing:
            return np.asarray(cells, dtype=bool)
        array = np.empty(len(cells), dtype=object)
        array[:] = cells
        return array
    whole = feature.dtype.startswith(("int", "uint")) and not missing
    return np.asarray(
        [np.nan if value is None else value for value in values],
        dtype=np.int64 if whole else np.float64,
    )
