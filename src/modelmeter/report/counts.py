"""What was counted over a window, from whatever source, in the order of the profile's bins.

Every source ends up as metric families: a process holds them, a scrape says them, a file is
counted into them, and Prometheus is asked for their increase. From here on all are alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modelmeter import names
from modelmeter.live.merge import Family
from modelmeter.live.outputs import class_score_rows, is_by_class
from modelmeter.names import Metric
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import Profile
from modelmeter.profile.segments import all_segments
from modelmeter.report.schema import SourceKind
from modelmeter.stats.labels import category_labels
from modelmeter.stats.performance import ERROR_SUMS, TARGET_SUMS

Floats = NDArray[np.float64]
Row = tuple[str, ...]
Key = tuple[str, str, str]
"""``feature`` or ``prediction``, the name, and the segment (empty for all rows)."""

FEATURE: Final = "feature"
PREDICTION: Final = "prediction"


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Rows whose true value is known, by segment (empty for all rows).

    Parameters
    ----------
    confusion
        Rows by true and predicted class, shape (n_classes, n_classes).
    scores
        Rows by ordered score bin and outcome, shape (n_bins, 2), of a binary model.
    errors
        Sums of a regression as in `ERROR_SUMS`, by ordered prediction bin, shape (n_bins, 5);
        of a segment shape (1, 5).
    targets
        Sums as in `TARGET_SUMS`, shape (9,).
    """

    confusion: Mapping[str, Floats] = field(default_factory=dict)
    scores: Mapping[str, Floats] = field(default_factory=dict)
    errors: Mapping[str, Floats] = field(default_factory=dict)
    targets: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What was counted of one model over one window.

    Parameters
    ----------
    kind, where
        The source; see `SourcePart`.
    window
        In words.
    since, until
        Unix time, None where not known.
    bins
        Rows by bin.
    absent
        Rows without the column, by feature.
    class_scores
        Rows by predicted class and confidence bin, shape (n_classes, n_bins), by segment.
    labelled
        Rows whose true value is known.
    families
        Everything, by name of the metric.
    """

    kind: SourceKind
    where: str
    window: str
    since: float | None
    until: float | None
    bins: Mapping[Key, Floats]
    absent: Mapping[str, float]
    class_scores: Mapping[str, Floats]
    labelled: Labelled
    families: Mapping[str, Family]

    @property
    def seconds(self) -> float | None:
        """Length of the window; None for a file, and where it is not known."""
        if self.since is None or self.until is None:
            return None
        return max(self.until - self.since, 0.0)

    def series(self, metric: Metric, **labels: str) -> dict[Row, NDArray[np.float64]]:
        """Return the values of a metric by its labels, those that have these values.

        Returns
        -------
        dict of tuple to array
            By all label values; of shape () or, of a histogram, its buckets and sum. Empty
            where the source does not have it.
        """
        family = self.families.get(metric.name)
        if family is None:
            return {}
        wanted = [(metric.labels.index(name), value) for name, value in labels.items()]
        return {
            row: np.asarray(value)
            for row, value in zip(family.rows, family.values, strict=True)
            if all(row[place] == value_of for place, value_of in wanted)
        }

    def total(self, metric: Metric, **labels: str) -> float:
        """Return the sum of a counter or gauge over its series; 0 without any."""
        return float(sum(float(value) for value in self.series(metric, **labels).values()))


def observed(
    profile: Profile,
    families: Iterable[Family],
    *,
    kind: SourceKind,
    where: str = "",
    window: str = "since start",
    since: float | None = None,
    until: float | None = None,
) -> Observed:
    """Bring families into the order of a profile's bins.

    Parameters
    ----------
    profile
        Of the model: what other models counted is left out.
    families
        Each metric once; several stores of labels are added up.
    kind, where, window, since, until
        See `Observed`.

    Returns
    -------
    Observed
        Zeros for what is not there.
    """
    by_name = {family.metric.name: family for family in families}
    labels = (profile.name, profile.version)
    absent = dict.fromkeys((feature.name for feature in profile.features), 0.0)
    for row, value in _rows(by_name, names.FEATURE_ABSENT, labels):
        if row[0] in absent:
            absent[row[0]] += value
    return Observed(
        kind=kind,
        where=where,
        window=window,
        since=since,
        until=until,
        bins=_bins(profile, by_name, labels),
        absent=absent,
        class_scores=_class_scores(profile, by_name, labels),
        labelled=_labelled(profile, by_name, labels),
        families=by_name,
    )


def segments_of(profile: Profile) -> list[str]:
    """Name all rows (by nothing), then every segment."""
    return ["", *all_segments(profile)]


def _rows(
    by_name: Mapping[str, Family], metric: Metric, labels: tuple[str, str]
) -> Iterable[tuple[Row, float]]:
    """Yield a model's series of a metric: labels beyond model and version, and the value."""
    family = by_name.get(metric.name)
    if family is not None:
        for row, value in zip(family.rows, family.values.tolist(), strict=True):
            if row[:2] == labels:
                yield row[2:], value


