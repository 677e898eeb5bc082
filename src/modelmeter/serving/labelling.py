"""Labels as users give them: true values by id, or beside answers that they still hold."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from modelmeter._errors import MissingExtraError
from modelmeter.live.ids import new_id, row_id
from modelmeter.live.outputs import OutputCounter, Places
from modelmeter.live.rows import Columns, split
from modelmeter.profile.profile import Profile
from modelmeter.stats.labels import category_labels

try:
    from modelmeter.live.feedback import Feedback
    from modelmeter.live.kept import Kept
    from modelmeter.live.labels import Outcome, Prediction
    from modelmeter.live.labels.checks import check_label, is_storable
    from modelmeter.live.labels.records import Label
    from modelmeter.live.tallies import check_of
except ImportError as error:
    raise MissingExtraError("sqlalchemy", "serve") from error

_CHUNK: Final = 5_000
"""Labels that go to the store at once."""

_ANSWER: Final = ("y_pred", "y_score")

Item = Mapping[str, Any]


class Labelling:
    """Counts the labels of one model.

    Parameters
    ----------
    profile
        Of the model.
    outputs
        Brings answers into the bins of the profile.
    feedback
        Keeps predictions and counts labels.
    """

    def __init__(self, profile: Profile, outputs: OutputCounter, feedback: Feedback) -> None:
        self.feedback: Final = feedback
        self._features = [feature.name for feature in profile.features]
        classes = profile.model.classes
        self._classes = dict(zip(category_labels(classes), classes, strict=True))
        self._by_score = profile.model.task == "binary"
        self._check = check_of(profile)
        self._outputs = outputs

    def label(self, items: Sequence[Any], X: Any = None) -> list[Outcome]:
        """Count labels; see `Monitor.label`.

        Parameters
        ----------
        items
            Objects; what is none is answered as invalid.
        X
            The rows that those with answers are about, to tell their segments.

        Raises
        ------
        ValueError
            `X` has another number of rows.
        StoreUnavailableError
            The database cannot be used now.
        """
        segments = self._segments(X, len(items))
        outcomes: list[Outcome] = []
        for start in range(0, len(items), _CHUNK):
            rows = range(start, min(start + _CHUNK, len(items)))
            parts = [[places[row : row + 1] for places in segments] for row in rows]
            outcomes += self._label_some([items[row] for row in rows], parts)
        return outcomes

    def _label_some(
        self, items: Sequence[Any], segments: Sequence[Sequence[Places]]
    ) -> list[Outcome]:
        now = time.time()
        given: list[Item] = []
        predictions: list[Prediction] = []
        refused: dict[int, str] = {}
        for i, item in enumerate(items):
            if not isinstance(item, Mapping) or all(item.get(name) is None for name in _ANSWER):
                given.append(item)
                continue
            if item.get("prediction_id") is None:
                item = {**item, "prediction_id": new_id(now)}
            try:
                predictions.append(self._prediction(item, segments[i], now))
                given.append(item)
            except (ArithmeticError, TypeError, ValueError) as error:
                refused[i] = str(error)
                # Without a truth it is invalid to the store too, and counted as that.
                given.append({"prediction_id": items[i].get("prediction_id")})
        outcomes = self.feedback.label(given, predictions)
        for i, reason in refused.items():
            outcomes[i] = outcomes[i]._replace(reason=reason)
        return outcomes

    def _prediction(self, item: Item, segments: Sequence[Places], now: float) -> Prediction:
        """Return the prediction that an item holds beside its label.

        Raises
        ------
        ValueError
            With the reason why one of the two cannot be counted.
        """
        label: Label = check_label(item, self._check, now)
        y_pred, y_score = item.get("y_pred"), item.get("y_score")
        outputs = self._outputs.bring(
            None if y_pred is None else [self._predicted(y_pred)],
            None if y_score is None else [_score(y_score)],
        )
        if outputs is None:
            raise ValueError("the profile of the model has neither y_pred nor y_score")
        answer = self._outputs.answer(label.id, label.time, outputs, segments)
        [record] = Kept(self.feedback.form, answer)
        if self._by_score and outputs.scores is not None and record.ord is None:
            raise ValueError(f"y_score is a number, not {y_score!r}")
        if record.y_pred is None and record.ord is None and record.value is None:
            raise ValueError("y_pred is missing, and y_score does not say it")
        if not is_storable(record):
            raise ValueError(f"a prediction that cannot be kept: {record!r}")
        return record

    def _predicted(self, value: Any) -> Any:
        """Return a predicted class or value as the profile knows it."""
        try:
            text = self._check(value)
        except ValueError as error:
            # A prediction is one of what a truth can be.
            raise ValueError(str(error).replace("y_true", "y_pred", 1)) from None
        return self._classes[text] if self._classes else float(text)

    def _segments(self, X: Any, size: int) -> list[Places]:
        if X is None:
            return []
        rows = split(X, self._features)
        _same_length("X", rows.rows if isinstance(rows, Columns) else len(rows), size)
        return self._outputs.segment_places(rows, size)


def items_of(
    y_true: Any, prediction_id: Any, y_pred: Any, y_score: Any, time: Any
) -> list[dict[str, Any]]:
    """Return one object per label, as `POST /feedback` takes them.

    Parameters
    ----------
    y_true, prediction_id, y_pred, y_score, time
        As given to `Monitor.feedback`.

    Raises
    ------
    ValueError
        Lengths differ, or there is nothing that says what the labels are for.
    """
    if prediction_id is None and y_pred is None and y_score is None:
        raise ValueError("feedback needs prediction_id, or the answers: y_pred or y_score")
    alone = _is_one(y_true)
    truths = [y_true] if alone else _listed(y_true)
    size = len(truths)
    columns: dict[str, list[Any]] = {"y_true": truths}
    if prediction_id is not None:
        columns["prediction_id"] = _ids(prediction_id, size)
    if y_pred is not None:
        columns["y_pred"] = [y_pred] if _is_one(y_pred) else _listed(y_pred)
    if y_score is not None:
        scores = [y_score] if _is_one(y_score) else _listed(y_score)
        # Of a single answer: one score, or one for every class.
        columns["y_score"] = [scores] if alone and len(scores) > 1 else scores
    if time is not None:
        columns["time"] = [time] * size if _is_one(time) else _listed(time)
    for name, values in columns.items():
        _same_length(name, len(values), size)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _ids(given: Any, size: int) -> list[Any]:
    """Return an id for every row; that of a call stands for its rows."""
    if not _is_one(given):
        return _listed(given)
    return [given] if size == 1 else [row_id(str(given), i, size) for i in range(size)]


def _is_one(value: Any) -> bool:
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__len__"):
        return True
    return getattr(value, "ndim", 1) == 0


def _listed(values: Any) -> list[Any]:
    """Return values of a list, an array, a series of pandas, polars or pyarrow."""
    if isinstance(values, (list, tuple)):
        return list(values)
    array = np.asarray(values)
    if array.dtype.kind == "M":  # numpy's points in time have no zone: they are in UTC
        micros = array.astype("datetime64[us]")
        seconds = micros.astype(np.int64) / 1e6
        return [None if np.isnat(m) else s for m, s in zip(micros, seconds.tolist(), strict=True)]
    return array.tolist() if array.ndim == 1 else list(array)


def _score(value: Any) -> Any:
    try:
        scores = np.empty(0) if isinstance(value, str) else np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        scores = np.empty(0)
    if scores.ndim > 1 or not scores.size or not np.isfinite(scores).all():
        shown = repr(value)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        raise ValueError(f"y_score is a number, or one for every class, not {shown}")
    return value


def _same_length(name: str, length: int, expected: int) -> None:
    if length != expected:
        raise ValueError(f"{name} has {length} values for {expected} of y_true")
