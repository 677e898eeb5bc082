"""What a label adds to: by task, the series that performance is computed from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, Final

from modelmeter import names
from modelmeter.live.kept import Form
from modelmeter.live.labels.checks import CheckValue, class_check, number_check
from modelmeter.live.labels.records import OUTCOMES, OutcomeKind, Prediction, Tally, TallyLabel
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import Profile
from modelmeter.profile.segments import all_segments
from modelmeter.stats.labels import category_labels
from modelmeter.stats.performance import ERROR_SUMS, TARGET_SUMS

SUM: Final = "sum"
"""Label of the total that adds up a histogram's values; its buckets are numbered."""

LARGEST: Final = 1e75
"""Numbers beyond it have fourth powers that are infinite, as all later sums would be."""

Series = tuple[str, tuple[str, ...]]


def check_of(profile: Profile) -> CheckValue:
    """Return the check of a model's labels."""
    return class_check(profile.model.classes) if profile.model.classes else _check_number


def tally_of(profile: Profile) -> TallyLabel:
    """Return what says which series a label of this model adds to.

    Parameters
    ----------
    profile
        Of the model. Labels of its other versions, which the store may hold, are tallied by
        what was kept of their predictions.
    """
    of_task = _tally_class if profile.model.classes else _tally_number

    def tally(prediction: Prediction, y_true: str, lag: float) -> list[Tally]:
        return [*of_task(prediction, y_true), *_tally_lag(lag)]

    return tally


def series_of(profile: Profile) -> list[Series]:
    """Return every series that labels can add to, to be exported at zero from the start.

    Parameters
    ----------
    profile
        Of the model.

    Returns
    -------
    list of (str, tuple of str)
        Metric and label values beyond model, version and store.
    """
    form = Form(profile)
    segments = ["", *all_segments(profile)]
    found: list[Series] = []
    if profile.model.classes:
        classes = category_labels(profile.model.classes)
        found += [
            (names.CONFUSION.name, (segment, true, said))
            for segment in segments
            for true in classes
            for said in classes
        ]
        bins = _positions(profile, Y_SCORE) if form.by_score else ()
        found += [
            (names.LABEL_BIN.name, (segment, *bin_, true))
            for segment in segments
            for bin_ in bins
            for true in classes
        ]
    elif profile.model.task == "regression":
        cells = [("", *bin_) for bin_ in _positions(profile, Y_PRED)]
        cells += [(segment, "", "") for segment in segments[1:]]
        found += [(names.ERROR_SUM.name, (*cell, one)) for cell in cells for one in ERROR_SUMS]
        found += [(names.TARGET_SUM.name, (s, one)) for s in segments for one in TARGET_SUMS]
    buckets = range(len(names.LABEL_LAG.buckets) + 1)
    found += [(names.LABEL_LAG.name, (str(i),)) for i in (*buckets, SUM)]
    ends = [kind for kind in OutcomeKind if kind is not OutcomeKind.WAITING]
    return found + [(OUTCOMES, (str(kind),)) for kind in ends]


def _check_number(value: Any) -> str:
    text = number_check(value)
    if not _is_summable(float(text)):
        raise ValueError(f"y_true is a number of at most {LARGEST:g}, not {text}")
    return text


def _is_summable(number: float) -> bool:
    return abs(number) <= LARGEST


def _positions(profile: Profile, name: str) -> tuple[tuple[str, str], ...]:
    output = profile.output(name)
    return () if output is None else output.positions


def _tally_class(prediction: Prediction, y_true: str) -> Iterator[Tally]:
    for segment in ("", *prediction.segments):
        if prediction.y_pred is not None:
            yield Tally(names.CONFUSION.name, (segment, y_true, prediction.y_pred))
        if prediction.ord is not None and prediction.bin is not None:
            bin_ = (segment, prediction.ord, prediction.bin, y_true)
            yield Tally(names.LABEL_BIN.name, bin_)


def _tally_number(prediction: Prediction, y_true: str) -> Iterator[Tally]:
    y_pred, truth = prediction.value, float(y_true)
    # Other versions of the model, and of this library, write to the store too.
    if y_pred is None or not (_is_summable(y_pred) and _is_summable(truth)):
        return
    error = y_pred - truth
    z = truth - (prediction.center or 0.0)
    # What `error_sums` and `target_sums` add up, for a single row twenty times as fast.
    over, under, squared = max(error, 0.0), max(-error, 0.0), error * error
    up, down, z2 = max(z, 0.0), max(-z, 0.0), z * z
    errors = (1.0, over, under, squared, squared * squared)
    cubes = up * z2, down * z2
    targets = (up, down, z2, *cubes, z2 * z2, squared * up, squared * down, squared * z2)
    cells = [("", prediction.ord or "", prediction.bin or "")]
    cells += [(segment, "", "") for segment in prediction.segments]
    for cell in cells:
        for name, amount in zip(ERROR_SUMS, errors, strict=True):
            yield Tally(names.ERROR_SUM.name, (*cell, name), amount)
    for segment in ("", *prediction.segments):
        for name, amount in zip(TARGET_SUMS, targets, strict=True):
            yield Tally(names.TARGET_SUM.name, (segment, name), amount)


def _tally_lag(lag: float) -> Iterator[Tally]:
    yield Tally(names.LABEL_LAG.name, (str(bisect_left(names.LABEL_LAG.buckets, lag)),))
    yield Tally(names.LABEL_LAG.name, (SUM,), lag)
