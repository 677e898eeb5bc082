"""What is kept of a prediction, what a label is, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple


class Prediction(NamedTuple):
    """What is kept of a prediction until its label comes: enough to count it, no features.

    Parameters
    ----------
    id
        Unique within the model; see `checks.check_id`. One id may stand for the answers of several
        versions of a model, if they are remembered in one call.
    time
        Unix time, UTC.
    model, version
        Who predicted.
    y_pred
        Predicted class, as in the metrics' labels.
    ord, bin
        Position and name of the score's bin, or of the predicted value's.
    value
        Predicted value of a regression; not finite is as good as None.
    segments
        Segments that the row belongs to, such as ``origin=JFK``.
    center
        What powers of a regression's truth are taken about.
    """

    id: str
    time: float
    model: str
    version: str
    y_pred: str | None = None
    ord: str | None = None
    bin: str | None = None
    value: float | None = None
    segments: tuple[str, ...] = ()
    center: float | None = None


class Label(NamedTuple):
    """A label that has been checked: id of the prediction, truth as text, Unix time."""

    id: str
    y_true: str
    time: float


class OutcomeKind(StrEnum):
    """What became of a label.

    All but ``waiting`` are counted as such when they are answered; ``waiting`` ends as one of
    counted, orphan, expired or contradiction, and is counted as that then.
    """

    COUNTED = "counted"
    DUPLICATE = "duplicate"
    WAITING = "waiting"
    ORPHAN = "orphan"
    EXPIRED = "expired"
    CONTRADICTION = "contradiction"
    INVALID = "invalid"


class Outcome(NamedTuple):
    """Answer to one label: the id as it was given, what became of it, and why, in words."""

    prediction_id: Any
    kind: OutcomeKind
    reason: str


class Tally(NamedTuple):
    """An amount to add to one series.

    Parameters
    ----------
    metric
        Which family; any text, except that `OUTCOMES` is the store's own.
    labels
        Values of the labels beyond model and version.
    amount
        What to add; not negative, since it is exported as a counter.
    """

    metric: str
    labels: tuple[str, ...]
    amount: float = 1.0


TallyLabel = Callable[[Prediction, str, float], Sequence[Tally]]
"""Says what a label adds to: given the prediction, the truth as text and the lag in seconds."""

OUTCOMES: Final = "labels"
"""The store's own family of totals: labels by outcome."""
