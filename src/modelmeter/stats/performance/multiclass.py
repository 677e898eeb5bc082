"""Performance of a classifier from its confusion matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from modelmeter.stats.performance.sampling import (
    Estimate,
    Floats,
    Linear,
    as_floats,
    divide,
    over_cells,
    ratio,
    smoothed_confusion,
    with_error,
)

OVERALL = ("accuracy", "macro_f1", "mcc")
"""Figures over all classes, in the order of `linearised`."""

BY_CLASS = ("precision", "recall", "f1")
"""Figures that every class has."""


@dataclass(frozen=True, slots=True)
class MulticlassPerformance:
    """What a confusion matrix says, each figure with its standard error.

    Parameters
    ----------
    rows
        Labelled rows, shape (...).
    accuracy
        Share of rows that are right.
    macro_f1
        Mean of `f1` over the classes that were true or predicted at least once, which is
        scikit-learn's choice of classes too.
    mcc
        Matthews correlation; NaN when only one class is true or only one predicted
        (scikit-learn says 0).
    precision, recall, f1
        By class, shape (..., n_classes); NaN for a class that was never predicted, never
        true, or neither (scikit-learn says 0).
    """

    rows: Floats
    accuracy: Estimate
    macro_f1: Estimate
    mcc: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate

    @property
    def overall(self) -> Mapping[str, Estimate]:
        """Figures over all classes, by name."""
        return {name: getattr(self, name) for name in OVERALL}

    @property
    def by_class(self) -> Mapping[str, Estimate]:
        """Figures by class, by name."""
        return {name: getattr(self, name) for name in BY_CLASS}


def multiclass_performance(confusion: ArrayLike) -> MulticlassPerformance:
    """Compute every figure that follows from a confusion matrix.

    Parameters
    ----------
    confusion
        Rows by true class (down) and predicted class (across), shape
        (..., n_classes, n_classes); need not be whole numbers.

    Returns
    -------
    MulticlassPerformance
        NaN throughout, but for `rows`, without rows. Standard errors by the delta method,
        with pseudo-rows (see `modelmeter.stats.performance.sampling`); those of accuracy,
        precision and recall are so Agresti and Coull's binomial ones.

    References
    ----------
    J. Gorodkin, "Comparing two K-category assignments by a K-category correlation
    coefficient", Computational Biology and Chemistry 28 (2004). K. Takahashi et al.,
    "Confidence interval for micro-averaged F1 and macro-averaged F1 scores", Applied
    Intelligence 52 (2022).

    Examples
    --------
    >>> found = multiclass_performance([[8, 2, 0], [1, 9, 0], [0, 3, 7]])
    >>> float(found.accuracy.value), round(float(found.accuracy.error), 3)
    (0.8, 0.073)
    >>> found.recall.value.tolist()
    [0.8, 0.9, 0.7]
    """
    table = as_floats(confusion)
    each = {overall: smoothed_confusion(table, overall=overall) for overall in (True, False)}
    used = _used(table)
    found: dict[str, list[Estimate]] = {}
    plain = linearised(table, used)
    rough = {overall: linearised(smooth, used) for overall, smooth in each.items()}
    # The three run in step, so that only one figure's derivatives are in memory at a time.
    for (name, value), (_, whole), (_, single) in zip(
        plain, rough[True], rough[False], strict=True
    ):
        overall = name in ("accuracy", "mcc")
        estimate = with_error(value, whole if overall else single, each[overall])
        found.setdefault(name, []).append(estimate)
    return MulticlassPerformance(
        rows=over_cells(table), **{name: _joined(name, parts) for name, parts in found.items()}
    )


def linearised(table: Floats, used: Floats | None = None) -> Iterator[tuple[str, Linear]]:
    """Yield every figure with its derivatives: `OVERALL`, then `BY_CLASS` class by class.

    Parameters
    ----------
    table
        Shape (..., n_classes, n_classes).
    used
        Which classes `macro_f1` is the mean of, shape (..., n_classes), 0 or 1; by default
        those that were true or predicted.
    """
    classes = table.shape[-1]
    right, one = np.eye(classes), np.ones((classes, classes))
    yield "accuracy", ratio(table, right, one)
    yield "macro_f1", macro_f1(table, _used(table) if used is None else used)
    yield "mcc", mcc(table)
    for k in range(classes):
        hit, is_true, is_said = np.zeros((3, classes, classes))
        hit[k, k], is_true[k], is_said[:, k] = 1, 1, 1
        yield "precision", ratio(table, hit, is_said)
        yield "recall", ratio(table, hit, is_true)
        yield "f1", ratio(table, 2 * hit, is_true + is_said)


def macro_f1(table: Floats, used: Floats) -> Linear:
    """Return the mean F1 over the classes in use."""
    diagonal = np.diagonal(table, axis1=-2, axis2=-1)
    both = table.sum(axis=-1) + table.sum(axis=-2)
    inverse = used / np.where(both > 0, both, 1)
    f1 = 2 * diagonal * inverse
    number = used.sum(axis=-1)
    slope = f1 * inverse
    gradient = (
        2 * np.eye(table.shape[-1]) * inverse[..., None] - slope[..., :, None] - slope[..., None, :]
    )
    return Linear(divide(f1.sum(axis=-1), number), divide(gradient, number[..., None, None]))


def mcc(table: Floats) -> Linear:
    """Return the Matthews correlation, NaN when only one class is true or predicted."""
    rows = over_cells(table)[..., None, None]
    true = table.sum(axis=-1)[..., :, None]
    said = table.sum(axis=-2)[..., None, :]
    right = np.diagonal(table, axis1=-2, axis2=-1).sum(axis=-1)[..., None, None]
    shared = (true[..., 0] * said[..., 0, :]).sum(axis=-1)[..., None, None]
    spread_true = rows**2 - (true**2).sum(axis=-2, keepdims=True)
    spread_said = rows**2 - (said**2).sum(axis=-1, keepdims=True)
    # A single class leaves a spread of 0 but for rounding.
    tiny = 1e-12 * rows**2
    spread_true = np.where(spread_true > tiny, spread_true, np.nan)
    spread_said = np.where(spread_said > tiny, spread_said, np.nan)
    root = np.sqrt(spread_true * spread_said)
    value = (right * rows - shared) / root
    upper = np.eye(table.shape[-1]) * rows + right
    upper = upper - np.swapaxes(said, -1, -2) - np.swapaxes(true, -1, -2)
    lower = (rows - said) / spread_said + (rows - true) / spread_true
    return Linear(value[..., 0, 0], np.asarray(upper / root - value * lower, dtype=np.float64))


def _used(table: Floats) -> Floats:
    return as_floats(table.sum(axis=-1) + table.sum(axis=-2) > 0)


def _joined(name: str, parts: list[Estimate]) -> Estimate:
    """Put the classes of a figure side by side."""
    if name in OVERALL:
        return parts[0]
    return Estimate(
        np.stack([part.value for part in parts], axis=-1),
        np.stack([part.error for part in parts], axis=-1),
    )
