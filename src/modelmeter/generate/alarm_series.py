"""Recorded series that say whether a feature alarms, is fine, or has too few rows to tell."""

from __future__ import annotations

from typing import Final

from modelmeter.generate.recorded import Series

_WINDOW: Final = ("window",)
_CHECK: Final = ("check", "window")

TESTS: Final = Series(
    "model:tests",
    (),
    "tests",
    "(features + outputs + 3 with performance) · windows that drift is judged over + 2 · checks · "
    "windows",
    "How many questions are asked of a model, each of which may alarm falsely; a rate may rise or "
    "fall, which is two. Performance is realised, estimated and calibrated.",
)
Z_THRESHOLD: Final = Series(
    "model:z_threshold",
    _WINDOW,
    "standard deviations",
    "normal quantile of alarms per month / (tests · independent looks per month)",
    "From which z on a difference is real, so that chance alone alarms no more often than you "
    "accept.",
)
DAYS_Z: Final = Series(
    "model:days_z_threshold",
    (),
    "standard deviations",
    "two-sided normal quantile of alarms per month / (30 · (features + outputs))",
    "How unusual a day may be, among all days of a month and all features.",
)
VARIATION_FACTOR: Final = Series(
    "model:variation_factor",
    (),
    "none",
    "(Student's t with 12 degrees of freedom at days_z_threshold / 1.96)², at least 1",
    "How many times the variation that 95 of 100 training days stay under a feature may drift "
    "before it matters.",
)
NATURAL_DRIFT: Final = Series(
    "model_feature:natural_drift",
    (),
    "nats",
    "natural variation · variation_factor; 0 when training had no time stamps",
    "How far a feature may drift because days differ.",
)
DRIFT_THRESHOLD: Final = Series(
    "model_feature:drift_threshold",
    (),
    "nats",
    "max(natural_drift, the setting psi_excess)",
    "From which psi_excess on drift matters.",
)
RATE_THRESHOLD: Final = Series(
    "model_feature:rate_threshold",
    _CHECK,
    "share",
    "max(√(natural_drift · r (1 - r)), the setting rate_difference), r = reference_rate; in the "
    "shortest of several windows twice the setting",
    "From which difference on a rate matters.",
)
DETECTABLE_DRIFT: Final = Series(
    "model_feature:detectable_drift",
    _WINDOW,
    "nats",
    "noncentrality seen with power 0.8 · (1/n + 1/m)",
    "The smallest drift that so many rows would show, four times in five. With more rows it is "
    "smaller.",
)
DRIFT_STATE: Final = Series(
    "model_feature:drift_state",
    _WINDOW,
    "-2, -1, 0, 1",
    "1 if g_z > z_threshold and psi_excess > drift_threshold and detectable_drift ≤ 5 · "
    "drift_threshold; else 0 if detectable_drift ≤ drift_threshold; else -2 if no number of live "
    "rows could make it so; else -1",
    "1 drift, 0 ok, -1 insufficient data: too few live rows to tell, -2 insufficient data: too few "
    "training rows to tell, whatever comes. Not in the shortest of several windows, where the time "
    "of day would be drift.",
)
DRIFTED_FEATURES: Final = Series(
    "model:drifted_features",
    _WINDOW,
    "features",
    "Σ (drift_state = 1), over features",
    "How many features have drifted; outputs are not counted.",
)
DETECTABLE_RATE: Final = Series(
    "model_feature:detectable_rate",
    _CHECK,
    "share",
    "sin²(asin √r + (z_threshold + 0.84) / 2 · √(1/n + 1/m)) - r",
    "The smallest change of a rate that so many rows would show, four times in five.",
)
RATE_STATE: Final = Series(
    "model_feature:rate_state",
    _CHECK,
    "-2, -1, 0, 1",
    "as drift_state, of |rate_z|, |rate - reference_rate|, rate_threshold and detectable_rate",
    "1 the share of missing, unseen, ... values has changed, 0 ok, -1 and -2 insufficient data as "
    "in drift_state.",
)
CONTRIBUTION: Final = Series(
    "model_bin:contribution",
    _WINDOW,
    "nats",
    "(p - q) ln(p / q)",
    "What a bin adds to the PSI of its feature: the largest are the bins that moved most. Where "
    "drift is judged only.",
)

ALL: Final[tuple[Series, ...]] = tuple(
    value for value in dict(globals()).values() if isinstance(value, Series)
)
"""In the order of the rules."""
