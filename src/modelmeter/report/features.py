"""Features and outputs: how far each is from training, and what moved.

Features whose bins are of the same kinds are computed together, so that a thousand of them
take no longer than a page may.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from modelmeter import names
from modelmeter.profile.profile import QUANTILES, FeatureProfile, Profile
from modelmeter.report.counts import FEATURE, PREDICTION, Observed
from modelmeter.report.judging import ABSENT, Limits, checks_of
from modelmeter.report.plain import moment, number, numbers, state_of
from modelmeter.report.schema import (
    BinPart,
    DriftPart,
    FeaturePart,
    QuantilePart,
    RatePart,
    State,
)
from modelmeter.stats import drift as statistics
from modelmeter.stats.alarms import detectable_drift, drift_state, minimum_rows, rate_state
from modelmeter.stats.bins import NumericBins
from modelmeter.stats.quantiles import binned_live_quantiles
from modelmeter.stats.rates import CHECKS, rate, rate_z

Floats = NDArray[np.float64]
Role = Literal["feature", "prediction"]

MOST_MOVED: Final = 5
"""So many bins are named as those that moved most."""


@dataclass(frozen=True)
class Group:
    """Features whose bins are of the same kinds, in the same order.

    Parameters
    ----------
    role
        ``feature`` or ``prediction``.
    features
        Their profiles.
    live, training
        Rows by bin, shape (n_features, n_bins).
    absent
        Rows without the column, shape (n_features,).
    """

    role: Role
    features: Sequence[FeatureProfile]
    live: Floats
    training: Floats
    absent: Floats


def feature_parts(profile: Profile, observed: Observed, limits: Limits) -> list[FeaturePart]:
    """Return every feature: alarms first, then by drift times importance.

    Parameters
    ----------
    profile
        Of the model.
    observed
        What was counted.
    limits
        Thresholds.
    """
    found = _parts(FEATURE, profile.features, observed, limits)
    order = sorted(range(len(found)), key=lambda i: (*_rank(found[i]), i))
    return [found[i] for i in order]


def output_parts(profile: Profile, observed: Observed, limits: Limits) -> list[FeaturePart]:
    """Return the outputs, ``y_pred`` first; see `feature_parts`."""
    return _parts(PREDICTION, profile.predictions, observed, limits)


def _rank(part: FeaturePart) -> tuple[bool, float, float, float]:
    excess = part["drift"]["psi_excess"] or 0.0
    return part["state"] != "alarm", -part["score"], -(part["importance"] or 0.0), -excess


def _parts(
    role: Role, features: Sequence[FeatureProfile], observed: Observed, limits: Limits
) -> list[FeaturePart]:
    by_layout: dict[tuple[tuple[str, bool], ...], list[int]] = defaultdict(list)
    for i, one in enumerate(features):
        by_layout[tuple((place.kind, bool(place.ord)) for place in one.bins.bins)].append(i)
    found: dict[int, FeaturePart] = {}
    times = _times(observed) if role == FEATURE else {}
    for chosen in by_layout.values():
        some = [features[i] for i in chosen]
        group = Group(
            role,
            some,
            np.stack([observed.bins[role, one.name, ""] for one in some]),
            np.asarray([one.counts for one in some], dtype=np.float64),
            np.asarray([observed.absent.get(one.name, 0.0) for one in some]),
        )
        found.update(zip(chosen, _group_parts(group, limits, times), strict=True))
    return [found[i] for i in range(len(features))]


def _times(observed: Observed) -> dict[str, tuple[float | None, float | None]]:
    """Return when each feature last had a value and last changed; nothing for a file."""
    if observed.kind == "file":
        return {}
    last, changed = (
        {row[2]: moment(float(value)) for row, value in observed.series(metric).items()}
        for metric in (names.FEATURE_LAST_VALUE, names.FEATURE_LAST_CHANGE)
    )
    return {name: (value, changed.get(name)) for name, value in last.items()}


def _group_parts(
    group: Group, limits: Limits, times: Mapping[str, tuple[float | None, float | None]]
) -> list[FeaturePart]:
    drifts, rates = _drifts(group, limits), _rates(group, limits)
    live, training = (rows / np.where(n > 0, n, np.nan) for rows, n in _totals(group))
    p = statistics.live_shares(group.live, group.training)
    q = statistics.reference_shares(group.training)
    contributions = (p - q) * np.log(p / q)
    parts: list[FeaturePart] = []
    for i, one in enumerate(group.features):
        of_feature = [of_check[i] for of_check in rates]
        states = [drifts[i]["state"], *(found["state"] for found in of_feature)]
        state: State = "alarm" if "alarm" in states else drifts[i]["state"]
        excess = drifts[i]["psi_excess"] or 0.0
        last_value, last_change = times.get(one.name, (None, None))
        parts.append(
            {
                "name": one.name,
                "role": group.role,
                "kind": one.kind,
                "dtype": one.dtype,
                "importance": None if one.importance is None else number(one.importance),
                "score": max(excess, 0.0) * (1.0 if one.importance is None else one.importance),
                "state": state,
                "rows": float(group.live[i].sum()),
                "training_rows": float(one.rows),
                "drift": drifts[i],
                "rates": of_feature,
                "bins": _bins(one, group.live[i], live[i], training[i], contributions[i]),
                "moved": _moved(contributions[i]),
                "quantiles": _quantiles(one, group.live[i]),
                "last_value": last_value,
                "last_change": last_change,
            }
        )
    return parts


def _totals(group: Group) -> Iterable[tuple[Floats, Floats]]:
    for rows in (group.live, group.training):
        yield rows, rows.sum(axis=-1, keepdims=True)


def _drifts(group: Group, limits: Limits) -> list[DriftPart]:
    live, training = group.live, group.training
    n, m = live.sum(axis=-1), training.sum(axis=-1)
    ordered = [bool(place.ord) for place in group.features[0].bins.bins]
    threshold, natural = limits.drift(group.features), limits.natural(group.features)
    df = statistics.degrees_of_freedom(live, training)
    g, _, z = statistics.g_test(live, training)
    some_df = np.maximum(np.count_nonzero(live + training > 0, axis=-1) - 1, 1)
    distances = np.full(len(live), np.nan)
    if any(ordered):
        gaps = np.asarray([one.gaps for one in group.features])
        distances = statistics.wasserstein(live, training, gaps, ordered=ordered)
    columns = {
        "psi_excess": statistics.psi_excess(live, training),
        "z": z,
        "detectable": detectable_drift(some_df, n, m, z=limits.z),
        "rows_needed": minimum_rows(some_df, m, z=limits.z, matters=threshold),
        "psi": statistics.psi(live, training),
        "kl": statistics.kl(live, training),
        "js_distance": statistics.js_distance(live, training),
        "hellinger": statistics.hellinger(live, training),
        "tvd": statistics.tvd(live, training),
        "ks": statistics.ks(live, training, ordered=ordered),
        "wasserstein": distances,
        "g": g,
        "df": df,
    }
    states = drift_state(live, training, z=limits.z, matters=threshold)
    plain = {name: numbers(values.tolist()) for name, values in columns.items()}
    return [
        {
            "state": state_of(states[i]),
            "threshold": float(threshold[i]),
            "z_threshold": limits.z,
            "natural": float(natural[i]),
            **{name: values[i] for name, values in plain.items()},  # type: ignore[typeddict-item]
        }
        for i in range(len(live))
    ]


def _rates(group: Group, limits: Limits) -> list[list[RatePart]]:
    """Return every check, and in it every feature of the group."""
    kinds = [place.kind for place in group.features[0].bins.bins]
    n, m = group.live.sum(axis=-1), group.training.sum(axis=-1)
    found = []
    for check in checks_of(group.features[0]):
        chosen = np.isin(kinds, CHECKS[check])
        rows, of_training = group.live[:, chosen].sum(axis=-1), group.training[:, chosen]
        found.append(_check(group, limits, check, (rows, n, of_training.sum(axis=-1), m)))
    if group.role == FEATURE:
        nothing = np.zeros_like(n)
        sides = group.absent, n + group.absent, nothing, m
        found.append(_check(group, limits, ABSENT, sides))
    return found


def _check(
    group: Group, limits: Limits, check: str, sides: tuple[Floats, Floats, Floats, Floats]
) -> list[RatePart]:
    rows, total, reference_rows, reference_total = sides
    normal = rate(reference_rows, reference_total)
    matters = limits.rates(normal, group.features)
    states = rate_state(*sides, z=limits.z, matters=matters)
    with np.errstate(invalid="ignore"):
        z = numbers(rate_z(*sides))
    live, training = numbers(rate(rows, total)), numbers(normal)
    return [
        {
            "check": check,
            "state": state_of(states[i]),
            "rows": float(rows[i]),
            "total": float(total[i]),
            "rate": live[i],
            "training_rate": training[i],
            "z": z[i],
            "threshold": float(matters[i]),
        }
        for i in range(len(rows))
    ]


def _bins(
    feature: FeatureProfile, rows: Floats, live: Floats, training: Floats, contributions: Floats
) -> list[BinPart]:
    columns = zip(
        feature.bins.bins,
        rows.tolist(),
        numbers(live),
        feature.counts,
        numbers(training),
        numbers(contributions),
        strict=True,
    )
    return [
        {
            "label": place.label,
            "kind": place.kind,
            "ord": int(place.ord) if place.ord else None,
            "rows": n,
            "share": share,
            "training_rows": float(m),
            "training_share": training_share,
            "contribution": contribution,
        }
        for place, n, share, m, training_share, contribution in columns
    ]


def _moved(contributions: Floats) -> list[int]:
    known = np.nan_to_num(contributions)
    order = np.argsort(-known, kind="stable")[:MOST_MOVED]
    return [int(i) for i in order if known[i] > 0]


def _quantiles(feature: FeatureProfile, rows: Floats) -> list[QuantilePart]:
    bins = feature.bins
    if not isinstance(bins, NumericBins) or not feature.quantiles:
        return []
    ordered = len(bins.edges) + 1
    live = binned_live_quantiles(
        QUANTILES, rows[:ordered], feature.counts[:ordered], bins.edges, feature.quantiles
    )
    pairs = zip(QUANTILES, numbers(live), feature.quantiles, strict=True)
    return [{"q": q, "live": here, "training": float(there)} for q, here, there in pairs]
