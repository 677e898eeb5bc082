"""Live rows from a file or a frame of any size, counted in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from modelmeter import names
from modelmeter._errors import DataError, ModelError
from modelmeter.live.counts import merged
from modelmeter.live.merge import Family
from modelmeter.live.observer import Observer
from modelmeter.profile.facts import Y_PRED, Y_SCORE, predict_function, wants_array
from modelmeter.profile.profile import Profile
from modelmeter.profile.sources import Batch, open_source
from modelmeter.report.counts import Observed, observed
from modelmeter.report.labelling import LabelledRows

_ANSWERS: Final = (Y_PRED, Y_SCORE)
_OF_SERVING: Final = (names.MODEL_INFO, names.LIBRARY_MISMATCH)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns hold what is no feature.

    Parameters
    ----------
    prediction
        Predicted classes or values; None for ``y_pred`` where there is such a column that is
        no feature.
    score
        Scores of the positive class, or confidences; None for ``y_score``, likewise.
    target
        True values, for performance; None for none.
    """

    prediction: str | None = None
    score: str | None = None
    target: str | None = None


class DataCount:
    """Rows being counted; iterate to go on, and ask `observed` at the end.

    Parameters
    ----------
    profile
        What training looked like.
    data
        A path to a ``.parquet``, ``.csv`` or ``.csv.gz`` file, a data frame, or an array with
        the profile's features as columns; see `Profile.build`.
    columns
        Which columns hold answers and true values.
    model
        Is asked for its answers; None where the data have them, or nothing has.

    Raises
    ------
    DataError
        The data cannot be read, have none of the features, or lack a column that was named.
    """

    def __init__(
        self, profile: Profile, data: Any, *, columns: Columns | None = None, model: Any = None
    ) -> None:
        features = [feature.name for feature in profile.features]
        self._profile, self._model = profile, model
        self._source = open_source(data, features if isinstance(data, np.ndarray) else None)
        there = set(self._source.columns)
        self._present = [name for name in features if name in there]
        self._lacking = [name for name in features if name not in there]
        self._where = Path(data).name if isinstance(data, (str, Path)) else ""
        self._columns = _settled(columns or Columns(), there, features, model)
        if not self._present:
            raise DataError(
                f"none of the profile's {len(features)} features is a column of the data: it has "
                f"{list(self._source.columns)[:20]}, the profile {features[:20]}"
            )
        if model is not None and self._lacking:
            raise DataError(f"the model cannot be asked without the columns {self._lacking[:20]}")
        self._observer = Observer(profile)
        self._labels = LabelledRows(profile) if self._columns.target is not None else None
        self.rows = 0
        self.total = rows_of(data)

    def __iter__(self) -> Iterator[int]:
        """Count the next rows; yields how many are counted so far.

        Raises
        ------
        DataError
            The file cannot be read to its end, or rows cannot be counted.
        ModelError
            The model failed.
        """
        as_array = self._model is not None and wants_array(self._model)
        for batch in self._source.batches(self._present, as_array=as_array):
            if batch.rows:
                self._count(batch)
                self.rows += batch.rows
                yield self.rows

    def observed(self) -> Observed:
        """Return what was counted so far."""
        families = [self._schema(one) for one in merged([self._observer.counts])]
        if self._model is None:  # the libraries here did not answer anything
            families = [one for one in families if one.metric not in _OF_SERVING]
        found = observed(
            self._profile, families, kind="file", where=self._where, window="whole file"
        )
        return found if self._labels is None else replace(found, labelled=self._labels.counts)

    def _count(self, batch: Batch) -> None:
        y_pred, y_score = self._answers(batch)
        self._observer.observe(batch.native, y_pred, y_score)
        family = next(f for f in merged([self._observer.counts]) if f.metric is names.PREDICTIONS)
        if family.values.sum() != self.rows + batch.rows:
            raise DataError(
                f"rows {self.rows} to {self.rows + batch.rows - 1} cannot be counted: the log says "
                "why"
            )
        if self._labels is None or self._columns.target is None:
            return
        if y_pred is None and y_score is None:
            raise DataError(
                "true values need the model's answers: name the columns that hold them, or give "
                "the model"
            )
        truth = batch.column(self._columns.target)
        self._labels.add(truth, y_pred=y_pred, y_score=y_score, X=batch.native)

    def _answers(self, batch: Batch) -> tuple[Any, Any]:
        if self._model is None:
            named = self._columns.prediction, self._columns.score
            y_pred, y_score = (None if name is None else batch.column(name) for name in named)
            return y_pred, y_score
        method = self._profile.model.score_method
        predict = predict_function(self._model)
        if predict is None:
            raise ModelError(f"the model has no predict method: {type(self._model).__name__}")
        try:
            y_score = getattr(self._model, method)(batch.native) if method else None
            return predict(batch.native), y_score
        except Exception as error:
            span = f"rows {self.rows} to {self.rows + batch.rows - 1}"
            raise ModelError(f"the model failed on {span} of the data: {error}") from error

    def _schema(self, family: Family) -> Family:
        """Say of the whole file what is compared now and then where rows are served."""
        if family.metric is names.SCHEMA_CHECKS:
            return family._replace(values=np.ones(len(family.rows)))
        if family.metric is names.SCHEMA_MISMATCHES:
            lacking = {(name, "missing") for name in self._lacking}
            values = [float(row[2:] in lacking) for row in family.rows]
            return family._replace(values=np.asarray(values))
        return family


def observe_data(
    profile: Profile, data: Any, *, columns: Columns | None = None, model: Any = None
) -> Observed:
    """Count rows and return what was counted; see `DataCount`."""
    count = DataCount(profile, data, columns=columns, model=model)
    for _ in count:
        pass
    return count.observed()


def rows_of(data: Any) -> int | None:
    """Return how many rows there are; None where only reading them would tell."""
    if isinstance(data, (str, Path)):
        if Path(data).suffix.lower() not in (".parquet", ".pq"):
            return None
        import pyarrow.parquet

        return int(pyarrow.parquet.read_metadata(data).num_rows)
    shape = getattr(data, "shape", None)
    return int(shape[0]) if isinstance(shape, tuple) and isinstance(shape[0], int) else None


def _settled(columns: Columns, there: set[str], features: list[str], model: Any) -> Columns:
    """Check the columns that were named, and find answers under their usual names."""
    for what in ("prediction", "score", "target"):
        name = getattr(columns, what)
        if name is not None and name not in there:
            raise DataError(f"{what}: the data has no column {name!r}; it has {sorted(there)[:20]}")
    if model is not None:
        if columns.prediction is not None or columns.score is not None:
            raise DataError("give either the model or the columns that hold its answers")
        return columns
    usual = [name if name in there and name not in features else None for name in _ANSWERS]
    return replace(
        columns,
        prediction=columns.prediction or usual[0],
        score=columns.score or usual[1],
    )
