"""Where one fitted imputer or encoder counts, worked out once."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from modelmeter import names
from modelmeter.live.recording import Recording
from modelmeter.stats.bins import is_missing
from modelmeter.stats.labels import category_labels

MAX_CATEGORIES = 20
"""Categories with a series of their own when the profile does not name them."""

MISSING, UNKNOWN, OTHER = "missing", "unknown", "other"

Mask = NDArray[np.bool_]


class ImputerTally:
    """Counts the values that an imputer fills in, per feature.

    Parameters
    ----------
    recording
        For whom.
    imputer
        Fitted.
    features
        Names of its columns.
    step
        Its path in the model.
    """

    def __init__(
        self, recording: Recording, imputer: Any, features: Sequence[str], step: str
    ) -> None:
        self.recording = recording
        self._fitted = _fitted(imputer)
        # A column that was empty in fit leaves the imputer unless told otherwise: nothing
        # is filled in there.
        own = feature_names(imputer)
        # KNNImputer leaves kept empty columns out of these names.
        left = set(own if imputer.keep_empty_features else imputer.get_feature_names_out())
        kept = np.asarray([name in left for name in own], dtype=bool)
        self._kept = None if kept.all() else np.flatnonzero(kept)
        method = _method(imputer)
        self._cells = recording.cells(
            names.IMPUTED,
            [(name, step, method) for name, stays in zip(features, kept, strict=True) if stays],
        )

    def fits(self, imputer: Any) -> bool:
        """Tell whether the imputer is still fitted as it was."""
        return _fitted(imputer) is self._fitted

    def count(self, mask: Any) -> None:
        """Count missing values.

        Parameters
        ----------
        mask
            True where a value is missing; array or sparse matrix of shape (n_rows,
            n_features).
        """
        if issparse(mask):
            missing = np.asarray(mask.sum(axis=0)).ravel()  # type: ignore[attr-defined]
        else:
            missing = np.count_nonzero(mask, axis=0)
        self._cells.add(missing if self._kept is None else missing[self._kept])


class EncoderTally:
    """Counts what an encoder meets: unknown categories, and all of them if asked to.

    Parameters
    ----------
    recording
        For whom.
    encoder
        Fitted.
    features
        Names of its columns.
    step
        Its path in the model.
    by_category
        Whether every category counts, not only the unknown ones.
    """

    def __init__(
        self,
        recording: Recording,
        encoder: Any,
        features: Sequence[str],
        step: str,
        *,
        by_category: bool,
    ) -> None:
        self.recording = recording
        self.by_category = by_category
        self._fitted = encoder.categories_
        method = _method(encoder)
        self._unknown = recording.cells(
            names.UNKNOWN_CATEGORY, [(name, step, method) for name in features]
        )
        self._table = _Table(recording, encoder, features, step) if by_category else None

    def fits(self, encoder: Any) -> bool:
        """Tell whether the encoder is still fitted as it was."""
        return getattr(encoder, "categories_", None) is self._fitted

    def count(self, columns: Sequence[NDArray[Any]], codes: NDArray[np.intp], known: Mask) -> None:
        """Count categories.

        Parameters
        ----------
        columns
            What the encoder was given: n_features arrays of shape (n_rows,).
        codes
            Place of every cell's value in ``categories_``; of no meaning where not known.
        known
            Which cells have a category that the encoder knows.
        """
        if np.count_nonzero(known) == known.size:
            if self._table is not None:
                self._table.add(codes)
            return
        missing = _missing_among(columns, ~known)
        unknown = ~(known | missing)
        self._unknown.add(np.count_nonzero(unknown, axis=0))
        if self._table is not None:
            self._table.add(codes, missing, unknown)


class _Table:
    """From a category's code to its series, for all columns of an encoder at once."""

    def __init__(
        self, recording: Recording, encoder: Any, features: Sequence[str], step: str
    ) -> None:
        rows: list[tuple[str, str, str]] = []
        series: list[int] = []
        self._first = np.empty(len(features), dtype=np.intp)
        self._missing = np.empty(len(features), dtype=np.intp)
        self._unknown = np.empty(len(features), dtype=np.intp)
        for j, (feature, rare) in enumerate(zip(features, _rare(encoder), strict=True)):
            categories = list(encoder.categories_[j])
            labels = _labels(categories, rare, recording.categories_of(feature))
            distinct = [*dict.fromkeys((*labels, OTHER, MISSING, UNKNOWN))]
            place = {label: len(rows) + i for i, label in enumerate(distinct)}
            rows += [(feature, step, label) for label in distinct]
            self._first[j] = len(series)
            series += [place[label] for label in labels]
            self._missing[j], self._unknown[j] = place[MISSING], place[UNKNOWN]
        self._series = np.asarray(series, dtype=np.intp)
        self._cells = recording.cells(names.ENCODED, rows)
        self._size = len(rows)

    def add(
        self, codes: NDArray[np.intp], missing: Mask | None = None, unknown: Mask | None = None
    ) -> None:
        places = self._series[codes + self._first]
        if missing is not None and unknown is not None:
            places = np.where(missing, self._missing, places)
            places = np.where(unknown, self._unknown, places)
        self._cells.add(np.bincount(places.ravel(), minlength=self._size))


