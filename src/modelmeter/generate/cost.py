"""How many series a model costs, and what Prometheus needs for them.

What replicas export is counted by exporting it (`exported`). What the rules record about
features and outputs follows from their bins and is exact; of the other recorded series, which
depend on what labels and requests there are, `recorded` says the most that there can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from modelmeter.generate import alarm_series, series
from modelmeter.generate.recorded import Series
from modelmeter.generate.rulefile import Rule
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import Settings
from modelmeter.generate.tasks import Tasks
from modelmeter.live.exposition import Exposition
from modelmeter.live.observer import Observer
from modelmeter.live.tallies import series_of
from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.profile.segments import all_segments
from modelmeter.stats.rates import CHECKS

BYTES_PER_SERIES: Final = 6_000
"""Of Prometheus's memory; `benchmarks/harness/growth.py` measures it (docs/benchmark.md)."""

SECONDS_PER_RECORDED: Final = 150e-6
"""That an evaluation takes for every series that it records, measured with the same."""

BYTES_PER_SAMPLE: Final = 1.5
"""On disk; Prometheus's documentation says 1 to 2."""

MONTH: Final = 30 * 86_400

_OTHER_LABELS: Final[Mapping[str, int]] = {
    "age": 4,
    "check": 6,
    "class": 0,  # one more than there are classes
    "le": 20,
    "library": 5,
    "metric": 12,
    "of": 3,
    "outcome": 5,
    "place": 0,  # as many as there are classes
    "quantile": 3,
    "smoothed": 2,
    "source": 2,
    "statistic": 6,
    "status": 6,
    "store": 1,
}
"""The most values that a label of a recorded series takes, for one model and store."""


@dataclass(frozen=True)
class Cost:
    """What a model costs.

    Parameters
    ----------
    exported
        Series of one replica, by metric; requests come on top.
    labels
        Series that a replica exports on top where it keeps labels, by metric, without those of
        what waits and how long (less than thirty).
    about_features
        Series that the rules record about features and outputs, by name: exact.
    others
        The most that there can be of every other recorded series, by name.
    replicas
        How many there are.
    scrape_seconds, evaluation_seconds
        Time between two samples of an exported and of a recorded series.
    """

    exported: Mapping[str, int]
    labels: Mapping[str, int]
    about_features: Mapping[str, int]
    others: Mapping[str, int]
    replicas: int
    scrape_seconds: float
    evaluation_seconds: float

    @property
    def scraped(self) -> int:
        """Series of all replicas."""
        return self.replicas * (sum(self.exported.values()) + sum(self.labels.values()))

    @property
    def recorded(self) -> int:
        """Recorded series, at most."""
        return sum(self.about_features.values()) + sum(self.others.values())

    @property
    def samples_per_second(self) -> float:
        """Samples that Prometheus takes in."""
        return self.scraped / self.scrape_seconds + self.recorded / self.evaluation_seconds

    @property
    def memory_bytes(self) -> float:
        """What all these series need in memory."""
        return (self.scraped + self.recorded) * BYTES_PER_SERIES

    @property
    def seconds_per_evaluation(self) -> float:
        """What evaluating all rules takes, on one core."""
        return self.recorded * SECONDS_PER_RECORDED

    @property
    def disk_bytes_per_month(self) -> float:
        """What a month of them needs on disk."""
        return self.samples_per_second * MONTH * BYTES_PER_SAMPLE


def cost_of(profile: Profile, settings: Settings, *, replicas: int = 1) -> Cost:
    """Count the series of a model.

    Parameters
    ----------
    profile
        Of the model.
    settings
        Which windows, how often scraped and evaluated.
    replicas
        How many are scraped.
    """
    timing = settings.timing
    return Cost(
        exported=exported(profile),
        labels=dict(sorted(Counter(metric for metric, _ in series_of(profile)).items())),
        about_features=recorded_about_features(profile, len(timing.windows)),
        others=recorded_besides(profile, settings),
        replicas=replicas,
        scrape_seconds=timing.scrape_interval / 1_000,
        evaluation_seconds=timing.evaluation_interval / 1_000,
    )


def exported(profile: Profile) -> dict[str, int]:
    """Count what a replica exports of a model, by metric, by exporting it."""
    text = Exposition([Observer(profile).counts]).render().decode()
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(sorted(Counter(line.partition("{")[0].split(" ")[0] for line in lines).items()))