def _bins(
    profile: Profile, by_name: Mapping[str, Family], labels: tuple[str, str]
) -> dict[Key, Floats]:
    everything = [(FEATURE, f, "") for f in profile.features]
    everything += [(PREDICTION, f, s) for s in segments_of(profile) for f in profile.predictions]
    places: dict[Row, int] = {}
    slices: dict[Key, slice] = {}
    for role, one, segment in everything:
        start = len(places)
        for kind, ord_, label in one.bins.bins:
            places[role, one.name, kind, ord_, label, segment] = len(places)
        slices[role, one.name, segment] = slice(start, len(places))
    flat = _placed(_rows(by_name, names.FEATURE_BIN, labels), places)
    return {key: flat[where] for key, where in slices.items()}


def _class_scores(
    profile: Profile, by_name: Mapping[str, Family], labels: tuple[str, str]
) -> dict[str, Floats]:
    if not is_by_class(profile):
        return {}
    classes = len(profile.model.classes)
    places = {row[2:]: i for i, row in enumerate(class_score_rows(profile))}
    flat = _placed(_rows(by_name, names.CLASS_SCORE, labels), places)
    segments = segments_of(profile)
    tables = flat.reshape(len(segments), classes, -1)
    return dict(zip(segments, tables, strict=True))


def _labelled(profile: Profile, by_name: Mapping[str, Family], labels: tuple[str, str]) -> Labelled:
    segments, classes = segments_of(profile), category_labels(profile.model.classes)
    scores, predicted = profile.output(Y_SCORE), profile.output(Y_PRED)
    bins = scores.positions if scores is not None and profile.model.task == "binary" else ()

    def table(metric: Metric, segment: str, *axes: Sequence[tuple[str, ...]]) -> Floats:
        rows: list[tuple[str, ...]] = [(segment,)]
        for axis in axes:
            rows = [(*row, *value) for row in rows for value in axis]
        found = _placed(stored[metric.name], {row: i for i, row in enumerate(rows)})
        return found.reshape([len(axis) for axis in axes])

    metrics = (names.CONFUSION, names.LABEL_BIN, names.ERROR_SUM, names.TARGET_SUM)
    # Without the store: what several hold of one model adds up.
    stored = {
        metric.name: [(row[1:], value) for row, value in _rows(by_name, metric, labels)]
        for metric in metrics
    }
    of_class = [(one,) for one in classes]
    found = Labelled(
        {s: table(names.CONFUSION, s, of_class, of_class) for s in segments if classes},
        {s: table(names.LABEL_BIN, s, bins, of_class) for s in segments if bins},
    )
    if profile.model.task != "regression" or predicted is None:
        return found
    errors, targets = [(one,) for one in ERROR_SUMS], [(one,) for one in TARGET_SUMS]
    return Labelled(
        errors={
            s: table(names.ERROR_SUM, s, [("", "")] if s else predicted.positions, errors)
            for s in segments
        },
        targets={s: table(names.TARGET_SUM, s, targets) for s in segments},
    )


def _placed(rows: Iterable[tuple[Row, float]], places: Mapping[Row, int]) -> Floats:
    """Add values up where their labels have a place."""
    flat = np.zeros(len(places))
    for row, value in rows:
        place = places.get(row)
        if place is not None:
            flat[place] += value
    return flat