def feature_names(transformer: Any) -> list[str]:
    """Return the names of a fitted transformer's columns, ``x0``, ``x1``, ... without any."""
    found = getattr(transformer, "feature_names_in_", None)
    if found is not None:
        return [str(name) for name in found]
    return [f"x{i}" for i in range(transformer.n_features_in_)]


def _labels(
    categories: Sequence[Any], rare: frozenset[int], known: Mapping[Any, str] | None
) -> list[str]:
    """Name the series of every category: few, whatever the encoder was fitted on."""
    present = [i for i, category in enumerate(categories) if not is_missing(category)]
    if known is None:
        chosen = [i for i in present if i not in rare][:MAX_CATEGORIES]
        found = dict(zip(chosen, category_labels([categories[i] for i in chosen]), strict=True))
    else:
        found = {i: known[categories[i]] for i in present if categories[i] in known}
    labels = [MISSING] * len(categories)
    for i in present:
        label = found.get(i, OTHER)
        labels[i] = f"{label} (category)" if label == UNKNOWN else label
    return labels


def _rare(encoder: Any) -> list[frozenset[int]]:
    """Return, by column, the categories that the encoder itself lumps together."""
    indices = getattr(encoder, "_infrequent_indices", None)
    if indices is None or not getattr(encoder, "_infrequent_enabled", False):
        return [frozenset()] * len(encoder.categories_)
    return [frozenset() if found is None else frozenset(found.tolist()) for found in indices]


def _method(transformer: Any) -> str:
    """Name what a transformer does with a missing value or an unknown category."""
    for parameter in ("strategy", "handle_unknown"):
        found = getattr(transformer, parameter, None)
        if found is not None:
            return found if isinstance(found, str) else getattr(found, "__name__", "callable")
    return {"KNNImputer": "knn", "IterativeImputer": "iterative", "TargetEncoder": "mean"}.get(
        type(transformer).__name__, type(transformer).__name__
    )


def _fitted(imputer: Any) -> object:
    """Return an attribute that every fit replaces."""
    for attribute in ("statistics_", "_mask_fit_X", "imputation_sequence_"):
        if attribute in vars(imputer):
            return vars(imputer)[attribute]
    return None


def _missing_among(columns: Sequence[NDArray[Any]], asked: Mask) -> Mask:
    """Return which of the cells asked for are missing, shape (n_rows, n_features)."""
    missing = np.zeros_like(asked)
    for j in np.flatnonzero(asked.any(axis=0)):
        rows = np.flatnonzero(asked[:, j])
        missing[rows, j] = _is_missing(columns[int(j)][rows])
    return missing


def _is_missing(values: NDArray[Any]) -> Mask:
    """Return which of the values are None, NaN, NaT or ``pd.NA``, shape (n,)."""
    found: Mask
    if values.dtype.kind in "fc":
        found = np.isnan(values)
    elif values.dtype.kind in "mM":
        found = np.isnat(values)
    elif values.dtype.kind != "O":
        found = np.zeros(len(values), dtype=bool)
    elif "pandas" in sys.modules:  # without it there is no pd.NA
        found = sys.modules["pandas"].isna(values)
    else:
        found = np.asarray((values != values) | (values == None), dtype=bool)  # noqa: E711
    return found
