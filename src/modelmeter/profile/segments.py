"""Parts of the rows by the value of one feature, and how the model did on each.

A segment is named by the feature and one of its bins: ``origin=JFK``, ``origin=other``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from modelmeter._errors import DataError
from modelmeter.profile.baseline import Baseline, baseline_of
from modelmeter.profile.calibration import AnyCalibration, score_profile
from modelmeter.profile.profile import FeatureProfile, ModelFacts, Profile
from modelmeter.stats.bins import Bins, CategoricalBins, NumericBins
from modelmeter.stats.performance import ERROR_SUMS, TARGET_SUMS

logger = logging.getLogger("modelmeter")

Table = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Segmentation:
    """The model's outputs and performance in training, by the bins of one feature.

    Parameters
    ----------
    feature
        A categorical or boolean feature.
    counts
        By output (``y_pred``, ``y_score``): training rows by bin of the feature (down) and
        bin of the output (across).
    calibrations
        What the model's answers were worth out of sample, by bin of the feature, as far as
        baselines need it (see `Calibration.condensed`); None where there were no rows or
        nothing was measured.
    baselines
        How good the model was out of sample, likewise. They follow from `calibrations`.
    """

    feature: str
    counts: Mapping[str, Table] = field(default_factory=dict)
    calibrations: tuple[AnyCalibration | None, ...] = ()
    baselines: tuple[Baseline | None, ...] = ()


def segment_names(feature: str, bins: Bins) -> tuple[str, ...]:
    """Name the segments of a feature, one for each of its bins, in their order."""
    return tuple(f"{feature}={place.label}" for place in bins.bins)


def segmented(profile: Profile) -> list[tuple[Segmentation, tuple[str, ...]]]:
    """Return every segmentation of a profile with the names of its segments."""
    bins = {feature.name: feature.bins for feature in profile.features}
    return [(one, segment_names(one.feature, bins[one.feature])) for one in profile.segments]


def all_segments(profile: Profile) -> list[str]:
    """Name every segment of a profile, feature by feature."""
    return [name for _, segments in segmented(profile) for name in segments]


def segmentation(
    feature: str,
    counts: Mapping[str, Table],
    calibrations: Sequence[AnyCalibration | None],
    *,
    facts: ModelFacts,
    outputs: Sequence[FeatureProfile],
    method: str,
) -> Segmentation:
    """Make a segmentation, working out the baselines.

    Parameters
    ----------
    feature, counts, calibrations
        See `Segmentation`.
    facts, outputs, method
        See `baseline_of`.
    """
    baselines = tuple(
        None if one is None else baseline_of(facts, outputs, one, method) for one in calibrations
    )
    return Segmentation(feature, counts, tuple(calibrations), baselines)


def check_segment_names(
    segments: Sequence[str], features: Sequence[str], facts: ModelFacts
) -> None:
    """Refuse segments by what is no feature, or of a model without outputs.

    Raises
    ------
    DataError
        The message says which.
    """
    if isinstance(segments, str):
        raise DataError(f"segments must be a list of features: [{segments!r}]")
    for i, name in enumerate(segments):
        if name not in features:
            raise DataError(f"segments: {name!r} is no feature; there are {list(features)}")
        if name in segments[:i]:
            raise DataError(f"segments: {name!r} is there twice")
    if segments and facts.task == "other":
        raise DataError("segments part a model's outputs: give a model that predicts")


def check_segment_bins(segments: Sequence[str], bins: Mapping[str, Bins]) -> None:
    """Refuse segments by features that are neither categorical nor boolean.

    Raises
    ------
    DataError
        The message says which.
    """
    for name in segments:
        of_feature = bins[name]
        if isinstance(of_feature, CategoricalBins):
            continue
        if not of_feature.edges:
            raise DataError(f"segments: {name!r} has no value in the training data")
        if of_feature.is_time:
            raise DataError(f"segments: {name!r} holds times, which make no segments")
        raise DataError(
            f"segments: {name!r} is numeric; take it as categories with "
            f"Binning(categorical=({name!r},)), or make a feature of text of it"
        )


def check_segment_series(profile: Profile, most: int) -> int:
    """Refuse segments that would export too much; return how many series they add.

    Raises
    ------
    DataError
        More than `most`.
    """
    added = segment_series(profile)
    if added > most:
        raise DataError(
            f"segments would add {added} series to every replica ({_sizes(profile)}), more than "
            f"max_segment_series={most}: segment by fewer features or by one with fewer "
            "categories, lower Binning(max_categories=...), or raise the limit"
        )
    return added


def log_segment_series(profile: Profile, added: int) -> None:
    """Say what segments cost, where there are any."""
    if profile.segments:
        logger.warning("segments add %d series per replica: %s", added, _sizes(profile))


def segment_series(profile: Profile) -> int:
    """Count the series that a replica exports because of segments.

    They are counts of the outputs, live and in training, confidences by class, the totals
    of labels, and the baselines with their errors.
    """
    parts = [(one, len(segments)) for one, segments in segmented(profile)]
    measures = [
        measure
        for one, _ in parts
        for baseline in one.baselines
        for measure in (baseline.measures if baseline else ())
    ]
    errors = sum(1 for measure in measures if measure.error is not None)
    return sum(size for _, size in parts) * _series_each(profile) + len(measures) + errors


def _series_each(profile: Profile) -> int:
    """Count the series of one segment, baselines aside."""
    outputs, facts = profile.predictions, profile.model
    counts = 2 * sum(len(output.bins.bins) for output in outputs)
    if facts.task == "regression":
        return counts + len(ERROR_SUMS) + len(TARGET_SUMS)
    classes, scores = len(facts.classes), score_profile(facts, outputs)
    ordered = 0
    if scores is not None and isinstance(scores.bins, NumericBins):
        ordered = len(scores.bins.edges) + 1
    # By class, both: confidences of many classes, labels by score bin of two.
    return counts + classes * ordered + classes**2


def _sizes(profile: Profile) -> str:
    parts = segmented(profile)
    return ", ".join(f"{one.feature} {len(segments)} segments" for one, segments in parts)
