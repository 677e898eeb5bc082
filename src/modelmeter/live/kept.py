"""What is kept of a call's predictions until their labels come, made into records late.

On the request path only the arrays of bin numbers are at hand; the thread that writes makes
the records of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from modelmeter.live.ids import row_id
from modelmeter.live.labels.records import Prediction
from modelmeter.live.outputs import Answer
from modelmeter.profile.calibration import center_of
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.profile.segments import segmented


class Form:
    """What is kept of the predictions of one model: names of classes, bins and segments.

    Parameters
    ----------
    profile
        Of the model.
    """

    def __init__(self, profile: Profile) -> None:
        self.name = (profile.name, profile.version)
        pred, score = profile.output(Y_PRED), profile.output(Y_SCORE)
        self.classes = _classes(pred) if profile.model.classes else None
        self.center: float | None = None
        self.by_score = profile.model.task == "binary"
        self.bins: list[tuple[str | None, str | None]] | None = None
        if self.by_score:
            self.bins = _ordered(score)
        elif profile.model.task == "regression":
            self.bins = _ordered(pred)
            self.center = center_of(None if pred is None else pred.bins)
        self.segments = [segments for _, segments in segmented(profile)]

    def keeps(self, answer: Answer) -> bool:
        """Tell whether there is anything in an answer that figures are worked out from."""
        places = answer.score if self.by_score else answer.pred
        is_class = self.classes is not None and answer.pred is not None
        return is_class or (self.bins is not None and places is not None)


class Kept(Sequence[Prediction]):
    """The predictions of one call as the label store takes them.

    Parameters
    ----------
    form
        Of the model.
    answer
        What the model said, in numbers of bins.
    """

    __slots__ = ("_answer", "_form")

    def __init__(self, form: Form, answer: Answer) -> None:
        self._form = form
        self._answer = answer

    def __len__(self) -> int:
        return self._answer.rows

    @overload
    def __getitem__(self, row: int) -> Prediction: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[Prediction]: ...

    def __getitem__(self, row: int | slice) -> Prediction | Sequence[Prediction]:
        if isinstance(row, slice):
            return [self._record(i) for i in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self._record(row)

    def __iter__(self) -> Iterator[Prediction]:
        return map(self._record, range(len(self)))

    def _record(self, row: int) -> Prediction:
        form, answer = self._form, self._answer
        y_pred = None
        if form.classes is not None and answer.pred is not None:
            y_pred = form.classes[answer.pred[row]]
        places = answer.score if form.by_score else answer.pred
        ord_, label = (
            form.bins[places[row]] if form.bins is not None and places is not None else (None, None)
        )
        return Prediction(
            row_id(answer.ids, row, len(self)) if isinstance(answer.ids, str) else answer.ids[row],
            answer.time,
            *form.name,
            y_pred=y_pred,
            ord=ord_,
            bin=label,
            value=None if answer.values is None else answer.values[row],
            segments=tuple(
                names[places[row]]
                for names, places in zip(form.segments, answer.segments, strict=False)
            ),
            center=form.center,
        )


def _classes(output: FeatureProfile | None) -> list[str | None] | None:
    """Return the class that every bin stands for; None for those that stand for none."""
    if output is None:
        return None
    return [place.label if place.kind == "category" else None for place in output.bins.bins]


def _ordered(output: FeatureProfile | None) -> list[tuple[str | None, str | None]] | None:
    """Return position and name of every bin that has a position."""
    if output is None:
        return None
    return [(place.ord, place.label) if place.ord else (None, None) for place in output.bins.bins]
