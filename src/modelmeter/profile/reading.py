"""The training data with the model's answers beside it, readable twice.

The model is asked once: its answers are set aside (on disk where they are many) and read
back in the second pass.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any

import narwhals as nw
import numpy as np

from modelmeter._errors import DataError, ModelError
from modelmeter.profile.columns import Array, as_objects
from modelmeter.profile.facts import (
    Y_PRED,
    Y_SCORE,
    as_labels,
    as_scores,
    predict_function,
    wants_array,
)
from modelmeter.profile.profile import ModelFacts
from modelmeter.profile.sources import Batch, Source
from modelmeter.profile.texts import Column
from modelmeter.stats.values import Floats, as_seconds, epoch_seconds, is_missing

Key = tuple[str, str]
"""``features``, ``predictions`` or ``target``, and the column's name."""

SPOOL_BYTES = 32 * 2**20
DAY = 86_400

# The years 1 to 9999: numbers beyond are milli- or nanoseconds.
EARLIEST, LATEST = -62_135_596_800, 253_402_300_800


@dataclass(frozen=True)
class Rows:
    """A batch: its columns, and the time of every row where times are known."""

    columns: dict[Key, Column]
    times: Floats | None
    rows: int


class Reading:
    """Training data, target, time stamps and the model's answers, batch by batch.

    Parameters
    ----------
    model, facts
        The model and what is known of it.
    source, features
        The data and the columns that the model is given.
    y, timestamps
        Column names in the data, arrays of shape (n_rows,), or None.
    """

    def __init__(
        self,
        model: Any,
        facts: ModelFacts,
        source: Source,
        features: Sequence[str],
        *,
        y: Any,
        timestamps: Any,
    ) -> None:
        self.features = tuple(features)
        self._model = model
        self._facts = facts
        self._source = source
        self._y = extra_column("y", y)
        self._timestamps = extra_column("timestamps", timestamps)
        self._answers = SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - closed in close
        self._as_array = wants_array(model)

    def close(self) -> None:
        """Give back the space of the answers set aside."""
        self._answers.close()

    def first(self) -> Iterator[Rows]:
        """Read everything, asking the model and setting its answers aside."""
        return self._read(self._ask)

    def second(self) -> Iterator[Rows]:
        """Read everything again, with the answers given the first time."""
        self._answers.seek(0)
        return self._read(lambda batch, start: pickle.load(self._answers))

    def _read(self, answer: Callable[[Batch, int], dict[Key, Array]]) -> Iterator[Rows]:
        start = 0
        for batch in self._source.batches(self.features, as_array=self._as_array):
            columns = {("features", name): batch.quick(name) for name in self.features}
            columns |= answer(batch, start)
            if any(len(column) != batch.rows for column in columns.values()):
                raise DataError("X gave other rows when it was read again: make it a file")
            target = slice_of("y", self._y, batch, start)
            if target is not None:
                columns["target", "y_true"] = target
            times = slice_of("timestamps", self._timestamps, batch, start)
            yield Rows(columns, None if times is None else as_times(times, start), batch.rows)
            start += batch.rows
        for what, extra in (("y", self._y), ("timestamps", self._timestamps)):
            if isinstance(extra, np.ndarray) and len(extra) != start:
                raise DataError(f"{what} has {len(extra)} values for {start} rows of X")

    def _ask(self, batch: Batch, start: int) -> dict[Key, Array]:
        answers: dict[Key, Array] = {}
        predict = predict_function(self._model)
        if predict is not None and self._facts.task != "other":
            span = f"rows {start} to {start + batch.rows - 1}"
            answers["predictions", Y_PRED] = as_labels(_call(predict, batch.native, span))
            if self._facts.score_method:
                score = getattr(self._model, self._facts.score_method)
                answers["predictions", Y_SCORE] = as_scores(_call(score, batch.native, span))
        for (_, name), values in answers.items():
            if len(values) != batch.rows:
                raise ModelError(f"{name}: the model gave {len(values)} for {batch.rows} rows")
        pickle.dump(answers, self._answers, protocol=pickle.HIGHEST_PROTOCOL)
        return answers


def _call(function: Callable[[Any], Any], X: Any, span: str) -> Any:
    try:
        return function(X)
    except Exception as error:
        raise ModelError(f"the model failed on {span} of X: {error}") from error


def extra_column(what: str, values: Any) -> str | Array | None:
    """Return a column's name as it is and anything else as an array."""
    if values is None or isinstance(values, str):
        return values
    series = nw.from_native(values, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        array = np.asarray(series.to_numpy())
    elif isinstance(values, (list, tuple)):
        array = as_objects(values)
    else:
        array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{what} must have one dimension, not shape {array.shape}")
    return array


def slice_of(what: str, extra: str | Array | None, batch: Batch, start: int) -> Array | None:
    """Return the rows of a batch from what goes with the data, None where there is nothing."""
    if extra is None:
        return None
    if isinstance(extra, str):
        return batch.column(extra)
    part = extra[start : start + batch.rows]
    if len(part) < batch.rows:
        raise DataError(f"{what} has {len(extra)} values; X has more rows")
    return part


def as_times(array: Array, start: int) -> Floats:
    """Convert time stamps to seconds since 1970."""
    if array.dtype.kind == "M":
        times = as_seconds(array)
    elif array.dtype.kind in "iuf":
        times = array.astype(np.float64)
    else:
        times = np.asarray([_time(value) for value in array.tolist()], dtype=np.float64)
    bad = np.flatnonzero(~((times >= EARLIEST) & (times < LATEST)))
    if len(bad):
        raise DataError(
            f"timestamps: row {start + bad[0]} holds {array[bad[0]]!r}, which is no point in time "
            "(a date, a datetime, or seconds since 1970)"
        )
    return times


def _time(value: object) -> float:
    if is_missing(value):
        return math.nan
    if isinstance(value, (int, float, np.integer, np.floating)):
        return float(value)
    found = epoch_seconds(value)
    return math.nan if found is None else found
