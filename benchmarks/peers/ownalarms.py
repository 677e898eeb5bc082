"""Our alarms on counts per minute, exactly as the recording rules would see them.

The shortest window is the sum of its minutes; the long one adds up what the short one showed
at every minute, as `modelmeter.generate.promql.over_window` does. Everything is evaluated every
minute, and an alert fires that has been true for ten.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from modelmeter.stats.alarms import drift_state, rate_state
from modelmeter.stats.budget import (
    SUDDEN,
    AlarmBudget,
    drift_that_matters,
    rate_that_matters,
    variation_factor,
    z_threshold,
)
from modelmeter.stats.drift import g_test
from modelmeter.stats.rates import CHECKS, rate_z

HOLD = 10
"""Minutes for which an alert must be true before it fires."""

QUICK, LONG = 60, 1440
WARM_UP = LONG + QUICK


@dataclass(frozen=True)
class Limits:
    """The thresholds that follow from a budget for a model of so many features."""

    z: dict
    factor: float
    budget: AlarmBudget


def limits(features):
    """Return the thresholds: drift over the long window, checks (missing, ...) over both."""
    budget = AlarmBudget()
    tests = sum(1 + 2 * 2 * (len(checks(feature)) + 1) for feature in features)
    z = {
        window: float(z_threshold(tests, window / 60, alarms_per_month=budget.alarms_per_month))
        for window in (QUICK, LONG)
    }
    factor = variation_factor(len(features), alarms_per_month=budget.alarms_per_month)
    return Limits(z, float(factor), budget)


def checks(feature):
    """Return the checks that the feature's bins allow (that on absent columns comes on top)."""
    return [check for check, kinds in CHECKS.items() if set(kinds) & set(feature.kinds)]


def windows(counts):
    """Return rows per bin of both windows; entry i ends i minutes after `WARM_UP`."""
    total = np.vstack([np.zeros(counts.shape[1]), np.cumsum(counts, axis=0)])
    quick = total[QUICK:] - total[:-QUICK]
    seen = np.vstack([np.zeros(counts.shape[1]), np.cumsum(quick, axis=0)])
    long = (seen[LONG:] - seen[:-LONG]) / QUICK
    return {QUICK: quick[-len(long) + 1 :], LONG: long[1:]}


def states(feature, counts, found):
    """Return the state of every test at every minute after `WARM_UP`.

    Returns
    -------
    dict of tuple to ndarray
        By what is tested and the window in minutes.
    """
    kinds = np.array(feature.kinds)
    reference = feature.reference
    matters = drift_that_matters(
        feature.variation, factor=found.factor, psi_excess=found.budget.psi_excess
    )
    result = {}
    for window, live in windows(counts).items():
        if window == LONG:
            state = drift_state(live, reference, z=found.z[window], matters=matters)
            result["drift", window] = state
        for check in checks(feature):
            chosen = np.isin(kinds, CHECKS[check])
            training = reference[chosen].sum(), reference.sum()
            size = rate_that_matters(
                training[0] / training[1],
                feature.variation,
                factor=found.factor,
                rate_difference=found.budget.rate_difference * (SUDDEN if window == QUICK else 1),
            )
            rows = live[:, chosen].sum(axis=1), live.sum(axis=1)
            result[check, window] = rate_state(*rows, *training, z=found.z[window], matters=size)
    return result


def chance(feature, counts, found):
    """Return how often each test begins to fire by its z alone, whatever the size.

    Returns
    -------
    Counter
        By what is tested: drift, or a check; over both windows.
    """
    kinds, reference = np.array(feature.kinds), feature.reference
    begun = Counter()
    for window, live in windows(counts).items():
        if window == LONG:
            begun["drift"] += len(firing(g_test(live, reference)[2] > found.z[window]))
        for check in checks(feature):
            chosen = np.isin(kinds, CHECKS[check])
            rows = live[:, chosen].sum(axis=1), live.sum(axis=1)
            z = rate_z(*rows, reference[chosen].sum(), reference.sum())
            begun[check] += len(firing(np.abs(z) > found.z[window]))
    return begun


def firing(state, hold=HOLD):
    """Return the minutes at which an alert begins to fire."""
    on = np.diff(np.concatenate([[0], (state == 1).astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(on == 1), np.flatnonzero(on == -1)
    return starts[ends - starts > hold] + hold
