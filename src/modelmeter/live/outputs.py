"""What the model answered: counted by bin, as a whole and by segment, and kept for its label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmeter import names
from modelmeter.live.counts import Block, Counts
from modelmeter.live.ids import Ids
from modelmeter.live.placing import Part, Plan, count_column, place_column
from modelmeter.live.rows import Columns, Rows
from modelmeter.profile.columns import Array
from modelmeter.profile.facts import Y_PRED, Y_SCORE, as_labels, as_scores, classes_of_scores
from modelmeter.profile.profile import Profile
from modelmeter.profile.segments import all_segments
from modelmeter.stats.bins import Bins
from modelmeter.stats.labels import category_labels
from modelmeter.stats.values import Floats, as_number, is_missing

Places = Sequence[int] | NDArray[np.intp]


@dataclass(slots=True, eq=False)
class Outputs:
    """What a model said of some rows, as the profile counts it.

    Parameters
    ----------
    rows
        How many.
    labels
        Predicted classes or values, shape (n_rows,); None where they are not known.
    scores
        Scores of the positive class, or confidences, likewise.
    leading
        Position of the class with the largest score, of a model with more than two; likewise.
    places
        Bin numbers by output (``y_pred``, ``y_score``), as far as they were needed so far.
    """

    rows: int
    labels: Array | None = None
    scores: Floats | None = None
    leading: NDArray[np.intp] | None = None
    places: dict[str, Places] = field(default_factory=dict)


class Answer(NamedTuple):
    """What is kept of the predictions of one call.

    Parameters
    ----------
    ids
        See `Ids`.
    time
        Unix time.
    rows
        How many.
    pred, score
        Bin numbers of classes (or predicted values) and of scores, of length `rows`; None
        where they are not known.
    values
        Predicted values of a regression, likewise.
    segments
        For every segmented feature, the bin number of every row.
    """

    ids: Ids
    time: float
    rows: int
    pred: Places | None
    score: Places | None
    values: Sequence[float] | None
    segments: Sequence[Places]


class OutputCounter:
    """Counts what one model answers.

    Parameters
    ----------
    profile
        Of the model.
    plans
        Cells of its outputs in the block of bins; those by segment follow.
    counts
        Where the confidences by class are counted, of a model with more than two.
    """

    def __init__(self, profile: Profile, plans: Sequence[Plan], counts: Counts) -> None:
        self._facts = profile.model
        self._classes = np.asarray(profile.model.classes, dtype=object)
        self._threshold = profile.model.threshold if profile.model.task == "binary" else None
        self._plans = {plan.name: plan for plan in plans}
        self._pred, self._score = self._plans.get(Y_PRED), self._plans.get(Y_SCORE)
        self._is_number = profile.model.task == "regression"
        bins = {feature.name: feature.bins for feature in profile.features}
        self._segmented = [(s.feature, bins[s.feature]) for s in profile.segments]
        first = plans[0].start if plans else 0
        self._first, stop = first, plans[-1].stop if plans else 0
        self._width = stop - first
        sizes = [len(bins.bins) * self._width for _, bins in self._segmented]
        self._starts = list(accumulate(sizes, initial=stop))[:-1]
        scores = profile.output(Y_SCORE)
        self._levels = len(scores.positions) if scores is not None else 0
        self._confidences: Block | None = None
        if is_by_class(profile):
            self._confidences = counts.block(names.CLASS_SCORE, class_score_rows(profile))

    @property
    def segmented(self) -> bool:
        """Whether rows are told apart by segment."""
        return bool(self._segmented)

    def bring(self, y_pred: Any, y_score: Any, *, derive: bool = True) -> Outputs | None:
        """Bring outputs into shape; None where the profile counts none of them.

        Parameters
        ----------
        y_pred, y_score
            As given to `Observer.observe`.
        derive
            Whether classes are derived from scores where `y_pred` is not given.

        Raises
        ------
        ValueError
            The two are of different lengths.
        """
        labels = scores = leading = None
        if y_score is not None and self._score is not None:
            scores = as_scores(y_score)
            if self._confidences is not None:
                leading = _leading(y_score, len(self._facts.classes))
        if self._pred is None:
            pass
        elif y_pred is not None:
            labels = as_labels(y_pred)
        elif derive and scores is not None and self._threshold is not None:
            labels = self._classes[(scores >= self._threshold).astype(np.intp)]
        elif derive and y_score is not None:
            labels = classes_of_scores(self._facts, y_score)
        if labels is None:
            return None if scores is None else Outputs(len(scores), None, scores, leading)
        if scores is not None and len(scores) != len(labels):
            raise ValueError(f"y_score has {len(scores)} values for {len(labels)} of y_pred")
        return Outputs(len(labels), labels, scores, leading)

    def segment_places(self, rows: Rows | None, size: int) -> list[Places]:
        """Return the bin of every row in each segmented feature; none without rows.

        Raises
        ------
        ValueError
            There are not `size` rows.
        """
        if rows is None:
            return []
        there = rows.rows if isinstance(rows, Columns) else len(rows)
        if there != size:
            raise ValueError(f"there are {size} predictions for {there} rows")
        return [_places_in(rows, name, bins, size) for name, bins in self._segmented]

    def count(
        self, outputs: Outputs, segments: Sequence[Places] = (), *, keep: bool = False
    ) -> tuple[list[int], list[Part]]:
        """Return the cells of a single answer, or the counts of several.

        Parameters
        ----------
        outputs, segments
            From `bring` and `segment_places`.
        keep
            Whether the bin of every row is needed afterwards, by `answer`.
        """
        cells: list[int] = []
        parts: list[Part] = []
        for plan, values in ((self._pred, outputs.labels), (self._score, outputs.scores)):
            if plan is None or values is None:
                continue
            if outputs.rows == 1:
                place = plan.bins.index(values[0])
                outputs.places[plan.name] = [place]
                cells.append(plan.start + place)
                offset = plan.start - self._first + place
                for start, places in zip(self._starts, segments, strict=False):
                    cells.append(start + int(places[0]) * self._width + offset)
            elif segments or keep:
                places = np.asarray(_placed(plan, values, outputs))
                parts += self._parts(plan, places, segments)
            else:
                parts.append(count_column(plan, values))
        return cells, parts

    def add_confidences(self, outputs: Outputs, segments: Sequence[Places] = ()) -> None:
        """Count confidences by class; call it with the lock of the counts held."""
        if self._confidences is None:
            return
        there, cells = self.confidence_cells(outputs)
        if not len(cells):
            return
        size = len(self._facts.classes) * self._levels
        np.add.at(self._confidences.values, cells, 1.0)
        start = size
        for (_, of_feature), where in zip(self._segmented, segments, strict=False):
            by_segment = start + np.asarray(where)[there] * size + cells
            np.add.at(self._confidences.values, by_segment, 1.0)
            start += len(of_feature.bins) * size

    def confidence_cells(self, outputs: Outputs) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """Find the cells of confidences by class, among those of all rows together.

        Parameters
        ----------
        outputs
            From `bring`.

        Returns
        -------
        array of bool, array of int
            Which rows have one, shape (n_rows,); the cell of each that has.
        """
        if self._score is None or outputs.leading is None or outputs.scores is None:
            return np.zeros(outputs.rows, dtype=bool), np.zeros(0, dtype=np.intp)
        bins = self._levels
        places = np.asarray(_placed(self._score, outputs.scores, outputs))
        there = places < bins
        return there, (outputs.leading * bins + places)[there]

    def answer(
        self, ids: Ids, time: float, outputs: Outputs, segments: Sequence[Places] = ()
    ) -> Answer:
        """Return what is kept of an answer; the caller may change his arrays afterwards."""
        pred = score = values = None
        if outputs.labels is not None and self._pred is not None:
            pred = _placed(self._pred, outputs.labels, outputs)
            if self._is_number:
                values = _numbers(outputs.labels)
        if outputs.scores is not None and self._score is not None:
            score = _placed(self._score, outputs.scores, outputs)
        return Answer(ids, time, outputs.rows, pred, score, values, segments)

    def _parts(
        self, plan: Plan, places: NDArray[np.intp], segments: Sequence[Places]
    ) -> list[Part]:
        size = plan.stop - plan.start
        parts = [(slice(plan.start, plan.stop), np.bincount(places, minlength=size))]
        offset = plan.start - self._first
        for (_, bins), start, where in zip(self._segmented, self._starts, segments, strict=False):
            cells = np.asarray(where) * self._width + offset + places
            whole = len(bins.bins) * self._width
            parts.append((slice(start, start + whole), np.bincount(cells, minlength=whole)))
        return parts


def is_by_class(profile: Profile) -> bool:
    """Tell whether confidences are counted by predicted class."""
    scores = profile.output(Y_SCORE)
    return profile.model.task == "multiclass" and scores is not None and bool(scores.positions)


def class_score_rows(profile: Profile) -> list[tuple[str, ...]]:
    """Return label values of ``model_class_score_total``: by segment, class, confidence bin."""
    scores = profile.output(Y_SCORE)
    return [
        (profile.name, profile.version, said, *bin_, segment)
        for segment in ("", *all_segments(profile))
        for said in category_labels(profile.model.classes)
        for bin_ in (scores.positions if scores is not None else ())
    ]


def _leading(y_score: Any, classes: int) -> NDArray[np.intp] | None:
    array = np.asarray(y_score)
    if array.ndim != 2 or array.shape[1] != classes:
        return None
    return np.asarray(array.argmax(axis=1), dtype=np.intp)


def _placed(plan: Plan, values: Array, outputs: Outputs) -> Places:
    """Return the bin of every row, worked out once."""
    found = outputs.places.get(plan.name)
    if found is None:
        one = len(values) == 1
        found = [plan.bins.index(values[0])] if one else place_column(plan.bins, values)
        outputs.places[plan.name] = found
    return found


def _numbers(values: Array) -> list[float]:
    """Return predicted values, NaN for what is no number."""
    if values.dtype.kind not in "fiub":
        return list(map(_number, values))
    numbers: list[float] = values.astype(np.float64).tolist()
    return numbers


def _number(value: object) -> float:
    try:
        found = None if is_missing(value) else as_number(value)
    except Exception:  # noqa: BLE001 - a stranger's methods may raise anything
        found = None
    return math.nan if found is None else found


def _places_in(rows: Rows, name: str, bins: Bins, size: int) -> Places:
    """Return the bin of every row; that of missing values where the column is absent."""
    if not isinstance(rows, Columns):
        return [bins.index(row[name]) if name in row else bins.missing for row in rows]
    found = np.full(size, bins.missing, dtype=np.intp)
    array = rows.arrays.get(name)
    if array is not None:
        found[rows.where.get(name, slice(None))] = place_column(bins, array)
    return found
