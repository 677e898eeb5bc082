"""Rows kept with the model's answers, to be asked again where the model is served.

A changed library, type or preprocessing step shows there before any traffic comes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from modelmeter._errors import ModelError
from modelmeter.profile.columns import Array
from modelmeter.profile.facts import as_labels, as_scores, predict_function
from modelmeter.profile.frames import model_input
from modelmeter.profile.measuring import CanarySource
from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.stats.bins import CategoricalBins
from modelmeter.stats.values import Floats, as_number, epoch_seconds, is_missing

if TYPE_CHECKING:
    from modelmeter.profile.sources import Source

MOST_ROWS: Final = 1_000

_TRAINED_ON: Final = frozenset({"interval", "category", "other", "missing"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Canary:
    """Rows and what the model said of them when the profile was built.

    Parameters
    ----------
    source
        ``synthetic`` rows were drawn from the bins, feature by feature; ``training`` rows are
        real ones.
    rows
        Values by feature as JSON has them (numbers, texts, booleans, None; a point in time as
        ISO text).
    y_pred
        The model's answers, None for a missing one.
    y_score
        Scores of the positive class, or confidences, likewise; empty without scores.
    tolerance
        How far two numbers may lie apart, as a share of one plus their size, and still be the
        same.
    """

    source: CanarySource
    rows: tuple[Row, ...]
    y_pred: tuple[Any, ...]
    y_score: tuple[float | None, ...] = ()
    tolerance: float = 1e-6

    def differing(self, y_pred: Any, y_score: Any = None) -> int:
        """Return how many rows are answered otherwise than they were.

        Parameters
        ----------
        y_pred
            Answers to `rows` now, shape (n_rows,).
        y_score
            Their scores, as `as_scores` takes them; None leaves scores out.

        Returns
        -------
        int
            Rows whose prediction or score differs by more than the tolerance; whole numbers,
            texts and booleans differ by being unequal. All rows where the answers are not
            one to each.
        """
        try:
            pairs = [(self.y_pred, as_labels(y_pred))]
            if y_score is not None and self.y_score:
                pairs.append((self.y_score, as_scores(y_score)))
        except (ModelError, ValueError, TypeError):  # of another shape, or no numbers
            return len(self.rows)
        if any(len(now) != len(then) for then, now in pairs):
            return len(self.rows)
        differs = [
            [not self._same(a, _plain(b)) for a, b in zip(then, now, strict=True)]
            for then, now in pairs
        ]
        return sum(map(any, zip(*differs, strict=True)))

    def _same(self, then: Any, now: Any) -> bool:
        if isinstance(then, float) or isinstance(now, float):
            numbers = isinstance(then, (int, float)) and isinstance(now, (int, float))
            return numbers and abs(then - now) <= self.tolerance * (1 + abs(then))
        return bool(then == now)


def keep_canary(
    profile: Profile, model: Any, source: Source, rows: int, kind: CanarySource
) -> Canary:
    """Keep rows with the model's answers.

    Parameters
    ----------
    profile
        Of the model, so far.
    model, source
        The model and its training data.
    rows
        How many; fewer where the training data have fewer.
    kind
        Where they come from.

    Raises
    ------
    ModelError
        The model does not predict, fails on the rows, or answers one with an infinite number.
    """
    if profile.model.task == "other":
        raise ModelError("canary_rows needs a model that predicts")
    kept = _drawn(profile, rows) if kind == "synthetic" else _picked(profile, source, rows)
    way_out = {
        "synthetic": "keep real rows with Measuring(canary_source='training')",
        "training": "keep none (canary_rows=0)",
    }[kind]
    try:
        labels, scores = canary_answers(profile, model, kept)
    except Exception as error:
        raise ModelError(f"the model failed on {kind} canary rows: {error!r}: {way_out}") from error
    y_pred = tuple(map(_plain, labels))
    y_score = () if scores is None else tuple(map(_plain, scores))
    if len(y_pred) != len(kept) or (scores is not None and len(y_score) != len(kept)):
        raise ModelError(f"the model gave {len(y_pred)} answers for {len(kept)} canary rows")
    for answer in (*y_pred, *y_score):
        if isinstance(answer, float) and math.isinf(answer):
            raise ModelError(f"the model answers {answer} to a {kind} canary row: {way_out}")
    return Canary(kind, kept, y_pred, y_score)


def canary_answers(
    profile: Profile, model: Any, rows: Sequence[Row]
) -> tuple[Array, Floats | None]:
    """Ask the model about canary rows, when they are kept and when they are asked again.

    Returns
    -------
    y_pred : Array
        Shape (n_rows,).
    y_score : Floats or None
        Likewise; None for a model without scores.
    """
    predict = predict_function(model)
    assert predict is not None
    labels, method = as_labels(predict(model_input(profile, model, rows))), None
    if profile.model.score_method is not None:
        method = getattr(model, profile.model.score_method)
    return labels, as_scores(method(model_input(profile, model, rows))) if method else None


def _drawn(profile: Profile, rows: int) -> tuple[Row, ...]:
    """Draw every feature by itself, in proportion to the training rows of its bins."""
    random = np.random.default_rng(0)
    columns = {f.name: _draw(f, rows, random) for f in profile.features}
    return tuple(
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    )


def _draw(feature: FeatureProfile, rows: int, random: np.random.Generator) -> list[Any]:
    values, weights = [], []
    for i, (place, count) in enumerate(zip(feature.bins.bins, feature.counts, strict=True)):
        if count and place.kind in _TRAINED_ON:
            values.append(_representative(feature, i, place.kind))
            weights.append(count)
    if not values:
        return [None] * rows
    shares = np.asarray(weights) / sum(weights)
    return [values[i] for i in random.choice(len(values), size=rows, p=shares)]


def _representative(feature: FeatureProfile, place: int, kind: str) -> Any:
    """Return a value that stands for a bin."""
    if kind == "missing":
        return None
    bins = feature.bins
    if isinstance(bins, CategoricalBins):
        # What a rare value was is not known: a frequent one takes its place.
        known = bins.categories or (None,)
        return known[place if kind == "category" else int(np.argmax(feature.counts[: len(known)]))]
    center = feature.centers[place]
    if bins.is_time:
        return _iso(center)
    return round(center) if feature.dtype.startswith(("int", "uint")) else center


def _picked(profile: Profile, source: Source, rows: int) -> tuple[Row, ...]:
    """Take real rows, evenly spread over the data."""
    from modelmeter.profile.sources import cells_at  # loads narwhals, which serving can do without

    numbers = np.unique(np.linspace(0, profile.rows - 1, rows).round().astype(np.intp))
    cells = cells_at(source, [f.name for f in profile.features], numbers)
    return tuple(
        {f.name: _cell(f, cells[f.name][i]) for f in profile.features} for i in range(len(numbers))
    )


def _cell(feature: FeatureProfile, value: Any) -> Any:
    if is_missing(value):
        return None
    if feature.kind == "datetime":
        seconds = epoch_seconds(value)
        return None if seconds is None else _iso(seconds)
    if isinstance(feature.bins, CategoricalBins):
        return str(value) if feature.bins.value_type == "str" else _plain(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, None for a missing one."""
    if is_missing(value):
        return None
    if isinstance(value, (date, np.datetime64)):
        seconds = epoch_seconds(value)
        return None if seconds is None else _iso(seconds)
    if isinstance(value, (timedelta, np.timedelta64, Decimal, Fraction)):
        return as_number(value)
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _iso(seconds: float) -> str:
    return (_EPOCH + timedelta(microseconds=round(seconds * 1e6))).isoformat()
