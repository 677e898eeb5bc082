"""Our side: a model known by its answers only, its calibration, and the estimates.

Bins, calibration and estimates are the library's own; nothing is computed here but counts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import modelmeter as mm
from modelmeter.profile.calibration import prediction_profile, score_profile
from modelmeter.profile.facts import as_scores, classes_of_scores
from modelmeter.stats.performance import (
    estimate_binary,
    estimate_multiclass,
    estimate_regression,
    positive_bins,
)


@dataclass(frozen=True)
class Case:
    """A model's answers, out of sample and in production.

    Parameters
    ----------
    title
        Of the tables.
    task
        ``binary``, ``multiclass`` or ``regression``.
    reference, analysis
        Frames with the columns ``y_true``, ``y_pred``, ``chunk`` and those in `scores`.
    scores
        Column of the score of class 1; the column of every class; None for a regression.
    features
        Columns that the model was given, where the other side wants them.
    profile
        Bins, and the calibration measured on `reference`.
    calibrate
        CPU seconds that the profile took, without any fit of the model.
    """

    title: str
    task: str
    reference: pd.DataFrame
    analysis: pd.DataFrame
    scores: Any
    features: tuple[str, ...]
    profile: mm.Profile
    calibrate: float

    @property
    def chunks(self):
        """The rows of each chunk of the analysis, by its name and in order."""
        return dict(tuple(self.analysis.groupby("chunk", sort=False)))


class Regressor:
    """A model whose answers are written down in the rows it is asked about."""

    def predict(self, X):
        """Return the answers."""
        return X["y_pred"].to_numpy()


class Classifier(Regressor):
    """The same with scores, in one column or in one for every class."""

    def __init__(self, classes, columns):
        self.classes_ = np.asarray(classes)
        self.columns = columns

    def predict_proba(self, X):
        """Return a column for every class."""
        scores = X[self.columns].to_numpy()
        return scores if len(self.columns) > 1 else np.hstack((1 - scores, scores))


def recorded(title, task, reference, analysis, *, scores=None, threshold=None, features=()):
    """Return the case of a model that is not at hand, only its answers.

    The reference period is what the model is calibrated on. `threshold` is the smallest
    score that means class 1, for a binary classifier.
    """
    columns = [scores] if isinstance(scores, str) else list((scores or {}).values())
    model = Regressor()
    if task != "regression":
        model = Classifier([0, 1] if task == "binary" else list(scores), columns)
    X = reference[["y_pred", *columns]]
    started = time.process_time()
    profile = mm.Profile.build(
        model,
        X,
        name="recorded",
        version="1",
        threshold=threshold,
        X_holdout=X,
        y_holdout=reference["y_true"],
    )
    seconds = time.process_time() - started
    for frame in (reference, analysis) if task == "binary" else ():
        said = classes_of_scores(profile.model, frame[scores])
        if (said != frame["y_pred"]).any():
            raise ValueError(f"{title}: the answers do not follow from a threshold of {threshold}")
    return Case(title, task, reference, analysis, scores, tuple(features), profile, seconds)


def estimates(case):
    """Return what is estimated of every chunk, by its name, from counts by bin alone."""
    return {
        name: _estimate(case.profile, _counts(case, rows)) for name, rows in case.chunks.items()
    }


def _counts(case, rows):
    """Count rows by bin as a monitor does."""
    facts, outputs = case.profile.model, case.profile.predictions
    if case.task == "regression":
        bins, values = prediction_profile(outputs).bins, rows["y_pred"].to_numpy()
    else:
        columns = case.scores if case.task == "binary" else list(case.scores.values())
        bins, values = score_profile(facts, outputs).bins, as_scores(rows[columns])
    ordered = len(bins.edges) + 1
    if case.task != "multiclass":
        return bins.count(values)[:ordered]
    said = rows["y_pred"].to_numpy()
    return np.stack([bins.count(values[said == value])[:ordered] for value in facts.classes])


def _estimate(profile, counts):
    found, facts = profile.calibration, profile.model
    if facts.task == "regression":
        return estimate_regression(counts, found.sums)
    if facts.task == "multiclass":
        return estimate_multiclass(counts, found.ratios)
    edges = score_profile(facts, profile.predictions).bins.edges
    sides = positive_bins(edges, facts.threshold)
    return estimate_binary(counts, found.ratios, positive=sides, scores=found.scores)
