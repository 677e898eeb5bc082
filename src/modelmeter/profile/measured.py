"""Performance out of sample, added to a profile whose training data are counted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmeter._errors import DataError
from modelmeter.profile.baseline import measure
from modelmeter.profile.calibration import (
    MOST_CELLS,
    AnyCalibration,
    ErrorCalibration,
    calibration_bins,
)
from modelmeter.profile.measuring import Measuring
from modelmeter.profile.outofsample import OutOfSample, cross_validate, hold_out
from modelmeter.profile.profile import Profile
from modelmeter.profile.refit import Unmeasured
from modelmeter.profile.segments import segmentation
from modelmeter.profile.sources import Source, cells_at, open_source
from modelmeter.stats.bins import Bins

logger = logging.getLogger("modelmeter")


@dataclass(frozen=True)
class Rows:
    """Rows with what goes with them: the training data, or rows held out.

    Parameters
    ----------
    source
        The rows.
    y, timestamps
        Column names in them, arrays of shape (n_rows,), or None.
    """

    source: Source
    y: Any
    timestamps: Any = None


def open_holdout(
    X: Any, y: Any, names: Sequence[str] | None, features: Sequence[str]
) -> Rows | None:
    """Open the rows that were held out, None where there are none.

    Parameters
    ----------
    X, y
        ``X_holdout`` and ``y_holdout``.
    names
        Names of the columns when `X` is an array.
    features
        The columns that the model is given.

    Raises
    ------
    DataError
        One of the two is given without the other, or a column is not there.
    """
    if X is None and y is None:
        return None
    if X is None or y is None:
        lacking, given = ("X_holdout", "y_holdout") if X is None else ("y_holdout", "X_holdout")
        raise DataError(f"{given} is given without {lacking}: give both or none")
    try:
        source = open_source(X, names)
    except DataError as error:
        raise DataError(f"X_holdout: {error}") from error
    wanted = {*features, y} if isinstance(y, str) else set(features)
    for column in sorted(wanted.difference(source.columns)):
        raise DataError(f"X_holdout has no column {column!r}; it has {list(source.columns)}")
    if isinstance(y, str) and y in features:
        raise DataError(f"y_holdout={y!r} is a column that the model is given")
    return Rows(source, y)


def add_performance(
    profile: Profile, model: Any, training: Rows, held: Rows | None, measuring: Measuring
) -> Profile:
    """Measure the model out of sample.

    Parameters
    ----------
    profile
        The training data, counted; with calibrations of no segment yet.
    model, training
        The model and its training data.
    held
        Rows that it was not trained on; without them it is fitted anew in folds.
    measuring
        How.

    Returns
    -------
    Profile
        With baseline and calibration, also by segment; or with the reason why not.

    Raises
    ------
    DataError, ModelError
        See `hold_out` and `cross_validate`.
    """
    found = _asked(profile, model, training, held, measuring)
    if isinstance(found, OutOfSample):
        baseline, calibration = measure(profile.model, profile.predictions, found)
        found = _flaw(calibration) or found
    if isinstance(found, Unmeasured):
        logger.info("%s: performance is not measured: %s", profile.name, found.reason)
        return replace(profile, unmeasured=found.reason)
    logger.info(
        "%s: performance is measured by %s, %d rows", profile.name, found.method, baseline.rows
    )
    source = training.source if held is None else held.source
    measured = replace(profile, baseline=baseline, calibration=calibration, unmeasured="")
    return _add_segments(measured, source, found)


def _asked(
    profile: Profile, model: Any, training: Rows, held: Rows | None, measuring: Measuring
) -> OutOfSample | Unmeasured:
    facts, features = profile.model, [f.name for f in profile.features]
    if facts.task != "other":
        bins = calibration_bins(facts, profile.predictions)
        if bins * len(facts.classes) ** 2 > MOST_CELLS:
            return Unmeasured(f"{len(facts.classes)} classes by {bins} score bins are too many")
    if held is not None:
        try:
            return hold_out(model, facts, held.source, features, y=held.y)
        except DataError as error:
            raise DataError(f"X_holdout and y_holdout: {error}") from error
    if not measuring.folds and training.y is not None and facts.task != "other":
        return Unmeasured("it was not asked for: folds=0, and no rows are held out")
    return cross_validate(
        model,
        facts,
        training.source,
        features,
        y=training.y,
        timestamps=training.timestamps,
        groups=measuring.groups,
        folds=measuring.folds,
        max_rows=measuring.max_rows,
    )


def _flaw(calibration: AnyCalibration) -> Unmeasured | None:
    if isinstance(calibration, ErrorCalibration) and not calibration.is_finite:
        return Unmeasured("errors are too large to add up their fourth powers: scale y")
    if not calibration.rows:
        return Unmeasured("the model gave no valid answer out of sample")
    return None


def _add_segments(profile: Profile, source: Source, found: OutOfSample) -> Profile:
    segmented = {one.feature for one in profile.segments}
    bins = {f.name: f.bins for f in profile.features if f.name in segmented}
    if not bins:
        return profile
    places = _places(source, bins, found.numbers)
    return replace(
        profile,
        segments=tuple(
            segmentation(
                one.feature,
                one.counts,
                [
                    _calibration_of(profile, found, places[one.feature] == i)
                    for i in range(len(bins[one.feature].bins))
                ],
                facts=profile.model,
                outputs=profile.predictions,
                method=found.method,
            )
            for one in profile.segments
        ),
    )


def _places(
    source: Source, bins: Mapping[str, Bins], numbers: NDArray[np.intp]
) -> dict[str, NDArray[np.intp]]:
    """Return the bin number of some rows in each of some features."""
    cells = cells_at(source, list(bins), numbers)
    return {
        name: np.asarray([bins[name].index(value) for value in values], dtype=np.intp)
        for name, values in cells.items()
    }


def _calibration_of(
    profile: Profile, found: OutOfSample, chosen: NDArray[np.bool_]
) -> AnyCalibration | None:
    _, calibration = measure(profile.model, profile.predictions, found.take(chosen))
    return calibration.condensed() if calibration.rows else None
