"""True values that come beside the answers, added up batch by batch.

What the label store adds up row by row as labels come, for rows that are all at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmeter._errors import DataError
from modelmeter.live.counts import Counts
from modelmeter.live.outputs import Answer, OutputCounter
from modelmeter.live.placing import plans_of
from modelmeter.live.rows import split
from modelmeter.profile.calibration import center_of
from modelmeter.profile.columns import Array
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.profile.segments import segmented
from modelmeter.report.counts import Floats, Labelled
from modelmeter.stats.labels import category_labels, plain
from modelmeter.stats.performance import ERROR_SUMS, TARGET_SUMS, error_sums, target_sums
from modelmeter.stats.values import as_number, is_missing

_NONE = -1


class LabelledRows:
    """Adds up what rows say whose answers and true values are at hand.

    Parameters
    ----------
    profile
        Of a model that predicts.

    Raises
    ------
    DataError
        The model predicts neither classes nor numbers.
    """

    def __init__(self, profile: Profile) -> None:
        self._labels = LabelCounter(profile)
        self._features = [feature.name for feature in profile.features]
        # Nothing is counted there: it brings answers into the bins of the profile.
        plans = plans_of(profile)[len(self._features) :]
        self._outputs = OutputCounter(profile, plans, Counts())

    @property
    def counts(self) -> Labelled:
        """What was added up so far."""
        return self._labels.counts

    def add(self, y_true: Array, *, y_pred: Any = None, y_score: Any = None, X: Any = None) -> None:
        """Add rows.

        Parameters
        ----------
        y_true
            True values, shape (n_rows,); missing ones are passed over.
        y_pred, y_score
            What the model said of these rows, as `Observer.observe` takes it.
        X
            The rows, to tell their segments.

        Raises
        ------
        DataError
            There are no answers, or not as many as true values; or a true value is none of the
            classes, or no number.
        """
        outputs = self._outputs.bring(y_pred, y_score)
        if outputs is None:
            raise DataError("true values need the model's answers to the same rows")
        if len(y_true) != outputs.rows:
            raise DataError(f"there are {len(y_true)} true values for {outputs.rows} answers")
        segmented = X is not None and self._outputs.segmented
        rows = split(X, self._features) if segmented else None
        segments = self._outputs.segment_places(rows, outputs.rows)
        self._outputs.count(outputs, segments, keep=True)
        self._labels.add(y_true, self._outputs.answer("", 0.0, outputs, segments))


class LabelCounter:
    """Adds up what labelled rows say of one model.

    Parameters
    ----------
    profile
        Of a model that predicts.

    Raises
    ------
    DataError
        The model predicts neither classes nor numbers.
    """

    def __init__(self, profile: Profile) -> None:
        facts = profile.model
        if facts.task == "other" or not (facts.classes or facts.task == "regression"):
            raise DataError(
                f"{profile.name} predicts neither classes nor numbers that true values could be "
                "compared with"
            )
        self._segments = [segments for _, segments in segmented(profile)]
        self._classes = facts.classes
        pred, score = profile.output(Y_PRED), profile.output(Y_SCORE)
        self._class_of = _class_of(pred, category_labels(facts.classes))
        by_score = facts.task == "binary" and score is not None
        self._levels = len(score.positions) if by_score and score is not None else 0
        self._bins = len(pred.positions) if pred is not None else 0
        self._center = center_of(None if pred is None else pred.bins)
        self.counts = self._zeros()

    def add(self, y_true: Array, answer: Answer) -> None:
        """Add the rows whose true value is known.

        Parameters
        ----------
        y_true
            Shape (n_rows,).
        answer
            What the model said of the same rows.

        Raises
        ------
        DataError
            A true value is none of the classes, or no number.
        """
        if self._classes:
            truth = self._codes(y_true)
            self._count_classes("", truth, answer, slice(None))
        else:
            numbers = self._numbers(y_true)
            self._sum_errors("", numbers, answer, slice(None))
        for names, places in zip(self._segments, answer.segments, strict=False):
            where = np.asarray(places)
            for place in np.unique(where).tolist():
                chosen = np.flatnonzero(where == place)
                if self._classes:
                    self._count_classes(names[place], truth, answer, chosen)
                else:
                    self._sum_errors(names[place], numbers, answer, chosen)

    def _zeros(self) -> Labelled:
        names = ["", *(name for of_feature in self._segments for name in of_feature)]
        classes, levels = len(self._classes), self._levels
        if classes:
            return Labelled(
                {name: np.zeros((classes, classes)) for name in names},
                {name: np.zeros((levels, 2)) for name in names if levels},
            )
        return Labelled(
            errors={n: np.zeros((1 if n else self._bins, len(ERROR_SUMS))) for n in names},
            targets={n: np.zeros(len(TARGET_SUMS)) for n in names},
        )

    def _count_classes(self, segment: str, truth: Floats, answer: Answer, rows: Any) -> None:
        true = truth[rows].astype(np.intp)
        known = true != _NONE
        if answer.pred is not None:
            said = self._class_of[np.asarray(answer.pred, dtype=np.intp)][rows]
            both = known & (said != _NONE)
            np.add.at(self.counts.confusion[segment], (true[both], said[both]), 1.0)
        if self._levels and answer.score is not None:
            place = np.asarray(answer.score, dtype=np.intp)[rows]
            both = known & (place < self._levels)
            np.add.at(self.counts.scores[segment], (place[both], true[both]), 1.0)

    def _sum_errors(self, segment: str, truth: Floats, answer: Answer, rows: Any) -> None:
        if answer.values is None or answer.pred is None:
            return
        said = np.asarray(answer.values, dtype=np.float64)[rows]
        place = np.asarray(answer.pred, dtype=np.intp)[rows]
        true = truth[rows]
        both = np.isfinite(true) & np.isfinite(said) & (place < self._bins)
        size = 1 if segment else self._bins
        places = np.zeros(int(both.sum()), dtype=np.intp) if segment else place[both]
        # An error of 1e200 has an infinite square: the figures then say nothing, which is so.
        with np.errstate(over="ignore", invalid="ignore"):
            sums = error_sums(true[both], said[both], places=places, bins=size)
            self.counts.errors[segment][:] += sums
            self.counts.targets[segment][:] += target_sums(
                true[both], said[both], center=self._center
            )

    def _codes(self, y_true: Array) -> Floats:
        """Return the place of every true class, -1 where it is missing."""
        table: dict[Any, int] = {}
        for i, one in enumerate(self._classes):
            table[str(plain(one))] = i
        table |= {plain(one): i for i, one in enumerate(self._classes)}
        codes = np.empty(len(y_true))
        for i, value in enumerate(y_true.tolist()):
            found = _NONE if is_missing(value) else table.get(_hashable(value))
            if found is None:
                expected = category_labels(self._classes)[:10]
                raise DataError(f"the target holds {value!r}, which is none of {expected}")
            codes[i] = found
        return codes

    def _numbers(self, y_true: Array) -> Floats:
        """Return true values, NaN where they are missing."""
        if y_true.dtype.kind in "fiub":
            return y_true.astype(np.float64)
        numbers = np.full(len(y_true), np.nan)
        for i, value in enumerate(y_true.tolist()):
            if is_missing(value):
                continue
            found = as_number(value)
            if found is None:
                raise DataError(f"the target holds {value!r}, which is no number")
            numbers[i] = found
        return numbers


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return ascii(value)
    return plain(value)


def _class_of(output: FeatureProfile | None, classes: Sequence[str]) -> NDArray[np.intp]:
    """Return the class that each bin of the predicted class stands for, -1 for none."""
    places = {label: i for i, label in enumerate(classes)}
    bins = output.bins.bins if output is not None else ()
    return np.asarray(
        [places.get(b.label, _NONE) if b.kind == "category" else _NONE for b in bins],
        dtype=np.intp,
    )
