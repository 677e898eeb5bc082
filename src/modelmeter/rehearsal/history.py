"""The history: rows with their times, what the model said of them, and what came true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modelmeter._errors import ConfigurationError, DataError, ModelError
from modelmeter.profile.columns import Array
from modelmeter.profile.facts import predict_function, wants_array
from modelmeter.profile.profile import Profile
from modelmeter.profile.reading import as_times
from modelmeter.profile.sources import Batch, Source, open_source
from modelmeter.stats.values import Floats, is_missing

_COLUMNS: Final = {
    "time": "--time",
    "prediction": "--prediction",
    "score": "--score",
    "target": "--target",
    "label_time": "--label-time",
}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of a history's columns, beside the features.

    Parameters
    ----------
    time
        When the row was predicted: a datetime, a date, or seconds since 1970; in UTC where
        there is no zone.
    prediction, score
        What the model answered: class or value, and score of the positive class or confidence.
    target
        What came true; missing where it never will be known.
    label_time
        When that became known; None for `label_lag` after the prediction.
    label_lag
        Seconds.
    """

    time: str
    prediction: str | None = None
    score: str | None = None
    target: str | None = None
    label_time: str | None = None
    label_lag: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_lag < float("inf"):
            raise ConfigurationError(f"label_lag must be 0 or more, not {self.label_lag!r}")
        if self.target is None and (self.label_time is not None or self.label_lag):
            raise ConfigurationError("when labels come (--label-time, --label-lag) needs --target")

    @property
    def named(self) -> Mapping[str, str]:
        """Names that were given, by the option that gives them."""
        found = {option: getattr(self, field) for field, option in _COLUMNS.items()}
        return {option: name for option, name in found.items() if name is not None}


@dataclass(frozen=True)
class Part:
    """Some rows of a history.

    Parameters
    ----------
    times
        Of the predictions, seconds since 1970, shape (n_rows,).
    features
        Columns by name, each of shape (n_rows,).
    y_pred, y_score
        Answers; None where they are not known.
    target
        What came true, and
    label_times
        when it became known (NaN for never); None without a target.
    """

    times: Floats
    features: Mapping[str, Array]
    y_pred: Any
    y_score: Any
    target: Array | None
    label_times: Floats | None


class History:
    """A file or frame of past rows.

    Parameters
    ----------
    data
        A ``.parquet`` or ``.csv`` file, or what else `Profile.build` takes. It is read twice.
    profile
        Of the model.
    columns
        Names of columns.
    model
        Answers where the history holds no answers.

    Attributes
    ----------
    first, last
        The smallest and the largest time.
    rows
        How many there are.

    Raises
    ------
    DataError
        There is no such file or column, a time is none, or there are no rows.
    """

    def __init__(
        self, data: str | Path | Any, profile: Profile, columns: Columns, *, model: Any = None
    ) -> None:
        if model is not None and (columns.prediction or columns.score):
            raise ConfigurationError(
                "give either a model or columns with its answers (--prediction, --score)"
            )
        self._source: Source = open_source(data, None)
        self._features = [feature.name for feature in profile.features]
        self._columns, self._model = columns, model
        self._score_method = profile.model.score_method
        self._check_columns()
        self.first, self.last, self.rows = self._span()

    @property
    def has_predictions(self) -> bool:
        """Whether it is known what the model answered."""
        return bool(self._model is not None or self._columns.prediction or self._columns.score)

    @property
    def has_labels(self) -> bool:
        """Whether it is known what came true."""
        return self._columns.target is not None and self.has_predictions

    def parts(self) -> Iterator[Part]:
        """Read it from its start, asking the model where there is one."""
        as_array = self._model is not None and wants_array(self._model)
        start = 0
        for batch in self._source.batches(self._features, as_array=as_array):
            times = self._times(batch, self._columns.time, start)
            y_pred, y_score = self._answers(batch, start)
            target = label_times = None
            if self.has_labels and self._columns.target is not None:
                target = batch.column(self._columns.target)
                label_times = self._label_times(batch, times)
            features = {name: batch.column(name) for name in self._features}
            yield Part(times, features, y_pred, y_score, target, label_times)
            start += batch.rows

    def _check_columns(self) -> None:
        there = set(self._source.columns)
        for option, name in self._columns.named.items():
            if name not in there:
                raise DataError(
                    f"the history has no column {name!r} ({option}); it has "
                    f"{sorted(self._source.columns)}"
                )
        if lacking := [name for name in self._features if name not in there]:
            raise DataError(f"the history lacks features of the profile: {lacking}")

    def _span(self) -> tuple[float, float, int]:
        first, last, rows = np.inf, -np.inf, 0
        for batch in self._source.batches([self._columns.time], as_array=False):
            times = self._times(batch, self._columns.time, rows)
            first, last = min(first, float(times.min())), max(last, float(times.max()))
            rows += batch.rows
        if not rows:
            raise DataError("the history has no rows")
        if first < 0:
            raise DataError(f"column {self._columns.time!r} holds times before 1970")
        return first, last, rows

    def _times(self, batch: Batch, name: str, start: int) -> Floats:
        try:
            return as_times(batch.column(name), start)
        except DataError as error:
            text = str(error).removeprefix("timestamps: ")
            raise DataError(f"column {name!r} is no time: {text}") from None

    def _label_times(self, batch: Batch, times: Floats) -> Floats:
        if self._columns.label_time is None:
            return times + self._columns.label_lag
        array = batch.column(self._columns.label_time)
        known = np.flatnonzero(~missing_in(array))
        found = np.full(len(times), np.nan)
        if len(known):
            try:
                found[known] = as_times(array[known], 0)
            except DataError as error:
                text = str(error).partition(" holds ")[2]
                raise DataError(f"column {self._columns.label_time!r} holds {text}") from None
        # Nothing is known before it is asked.
        return np.where(np.isnan(found), np.nan, np.fmax(found, times))

    def _answers(self, batch: Batch, start: int) -> tuple[Any, Any]:
        if self._model is None:
            names = (self._columns.prediction, self._columns.score)
            y_pred, y_score = (None if name is None else batch.column(name) for name in names)
            return y_pred, y_score
        predict = predict_function(self._model)
        try:
            y_pred = None if predict is None else predict(batch.native)
            method = self._score_method
            y_score = getattr(self._model, method)(batch.native) if method else None
        except Exception as error:
            span = f"rows {start} to {start + batch.rows - 1}"
            raise ModelError(f"the model failed on {span} of the history: {error}") from error
        return y_pred, y_score


def missing_in(array: Array) -> NDArray[np.bool_]:
    """Tell which values of a column are missing."""
    if array.dtype.kind == "O":
        return np.asarray([is_missing(value) for value in array], dtype=bool)
    missing: NDArray[np.bool_] = array != array
    return missing
