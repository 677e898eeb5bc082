"""A model's own feature importances, brought back from its last step to its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelmeter.profile.facts import unwrap
from modelmeter.stats.values import Floats


def feature_importances(
    model: Any, features: Sequence[str], scales: Mapping[str, float]
) -> dict[str, float]:
    """Return each input feature's share of the model's importances.

    Parameters
    ----------
    model
        A fitted estimator; a search or a threshold classifier is asked for its estimator,
        a pipeline for its last step.
    features
        Names of the input features.
    scales
        Standard deviation by numeric feature: coefficients of a linear model on the raw
        columns are multiplied by it, so that units do not count.

    Returns
    -------
    dict of str to float
        Shares that sum to 1; empty where the model gives no importances.
    """
    model = unwrap(model)
    steps = getattr(model, "steps", None)
    final = unwrap(steps[-1][1]) if steps else model
    raw, is_linear = _raw(final)
    if raw is None:
        return {}
    names = list(features)
    if steps and len(steps) > 1:
        try:
            names = [str(name) for name in model[:-1].get_feature_names_out()]
        except Exception:  # noqa: BLE001 - a step that cannot name its outputs
            return {}
    elif is_linear and len(raw) == len(names):
        raw = raw * np.asarray([scales.get(name, 1.0) for name in names])
    if len(raw) != len(names) or not np.isfinite(raw).all():
        return {}
    return _shares(names, raw, features)


def _raw(final: Any) -> tuple[Floats | None, bool]:
    importances = getattr(final, "feature_importances_", None)
    if importances is not None:
        return np.abs(np.asarray(importances, dtype=np.float64)), False
    coefficients = getattr(final, "coef_", None)
    if coefficients is None or hasattr(coefficients, "toarray"):
        return None, True
    array = np.abs(np.asarray(coefficients, dtype=np.float64))
    return (array.mean(axis=0) if array.ndim == 2 else array), True


def _shares(names: Sequence[str], raw: Floats, features: Sequence[str]) -> dict[str, float]:
    totals = dict.fromkeys(features, 0.0)
    for name, value in zip(names, raw.tolist(), strict=True):
        source = _source(name, features)
        if source is not None:
            totals[source] += value
    whole = sum(totals.values())
    return {name: value / whole for name, value in totals.items()} if whole else {}


def _source(name: str, features: Sequence[str]) -> str | None:
    """Return the input feature that a transformed column comes from, by its name."""
    for candidate in (name, name.partition("__")[2], name.rpartition("__")[2]):
        matches = [f for f in features if candidate == f or candidate.startswith(f"{f}_")]
        if matches:
            return max(matches, key=len)
    return None
