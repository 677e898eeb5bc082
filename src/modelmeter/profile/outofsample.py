"""What a model says of rows that it has not seen, measured when its profile is built.

On their own training rows most models look better than they are. So either there are rows
set aside (`hold_out`), or the model is fitted anew without a part of its rows at a time
(`cross_validate`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modelmeter._errors import DataError, ModelError
from modelmeter.profile.columns import Array
from modelmeter.profile.facts import (
    as_labels,
    as_scores,
    classes_of_scores,
    predict_function,
    wants_array,
)
from modelmeter.profile.folds import (
    Folds,
    group_folds,
    shuffled_folds,
    stratified_folds,
    time_blocks,
)
from modelmeter.profile.labelled import Labelled, labelled_batches, labelled_sample
from modelmeter.profile.profile import ModelFacts
from modelmeter.profile.refit import Unmeasured, unfitted
from modelmeter.profile.sources import Source
from modelmeter.stats.bins import Floats

MAX_ROWS: Final = 100_000
"""Rows that cross-validation fits and scores models on, unless told otherwise."""

FOLDS: Final = 5


@dataclass(frozen=True)
class OutOfSample:
    """True values beside what a model said that had not seen them.

    Parameters
    ----------
    y_true
        Shape (n_rows,): numbers of a regression, else positions in the model's classes.
    y_pred
        Shape (n_rows,), alike; -1 for an answer that is none of the classes.
    y_score
        Score of the positive class, or confidence, shape (n_rows,); None without scores.
    numbers
        Which rows of the data they are, counted from 0, shape (n_rows,): what they are
        split into segments by.
    method
        How it was measured, in words.
    """

    y_true: Array
    y_pred: Array
    y_score: Floats | None
    numbers: NDArray[np.intp]
    method: str

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, chosen: NDArray[Any]) -> OutOfSample:
        """Return some of the rows, by a mask or by their position here: a segment."""
        scores = None if self.y_score is None else self.y_score[chosen]
        y_true, y_pred, numbers = (a[chosen] for a in (self.y_true, self.y_pred, self.numbers))
        return OutOfSample(y_true, y_pred, scores, numbers, self.method)


def hold_out(
    model: Any, facts: ModelFacts, source: Source, features: Sequence[str], *, y: Any
) -> OutOfSample | Unmeasured:
    """Ask the model about rows that were set aside.

    Parameters
    ----------
    model, facts
        The model and what is known of it.
    source, features
        The rows set aside, and the columns that the model is given. Nothing can tell
        whether the model was trained on them after all.
    y
        Their true values, shape (n_rows,), or the name of their column; rows whose value
        is missing are left out.

    Returns
    -------
    OutOfSample or Unmeasured
        `Unmeasured` when the model does not predict or has a single class, when no true
        value is known, or when a model that does not name its classes never answered what
        is true.

    Raises
    ------
    DataError
        `y` has another length, or holds what the model cannot have been trained on.
    ModelError
        The model fails on the rows.
    """
    if (blocked := _blocked(facts, y)) is not None:
        return blocked
    parts = []
    for rows in labelled_batches(source, features, as_array=wants_array(model), y=y):
        truth = _coded_truth(model, facts, rows)
        if isinstance(truth, Unmeasured):
            return truth
        try:
            y_pred, y_score = _answers(model, facts, rows.X)
        except Exception as error:
            raise ModelError(f"the model failed on the rows held out: {error}") from error
        parts.append((truth, y_pred, y_score, rows.numbers))
    if not parts:
        return Unmeasured("no true value is known of the rows held out")
    y_true, y_pred, y_score, numbers = _columns(parts)
    return OutOfSample(y_true, y_pred, y_score, numbers, "hold-out")


def cross_validate(
    model: Any,
    facts: ModelFacts,
    source: Source,
    features: Sequence[str],
    *,
    y: Any,
    timestamps: Any = None,
    groups: Any = None,
    folds: int = FOLDS,
    max_rows: int = MAX_ROWS,
) -> OutOfSample | Unmeasured:
    """Fit the model anew without a fold of its rows at a time, and ask about that fold.

    It measures the way the model was made rather than this very model: each fit has seen
    a fold less, and no sample weights or other arguments of ``fit``. Of more than
    `max_rows` rows a sample is drawn, so that it costs at most `folds` fits on so many
    rows; with far fewer rows than it was trained on, most models look somewhat worse. A
    search is represented by its best estimator, whose settings were chosen on all rows.

    Parameters
    ----------
    model, facts
        The model, which is not touched, and what is known of it.
    source, features
        The training data, and the columns that the model is given.
    y
        True values, shape (n_rows,), or the name of their column; rows whose value is
        missing are left out.
    timestamps
        Time of every row, likewise. With it, folds are blocks of time.
    groups
        Group of every row, likewise. With it, a group is never split between folds,
        whatever its times.
    folds
        Number of folds, at least 2.
    max_rows
        Rows used at most.

    Returns
    -------
    OutOfSample or Unmeasured
        One answer for every row used; the same data always gives the same folds.
        `Unmeasured` as in `hold_out`, when the model cannot be fitted anew, when its fit
        fails, or when rows are too few.

    Raises
    ------
    DataError
        `y`, `timestamps` or `groups` have another length, or `y` holds what the model
        cannot have been trained on.
    """
    if (blocked := _blocked(facts, y)) is not None:
        return blocked
    if isinstance(blank := unfitted(model), Unmeasured):
        return blank
    batches = labelled_batches(
        source, features, as_array=wants_array(model), y=y, timestamps=timestamps, groups=groups
    )
    drawn = labelled_sample(batches, max_rows)
    if drawn is None:
        return Unmeasured("no true value is known")
    rows, total = drawn
    y_true = _coded_truth(model, facts, rows)
    if isinstance(y_true, Unmeasured):
        return y_true
    dealt = _folds(facts, rows, y_true, folds)
    if isinstance(dealt, Unmeasured):
        return dealt
    fold_of, how = dealt
    if total > len(rows):
        how = f"{how}, on a sample of {len(rows)} of {total} rows"
    return _refitted(lambda: unfitted(model), facts, rows, y_true, fold_of, how)


def _blocked(facts: ModelFacts, y: Any) -> Unmeasured | None:
    if facts.task == "other":
        return Unmeasured("the model does not predict")
    if facts.task != "regression" and len(facts.classes) < 2:
        what = "one class only" if facts.classes else "too many different answers to be classes"
        return Unmeasured(f"the model has {what}")
    if y is None:
        return Unmeasured("no true values were given: give y to measure how good the model is")
    return None


def _folds(
    facts: ModelFacts, rows: Labelled, y_true: Array, folds: int
) -> tuple[Folds, str] | Unmeasured:
    """Choose the folds, and say in words which."""
    if rows.groups is not None:
        fold_of, what = group_folds(rows.groups, folds), "folds of whole groups"
    elif rows.times is not None and rows.times.min() < rows.times.max():
        fold_of, what = time_blocks(rows.times, folds), "blocks of time"
    elif facts.task == "regression":
        fold_of, what = shuffled_folds(len(rows), folds), "folds"
    else:
        fold_of, what = stratified_folds(y_true, folds), "folds"
    used = len(np.unique(fold_of))
    if used < 2:
        return Unmeasured(f"{len(rows)} rows are too few to fit the model without some of them")
    return fold_of, f"cross-validation, {used} {what}"


def _refitted(
    blank: Callable[[], Any],
    facts: ModelFacts,
    rows: Labelled,
    y_true: Array,
    fold_of: Folds,
    how: str,
) -> OutOfSample | Unmeasured:
    parts = []
    for fold in np.unique(fold_of):
        held, seen = rows.take(np.flatnonzero(fold_of == fold)), np.flatnonzero(fold_of != fold)
        missing = len(facts.classes) - len(np.unique(y_true[seen]))
        if facts.task == "binary" and missing:
            return Unmeasured("a fold leaves rows of one class only to fit the model on")
        known = rows.take(seen)
        try:
            fresh = blank()
            fresh.fit(known.X, known.y)
            y_pred, y_score = _answers(fresh, facts, held.X)
        except Exception as error:  # noqa: BLE001 - a stranger's fit may raise anything
            return Unmeasured(f"the model could not be fitted again: {error!r}")
        parts.append((y_true[fold_of == fold], y_pred, y_score, held.numbers))
    truth, y_pred, y_score, numbers = _columns(parts)
    order = np.argsort(numbers)
    scores = None if y_score is None else y_score[order]
    return OutOfSample(truth[order], y_pred[order], scores, numbers[order], how)


_Part = tuple[Array, Array, Floats | None, NDArray[np.intp]]


def _columns(parts: list[_Part]) -> _Part:
    scores = [score for _, _, score, _ in parts if score is not None]
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate(scores) if scores else None,
        np.concatenate([part[3] for part in parts]),
    )


def _answers(model: Any, facts: ModelFacts, X: Any) -> tuple[Array, Floats | None]:
    """Ask a model, as it is asked in production."""
    scores = None
    if facts.score_method is not None:
        scores = as_scores(getattr(model, facts.score_method)(X))
    if facts.task == "binary" and scores is not None:
        return _codes(facts, classes_of_scores(facts, scores)), scores
    predict = predict_function(model)
    assert predict is not None
    labels = as_labels(predict(X))
    return (_codes(facts, labels) if facts.classes else _numbers(labels)), scores


def _coded_truth(model: Any, facts: ModelFacts, rows: Labelled) -> Array | Unmeasured:
    if not facts.classes:
        numbers = _numbers(rows.y)
        bad = np.flatnonzero(~np.isfinite(numbers))
        if len(bad):
            raise DataError(
                f"y: row {rows.numbers[bad[0]]} holds {rows.y[bad[0]]!r}, which is no finite number"
            )
        return numbers
    codes = _codes(facts, rows.y)
    bad = np.flatnonzero(codes < 0)
    if not len(bad):
        return codes
    found = f"y: row {rows.numbers[bad[0]]} holds {rows.y[bad[0]]!r}"
    if hasattr(model, "classes_"):
        raise DataError(f"{found}, which is none of the model's classes {list(facts.classes)}")
    # Its classes are only what it was seen to answer: y may be in another language.
    return Unmeasured(f"{found}, which the model never answered: give it classes_ to say its own")


def _codes(facts: ModelFacts, labels: Array | None) -> NDArray[np.intp]:
    """Return the position of every label among the model's classes, -1 for none of them."""
    assert labels is not None
    table = {value: i for i, value in enumerate(facts.classes)}
    return np.asarray([table.get(value, -1) for value in labels.tolist()], dtype=np.intp)


def _numbers(values: Array) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"y must be numbers for a regression: {error}") from error