_EXACT: Final[Sequence[tuple[str, str, Sequence[Series]]]] = (
    ("bins", "windows", (series.BIN_ROWS,)),
    ("bins", "once", (series.BIN_REFERENCE_ROWS,)),
    ("trained bins", "windows", (series.BIN_P,)),
    ("trained bins", "once", (series.BIN_Q,)),
    ("ordered bins", "windows", (series.BIN_SHARE_DIFF,)),
    ("positions", "windows", (series.BIN_CDF_DIFF,)),
    ("ordered", "windows", (series.KS, series.WASSERSTEIN)),
    ("features", "windows", (series.ROWS,)),
    ("features", "once", (series.REFERENCE_ROWS,)),
    ("trained", "windows", (series.PSI, series.PSI_EXCESS, series.KL, series.JS_DISTANCE)),
    ("trained", "windows", (series.HELLINGER, series.TVD, series.DF, series.G, series.G_Z)),
    ("whole", "once", (alarm_series.NATURAL_DRIFT, alarm_series.DRIFT_THRESHOLD)),
    ("whole", "judged", (alarm_series.DRIFT_STATE, alarm_series.DETECTABLE_DRIFT)),
    ("whole bins", "judged", (alarm_series.CONTRIBUTION,)),
    ("columns", "windows", (series.ABSENT_ROWS,)),
    ("checks", "windows", (series.CHECKED_ROWS, series.RATE)),
    ("trained checks", "windows", (series.POOLED_RATE, series.RATE_Z)),
    ("trained checks", "once", (series.REFERENCE_RATE,)),
    ("whole checks", "windows", (alarm_series.DETECTABLE_RATE, alarm_series.RATE_THRESHOLD)),
    ("whole checks", "windows", (alarm_series.RATE_STATE,)),
    ("model", "windows", (alarm_series.Z_THRESHOLD,)),
    ("model", "judged", (alarm_series.DRIFTED_FEATURES,)),
    ("model", "once", (alarm_series.TESTS, alarm_series.DAYS_Z, alarm_series.VARIATION_FACTOR)),
)
"""What there is one of, how often, and which series are recorded of it."""


def recorded_about_features(profile: Profile, windows: int) -> dict[str, int]:
    """Count the series that the rules record about features and outputs, by name.

    Parameters
    ----------
    profile
        Of a model that predicted in every segment over every window.
    windows
        How many there are; all but the shortest are judged, or the only one.
    """
    sizes = _sizes(profile)
    times = {"windows": windows, "judged": max(windows - 1, 1), "once": 1}
    return dict(
        sorted(
            (one.name, sizes[size] * times[often]) for size, often, some in _EXACT for one in some
        )
    )


def _sizes(profile: Profile) -> dict[str, int]:
    """Return how many there are of what `_EXACT` names.

    Outputs are there once more for every segment; what compares with training, only for
    segments that training had.
    """
    whole, outputs = (*profile.features, *profile.predictions), profile.predictions
    trained = (*whole, *(outputs * _trained_segments(profile)))
    parts = (*whole, *(outputs * len(all_segments(profile))))
    ordered = [sum(1 for bin in one.bins.bins if bin.ord) for one in trained]
    columns = len(profile.features)  # may be absent: a check of their own
    return {
        "bins": _bins(parts),
        "trained bins": _bins(trained),
        "whole bins": _bins(whole),
        "ordered bins": sum(ordered),
        "positions": sum(number - 1 for number in ordered if number),  # the last is always 0
        "ordered": sum(1 for number in ordered if number),
        "features": len(parts),
        "trained": len(trained),
        "whole": len(whole),
        "columns": columns,
        "checks": sum(map(_checks, parts)) + columns,
        "trained checks": sum(map(_checks, trained)) + columns,
        "whole checks": sum(map(_checks, whole)) + columns,
        "model": 1,
    }


def _bins(features: Sequence[FeatureProfile]) -> int:
    return sum(len(one.bins.bins) for one in features)


def _trained_segments(profile: Profile) -> int:
    by_name = {one.name: one for one in profile.features}
    segmented = [by_name[one.feature] for one in profile.segments]
    return sum(1 for one in segmented for rows in one.counts if rows)


def _checks(feature: FeatureProfile) -> int:
    kinds = {bin.kind for bin in feature.bins.bins}
    return sum(1 for wanted in CHECKS.values() if kinds & set(wanted))


def recorded_besides(profile: Profile, settings: Settings) -> dict[str, int]:
    """Say the most series that there can be of each that is not about bins, by name."""
    timing = settings.timing
    rules = [
        rule
        for group in recording_rules(
            windows=settings.windows,
            scrape_interval=settings.scrape_interval,
            evaluation_interval=settings.evaluation_interval,
            positions=profile.ordered_positions,
            tasks=Tasks.of([profile]),
        )
        for rule in group.rules
        if isinstance(rule, Rule)
    ]
    exact = {one.name for _, _, some in _EXACT for one in some}
    known = {one.name: one for one in series.ALL}
    levels = _levels(profile)
    classes = max(len(profile.model.classes), 1)
    values = {**_OTHER_LABELS, "window": len(timing.windows), "class": classes + 1}
    values |= dict.fromkeys(("place", "y_true", "y_pred"), classes)
    found: Counter[str] = Counter()
    for rule in rules:
        level = rule.record.partition(":")[0]
        if rule.record not in exact and level in levels:
            free = [label for label in known[rule.record].labels if label not in rule.labels]
            found[rule.record] += levels[level] * prod(values[label] for label in free)
    return dict(sorted(found.items()))


def _levels(profile: Profile) -> dict[str, int]:
    """Return how many there are of each level; `http_route` is not about the model."""
    parts = 1 + len(all_segments(profile))
    classes = max(len(profile.model.classes), 1)
    ordered = max(
        (sum(1 for bin in one.bins.bins if bin.ord) for one in profile.predictions), default=0
    )
    return {
        "model": 1,
        "model_versions": 1,
        "model_label": 1,
        "model_feature": len(profile.features) + len(profile.predictions),
        "model_bin": sum(len(one.bins.bins) for one in profile.predictions),
        "model_performance": parts,
        "model_error": parts,
        "model_target": parts,
        "model_class": parts * classes,
        "model_confusion": parts * classes**2,
        "model_label_bin": parts * ordered,
        "model_error_bin": parts * ordered,
        "model_answer": parts * ordered * classes,
    }
