"""The profile as gauges beside the counts, so that Prometheus can compare the two."""

from __future__ import annotations

from modelmeter import names
from modelmeter.live.counts import Counts
from modelmeter.profile.facts import library_versions
from modelmeter.profile.profile import Profile

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
        Label values of every bin, features first, then the outputs: the rows of
        ``model_feature_bin_total``.
    """
    labels = (profile.name, profile.version)
    everything = [
        *(("feature", f) for f in profile.features),
        *(("prediction", f) for f in profile.predictions),
    ]
    rows: list[tuple[str, ...]] = [
        (*labels, role, feature.name, place.kind, place.ord, place.label)
        for role, feature in everything
        for place in feature.bins.bins
    ]
    reference = counts.block(names.REFERENCE_ROWS, rows)
    reference.values[:] = [count for _, feature in everything for count in feature.counts]
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
    return rows


def _export_info(profile: Profile, counts: Counts) -> None:
    labels = (profile.name, profile.version)
    now = library_versions()
    serving = (*labels, profile.hash, *(now.get(name, "") for name in _LIBRARIES))
    then = (profile.libraries.get(name, "") for name in _LIBRARIES)
    training = (*labels, profile.hash, profile.created, *then)
    counts.block(names.MODEL_INFO, [serving]).values[:] = 1
    counts.block(names.REFERENCE_INFO, [training]).values[:] = 1
