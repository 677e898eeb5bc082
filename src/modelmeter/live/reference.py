"""The profile as gauges beside the counts, so that Prometheus can compare the two."""

from __future__ import annotations

from collections.abc import Iterator

from modelmeter import names
from modelmeter.live.counts import Counts
from modelmeter.live.reference_performance import export_performance
from modelmeter.profile.facts import library_versions
from modelmeter.profile.profile import Profile
from modelmeter.profile.segments import segmented

_LIBRARIES = ("python", "numpy", "scikit-learn", "modelmeter")


def export_reference(profile: Profile, counts: Counts) -> list[tuple[str, ...]]:
    """Write what training looked like into a table of series.

    Parameters
    ----------
    profile
        The profile of the model that is served.
    counts
        The table.

    Returns
    -------
    list of tuple
        Label values of every bin, features first, then the outputs, then these by segment:
        the rows of ``model_feature_bin_total``.
    """
    labels = (profile.name, profile.version)
    everything = [
        *(("feature", f) for f in profile.features),
        *(("prediction", f) for f in profile.predictions),
    ]
    rows: list[tuple[str, ...]] = [
        (*labels, role, feature.name, place.kind, place.ord, place.label, "")
        for role, feature in everything
        for place in feature.bins.bins
    ]
    training: list[int] = [count for _, feature in everything for count in feature.counts]
    for row, count in _by_segment(profile):
        rows.append(row)
        training.append(count)
    counts.block(names.REFERENCE_ROWS, rows).values[:] = training
    gaps = [
        ((*labels, role, feature.name, f"{position:02d}"), gap)
        for role, feature in everything
        for position, gap in enumerate(feature.gaps)
    ]
    counts.block(names.REFERENCE_GAP, [row for row, _ in gaps]).values[:] = [g for _, g in gaps]
    variation = [(*labels, role, feature.name) for role, feature in everything]
    counts.block(names.REFERENCE_VARIATION, variation).values[:] = [
        feature.variation or 0.0 for _, feature in everything
    ]
    _export_info(profile, counts)
    export_performance(profile, counts)
    return rows


def _by_segment(profile: Profile) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the outputs' bins and training rows, segment by segment (see `OutputCounter`)."""
    for one, segments in segmented(profile):
        for i, segment in enumerate(segments):
            for output in profile.predictions:
                labels = (profile.name, profile.version, "prediction", output.name)
                for place, rows in zip(output.bins.bins, one.counts[output.name][i], strict=True):
                    yield (*labels, place.kind, place.ord, place.label, segment), rows


def _export_info(profile: Profile, counts: Counts) -> None:
    labels = (profile.name, profile.version)
    now = library_versions()
    serving = (*labels, profile.hash, *(now.get(name, "") for name in _LIBRARIES))
    then = (profile.libraries.get(name, "") for name in _LIBRARIES)
    training = (*labels, profile.hash, profile.created, *then)
    counts.block(names.MODEL_INFO, [serving]).values[:] = 1
    counts.block(names.REFERENCE_INFO, [training]).values[:] = 1
    pairs = [(name, profile.libraries.get(name, ""), now.get(name, "")) for name in _LIBRARIES]
    known = [(*labels, *pair) for pair in pairs if all(pair)]
    values = [mismatch(then, here) for _, then, here in pairs if then and here]
    counts.block(names.LIBRARY_MISMATCH, known).values[:] = values


def mismatch(training: str, serving: str) -> int:
    """Tell how far apart two versions of a library are.

    Returns
    -------
    int
        0 the same, 1 another patch, 2 another minor, 3 another major version.

    Examples
    --------
    >>> mismatch("1.5.2", "1.5.2"), mismatch("1.5.2", "1.5.3"), mismatch("1.5.2", "1.7.2")
    (0, 1, 2)
    """
    then, here = training.split("."), serving.split(".")
    if then == here:
        return 0
    for level, (one, other) in zip((3, 2), zip(then, here, strict=False), strict=False):
        if one != other:
            return level
    return 1
