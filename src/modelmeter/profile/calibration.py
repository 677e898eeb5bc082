"""What a model's answers were worth out of sample, in counts by bin.

Counts are kept, not the probabilities worked out from them: they add up when profiles are
merged, and say how far each probability can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from modelmeter._errors import MergeError
from modelmeter.profile.check import Checker
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import FeatureProfile, ModelFacts
from modelmeter.stats.bins import MAX_INTERVALS, Bins, NumericBins
from modelmeter.stats.performance import (
    ERROR_SUMS,
    TARGET_SUMS,
    OutcomeRatios,
    binary_ratios,
    multiclass_ratios,
)

Counts3 = tuple[tuple[tuple[int, ...], ...], ...]

MOST_CELLS: Final = 2_000_000
"""With more pairs of classes times score bins than this, nothing is calibrated."""

MOST_ROWS: Final = 2**53
LARGEST_SUM: Final = 1e300
"""Beyond it, what is computed from a sum may be more than any float."""


@dataclass(frozen=True)
class Calibration:
    """Out-of-sample rows of a classifier, by what it said and what was true.

    Parameters
    ----------
    counts
        Rows by predicted class, score bin and true class. A binary classifier with scores
        has one entry for both predictions, since the bin says which; a classifier without
        scores has one bin.
    scores
        A score that stands for each bin; empty without scores.
    probabilities
        Whether scores are probabilities.
    """

    counts: Counts3
    scores: tuple[float, ...] = ()
    probabilities: bool = True

    @property
    def by_score(self) -> bool:
        """Whether the score bin alone says what is predicted."""
        return len(self.counts) == 1

    @property
    def rows(self) -> int:
        """Rows that it was measured on."""
        return int(np.sum(self.counts))

    @cached_property
    def ratios(self) -> OutcomeRatios:
        """Probability of every class by what the model said, smoothed.

        Of shape (n_bins, 2) where the score says it all, else (n_classes, n_bins,
        n_classes).
        """
        if self.by_score:
            return binary_ratios(self.counts[0], self.scores, probabilities=self.probabilities)
        return multiclass_ratios(self.counts, self.scores or None, probabilities=self.probabilities)

    def merge(self, other: Calibration) -> Calibration:
        """Add up two calibrations by the same bins.

        Raises
        ------
        MergeError
            They are by different bins.
        """
        mine, theirs = np.asarray(self.counts), np.asarray(other.counts)
        if mine.shape != theirs.shape or self.probabilities != other.probabilities:
            raise MergeError(f"calibrations of shape {mine.shape} and {theirs.shape}")
        return Calibration(_counts((mine + theirs).tolist()), self.scores, self.probabilities)

    def condensed(self) -> Calibration:
        """Return what a baseline needs of it: without bins where the class says it all."""
        if self.by_score:
            return self
        table = np.asarray(self.counts).sum(axis=1, keepdims=True)
        return Calibration(_counts(table.tolist()), (), self.probabilities)

    def to_document(self, classes: Sequence[Any]) -> dict[str, Any]:
        """Return what is written to the profile file: pairs that never came are left out."""
        table = np.asarray(self.counts)
        pairs = [
            {"y_pred": None if self.by_score else classes[said], "y_true": true, "rows": rows}
            for said in range(len(table))
            for true, rows in zip(classes, table[said].T.tolist(), strict=True)
            if any(rows)
        ]
        return {
            "by_score": self.by_score,
            "bins": table.shape[1],
            "scores": list(self.scores),
            "probabilities": self.probabilities,
            "table": pairs,
        }

    @staticmethod
    def from_document(c: Checker, classes: Sequence[Any]) -> Calibration:
        """Read what `to_document` wrote.

        Raises
        ------
        ProfileFileError
            A field is missing or holds something else.
        """
        by_score, bins, scores = c.flag("by_score"), c.count("bins"), c.numbers("scores")
        c.require(0 < bins <= MAX_INTERVALS + 2, "bins", f"is {bins}, not 1 to {MAX_INTERVALS + 2}")
        fits = len(scores) == bins or not (scores or by_score)
        c.require(fits, "scores", f"has {len(scores)} for {bins} bins")
        c.require(scores == sorted(scores), "scores", "must not fall")
        c.require(not by_score or len(classes) == 2, "by_score", "is for two classes only")
        cells = bins * len(classes) ** 2
        c.require(cells <= MOST_CELLS, "table", f"is of {len(classes)} classes by {bins} bins")
        table = np.zeros((1 if by_score else len(classes), bins, len(classes)), dtype=np.int64)
        where = {value: i for i, value in enumerate(classes)}
        total = 0
        for pair in c.objects("table"):
            said = pair.one_of("y_pred", (None,) if by_score else tuple(classes))
            true = pair.one_of("y_true", tuple(classes))
            rows = pair.counts("rows")
            pair.require(len(rows) == bins, "rows", f"has {len(rows)} for {bins} bins")
            table[0 if by_score else where[said], :, where[true]] = rows
            total += sum(rows)
        c.require(total <= MOST_ROWS, "table", "has more rows than can be counted")
        return Calibration(_counts(table.tolist()), tuple(scores), c.flag("probabilities"))


@dataclass(frozen=True)
class ErrorCalibration:
    """Out-of-sample errors of a regression, by prediction bin.

    Parameters
    ----------
    sums
        By prediction bin, as in `ERROR_SUMS`.
    targets
        Over all bins, as in `TARGET_SUMS`.
    center
        What `targets` are about; live sums must take the same.
    """

    sums: tuple[tuple[float, ...], ...]
    targets: tuple[float, ...]
    center: float

    @property
    def rows(self) -> int:
        """Rows that it was measured on."""
        return int(sum(row[0] for row in self.sums))

    def merge(self, other: ErrorCalibration) -> ErrorCalibration:
        """Add up two calibrations by the same bins and about the same center.

        Raises
        ------
        MergeError
            They differ in that.
        """
        if len(self.sums) != len(other.sums) or self.center != other.center:
            raise MergeError("calibrations by different prediction bins, or about other centers")
        sums = np.asarray(self.sums) + np.asarray(other.sums)
        targets = np.asarray(self.targets) + np.asarray(other.targets)
        rows = tuple(tuple(row) for row in sums.tolist())
        return ErrorCalibration(rows, tuple(targets.tolist()), self.center)

    def condensed(self) -> ErrorCalibration:
        """Return what a baseline needs of it: the sums over all bins."""
        whole = np.asarray(self.sums).sum(axis=0)
        return ErrorCalibration((tuple(whole.tolist()),), self.targets, self.center)

    @property
    def is_finite(self) -> bool:
        """Whether errors and targets were small enough to add up their fourth powers."""
        sums = np.concatenate((np.ravel(self.sums), self.targets))
        return bool((np.abs(sums) <= LARGEST_SUM).all())

    def to_document(self) -> dict[str, Any]:
        """Return what is written to the profile file."""
        columns = zip(*self.sums, strict=True)
        return {
            "center": self.center,
            "errors": {name: list(c) for name, c in zip(ERROR_SUMS, columns, strict=True)},
            "targets": dict(zip(TARGET_SUMS, self.targets, strict=True)),
        }

    @staticmethod
    def from_document(c: Checker) -> ErrorCalibration:
        """Read what `to_document` wrote.

        Raises
        ------
        ProfileFileError
            A field is missing or holds something else.
        """
        errors, targets, center = c.object("errors"), c.object("targets"), c.number("center")
        columns = [errors.numbers(name) for name in ERROR_SUMS]
        for name, column in zip(ERROR_SUMS, columns, strict=True):
            fits = len(column) == len(columns[0]) and all(0 <= v <= LARGEST_SUM for v in column)
            errors.require(fits, name, "must be numbers from 0 on, one for each bin")
        found = [targets.number(name) for name in TARGET_SUMS]
        assert center is not None
        sums = tuple(zip(*columns, strict=True))
        read = ErrorCalibration(sums, tuple(v for v in found if v is not None), center)
        c.require(read.is_finite, "targets", f"must be numbers up to {LARGEST_SUM:g}")
        return read


AnyCalibration = Calibration | ErrorCalibration


def calibration_bins(facts: ModelFacts, outputs: Sequence[FeatureProfile]) -> int:
    """Return how many bins a calibration of this model has."""
    by = score_profile(facts, outputs) if facts.classes else prediction_profile(outputs)
    return len(by.bins.edges) + 1 if by is not None and isinstance(by.bins, NumericBins) else 1


def prediction_profile(outputs: Sequence[FeatureProfile]) -> FeatureProfile:
    """Return the profile of the predicted classes or values."""
    return next(output for output in outputs if output.name == Y_PRED)


def score_profile(facts: ModelFacts, outputs: Sequence[FeatureProfile]) -> FeatureProfile | None:
    """Return the profile of the scores, None where there are none that can be binned."""
    for output in outputs:
        if output.name == Y_SCORE and isinstance(output.bins, NumericBins) and output.centers:
            return output if facts.score_method else None
    return None


def center_of(bins: Bins | None) -> float:
    """Return what powers of a regression's truth are taken about: an edge near the median.

    The same for all profiles over the same bins, and for live sums.
    """
    edges = bins.edges if isinstance(bins, NumericBins) else ()
    return edges[len(edges) // 2] if edges else 0.0


def _counts(table: list[list[list[int]]]) -> Counts3:
    return tuple(tuple(tuple(rows) for rows in bins) for bins in table)
