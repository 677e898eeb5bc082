"""Recorded series that alerts compare with: service levels, what is usual, performance judged."""

from __future__ import annotations

from typing import Final

from modelmeter.generate.recorded import Series

LEVELS: Final = {"model_versions": ("model",)}
"""Labels by level; what there is one series of."""

_WINDOW: Final = ("window",)
_FIGURE: Final = ("metric", "class")
_SCOPE: Final = (*_FIGURE, "source", "window")
_BIN: Final = ("source", "window")

REQUESTS: Final = Series(
    "model:requests",
    _WINDOW,
    "requests",
    "Σ increase",
    "Requests for a model over the window; rows where it is not asked over HTTP.",
)
FAILED_REQUESTS: Final = Series(
    "model:failed_requests",
    _WINDOW,
    "requests",
    "Σ increase of status 500 and above",
    "Requests that the service failed to answer; rows for which the model raised where it is not "
    "asked over HTTP.",
)
SLOW_REQUESTS: Final = Series(
    "model:slow_requests",
    _WINDOW,
    "requests",
    "Σ increase of all - Σ increase of those within latency_seconds",
    "Requests that took longer than the setting latency_seconds.",
)
CALLS: Final = Series(
    "model_versions:calls",
    _WINDOW,
    "calls",
    "Σ increase",
    "How often any version of the model was asked, whatever became of it.",
)
USUAL_CALLS: Final = Series(
    "model_versions:usual_calls",
    _WINDOW,
    "calls",
    "min(median of the same time of the last 7 days, the same time a week ago); from 3 days on",
    "Calls that usually come at this time of the day, and on this day of the week.",
)
SECONDS_SINCE_LABEL: Final = Series(
    "model_versions:seconds_since_label",
    (),
    "seconds",
    "min over versions",
    "Time since a label last came for any version of the model.",
)
USUAL_LABEL_GAP: Final = Series(
    "model_versions:usual_label_gap_seconds",
    (),
    "seconds",
    "max of seconds_since_label in 14 days, hour by hour, as of the last label; from 7 days on",
    "The longest that labels usually keep one waiting, nights and weekends included.",
)
USUAL_STILL: Final = Series(
    "model_feature:usual_still_seconds",
    (),
    "seconds",
    "max of seconds_since_change in 3 days, every 15 min, as of its last change; from 20 "
    "changes on",
    "The longest that the feature's value usually stays the same.",
)
HEADLINE: Final = Series(
    "model_performance:headline",
    _FIGURE,
    "that of the metric",
    "reference of roc_auc, else macro_f1, else mae",
    "The figure that stands for the model, out of sample: the one that is judged.",
)
LOSS: Final = Series(
    "model_performance:loss",
    _SCOPE,
    "points; for mae a share of the reference",
    "reference - value; for mae (value - reference) / reference",
    "How much worse than in training the model is: does it matter? Of the headline figure only.",
)
LOSS_ERROR: Final = Series(
    "model_performance:loss_error",
    _SCOPE,
    "as the loss",
    "√(error² + reference error²); for mae / reference",
    "By how much the loss may be off because both sides were measured on so many rows.",
)
STATE: Final = Series(
    "model_performance:state",
    _SCOPE,
    "-1, 0, 1",
    "1 if loss > z_threshold · loss_error and loss > smallest_loss (mae: 5 times it) and rows ≥ "
    "200; else 0 if (z_threshold + 0.84) · loss_error ≤ smallest_loss; else -1",
    "1 worse than in training, 0 ok, -1 insufficient data.",
)
NORMAL_RATIO: Final = Series(
    "model_label_bin:normal_ratio",
    (),
    "share",
    "r = outcome ratio of the positive class",
    "Share of rows in a score bin that were positive out of sample, when the profile was built.",
)
NORMAL_ROWS: Final = Series(
    "model_label_bin:normal_rows",
    (),
    "rows",
    "share of training rows in the bin · a (1 - a) / e², a ± e the accuracy out of sample",
    "How many rows that share was measured on, about; as the error of the accuracy tells.",
)
BIN_MISS: Final = Series(
    "model_label_bin:miss",
    _BIN,
    "rows",
    "positive rows - r · rows; where r (1 - r) · rows ≥ 5",
    "How many more rows of a score bin turned out positive than such scores were worth in "
    "training.",
)
BIN_MISS_VARIANCE: Final = Series(
    "model_label_bin:miss_variance",
    _BIN,
    "squared rows",
    "r (1 - r) · rows · (1 + rows / (normal rows + 10))",
    "How far from 0 the miss may be by chance: the variance.",
)
CALIBRATION_GAP: Final = Series(
    "model_performance:calibration_gap",
    _BIN,
    "probability",
    "√(Σ (miss² - miss_variance) / rows / Σ rows), at least 0",
    "How far scores are from what they were worth in training, beyond chance: root mean square "
    "over rows.",
)
CALIBRATION_Z: Final = Series(
    "model_performance:calibration_z",
    _BIN,
    "standard deviations",
    "Wilson and Hilferty's z of Σ miss² / miss_variance",
    "Could the gap be chance?",
)

ALL: Final[tuple[Series, ...]] = tuple(
    value for value in dict(globals()).values() if isinstance(value, Series)
)
"""In the order of the rules."""
