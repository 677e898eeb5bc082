"""Every series that the recording rules write: the only place where such a name is spelt.

Those that judge are in `alarm_series`, those of labels and performance in `label_series`,
`count_series` and `performance_series`, those of skew in `skew_series`,
what alerts compare with in `judgement_series`.

``docs/rules.md`` and the comments in the generated rules come from this table.
"""

from __future__ import annotations

from typing import Final

from modelmeter import names
from modelmeter.generate import (
    alarm_series,
    count_series,
    judgement_series,
    label_series,
    performance_series,
    skew_series,
)
from modelmeter.generate.recorded import Series

_PARTS: Final = (
    skew_series,
    alarm_series,
    label_series,
    count_series,
    performance_series,
    judgement_series,
)

LEVELS: Final = {
    "model_bin": names.FEATURE_BIN.labels,
    "model_feature": (*names.REFERENCE_VARIATION.labels, "segment"),
    "model": names.LAST_PREDICTION.labels,
    "http_route": ("job", *names.HTTP_EXCEPTIONS.labels),
    **label_series.LEVELS,
    **count_series.LEVELS,
    **performance_series.LEVELS,
    **judgement_series.LEVELS,
}
"""Labels by level; what there is one series of."""

_WINDOW: Final = ("window",)
_CHECK: Final = ("window", "check")

BIN_REFERENCE_ROWS: Final = Series(
    "model_bin:reference_rows",
    (),
    "rows",
    "max over replicas",
    "Training rows in the bin: every replica exports the same number, one is enough.",
)
REFERENCE_ROWS: Final = Series(
    "model_feature:reference_rows", (), "rows", "m = Σ reference rows", "Training rows."
)
BIN_Q: Final = Series(
    "model_bin:q",
    (),
    "share",
    "q = (reference rows + 1/2) / (m + B/2)",
    "Share of the training rows in the bin, never quite 0. B is the number of bins.",
)
BIN_ROWS: Final = Series(
    "model_bin:rows",
    _WINDOW,
    "rows",
    "Σ increase",
    "Live rows in the bin over the window, restarts and all replicas included. The shortest "
    "window reads the counters; a multiple of it adds up what the shorter one recorded.",
)
ROWS: Final = Series(
    "model_feature:rows",
    _WINDOW,
    "rows",
    "n = Σ rows",
    "Live rows over the window: how much evidence there is. Where it is 0 no statistic is "
    "recorded; where it is small, read 'insufficient data', never 'ok'.",
)
BIN_P: Final = Series(
    "model_bin:p",
    _WINDOW,
    "share",
    "p = (rows + 5 q) / (n + 5)",
    "Share of the live rows in the bin, blended with five rows placed as in training so that "
    "a handful of rows cannot look like drift.",
)
PSI: Final = Series(
    "model_feature:psi",
    _WINDOW,
    "nats",
    "Σ (p - q) ln(p / q)",
    "Population stability index: how far live is from training. Grows when rows are few: for "
    "alarms use psi_excess.",
)
KL: Final = Series(
    "model_feature:kl",
    _WINDOW,
    "nats",
    "Σ p ln(p / q)",
    "Kullback-Leibler divergence of live from training.",
)
JS_DISTANCE: Final = Series(
    "model_feature:js_distance",
    _WINDOW,
    "0 to 1",
    "√(½ Σ p log2(2p / (p + q)) + ½ Σ q log2(2q / (p + q)))",
    "Jensen-Shannon distance: 0 is the same, 1 is nothing in common.",
)
HELLINGER: Final = Series(
    "model_feature:hellinger",
    _WINDOW,
    "0 to 1",
    "√(½ Σ (√p - √q)²)",
    "Hellinger distance: 0 is the same, 1 is nothing in common.",
)
TVD: Final = Series(
    "model_feature:tvd",
    _WINDOW,
    "share",
    "½ Σ |p - q|",
    "Total variation distance: the share of rows that moved to another bin.",
)
DF: Final = Series(
    "model_feature:df",
    _WINDOW,
    "bins",
    "bins in use - 1, at least 1",
    "Degrees of freedom: bins that hold any live or training row, less one.",
)
PSI_EXCESS: Final = Series(
    "model_feature:psi_excess",
    _WINDOW,
    "nats",
    "psi - df (1/n + 1/m)",
    "PSI beyond sampling noise: about 0 without drift, whatever the number of rows. Does the "
    "drift matter?",
)
G: Final = Series(
    "model_feature:g",
    _WINDOW,
    "",
    "2 Σ observed ln(observed / expected), over live and training rows",
    "Likelihood-ratio test of the two samples: larger is less likely to be chance.",
)
G_Z: Final = Series(
    "model_feature:g_z",
    _WINDOW,
    "standard deviations",
    "((g / df)^⅓ - 1 + 2 / (9 df)) / √(2 / (9 df))",
    "The same on one scale for any number of bins (Wilson and Hilferty): is the drift real, or "
    "could it be chance?",
)
BIN_SHARE_DIFF: Final = Series(
    "model_bin:share_diff",
    _WINDOW,
    "share",
    "p / Σ p - q / Σ q, over ordered bins",
    "Live minus training share among the bins that have an order (missing left out).",
)
BIN_CDF_DIFF: Final = Series(
    "model_bin:cdf_diff",
    ("window",),
    "share",
    "Σ share_diff up to and including this position",
    "Live minus training share of rows at or below this position (`ord`). Labelled by `ord` "
    "alone, without `kind` and `bin`; the last position, always 0, is left out.",
)
KS: Final = Series(
    "model_feature:ks",
    _WINDOW,
    "0 to 1",
    "max |cdf_diff|",
    "Kolmogorov-Smirnov statistic over the ordered bins: the largest gap between the two "
    "cumulative distributions.",
)
WASSERSTEIN: Final = Series(
    "model_feature:wasserstein",
    _WINDOW,
    "standard deviations of training",
    "Σ |cdf_diff| · distance to the next bin",
    "Earth mover's distance over the ordered bins: how far values moved on average.",
)
ABSENT_ROWS: Final = Series(
    "model_feature:absent_rows",
    _WINDOW,
    "rows",
    "Σ increase",
    "Rows that came without the feature's column; they fall in no bin.",
)
CHECKED_ROWS: Final = Series(
    "model_feature:checked_rows",
    _CHECK,
    "rows",
    "n; for absent: n + absent rows",
    "Rows that the check looked at: how much evidence there is.",
)
RATE: Final = Series(
    "model_feature:rate",
    _CHECK,
    "share",
    "rows that the check counts / checked rows",
    "Share of live rows that are missing, unseen, invalid, out_of_range or absent.",
)
REFERENCE_RATE: Final = Series(
    "model_feature:reference_rate",
    ("check",),
    "share",
    "the same in training; for absent: 0",
    "The same share in training: what is normal.",
)
POOLED_RATE: Final = Series(
    "model_feature:pooled_rate",
    _CHECK,
    "share",
    "(rate · checked rows + reference rate · m) / (checked rows + m)",
    "The share over live and training rows together: a step towards rate_z.",
)
RATE_Z: Final = Series(
    "model_feature:rate_z",
    _CHECK,
    "standard deviations",
    "sign · √(2 (checked rows · KL(rate, pooled) + m · KL(reference rate, pooled)))",
    "Signed root of the two-proportion likelihood ratio: could the difference of the two rates "
    "be chance? Positive when the live rate is higher.",
)
SECONDS_SINCE_VALUE: Final = Series(
    "model_feature:seconds_since_value",
    (),
    "seconds",
    "now - time of the last value",
    "Time since the feature last had a value, on any replica.",
)
SECONDS_SINCE_CHANGE: Final = Series(
    "model_feature:seconds_since_change",
    (),
    "seconds",
    "now - time of the last change",
    "Time since the feature's value last differed from the one before; a frozen source shows "
    "here while seconds_since_value stays small.",
)
PREDICTION_RATE: Final = Series(
    "model:prediction_rate",
    ("outcome", "window"),
    "rows per second",
    "Σ rate",
    "Rows predicted per second, by outcome (ok, error).",
)
PREDICTION_ERROR_RATIO: Final = Series(
    "model:prediction_error_ratio",
    _WINDOW,
    "share",
    "error rate / rate",
    "Share of the rows for which the model raised.",
)
PREDICTION_SECONDS: Final = Series(
    "model:prediction_seconds",
    ("quantile", "window"),
    "seconds",
    "histogram_quantile",
    "Time spent in the model per call: median, 95th and 99th percentile.",
)
SECONDS_SINCE_PREDICTION: Final = Series(
    "model:seconds_since_prediction",
    (),
    "seconds",
    "now - time of the last prediction",
    "Time since the model last predicted, on any replica.",
)
REQUEST_RATE: Final = Series(
    "http_route:request_rate",
    ("status", "window"),
    "requests per second",
    "Σ rate",
    "Requests answered per second.",
)
ERROR_RATIO: Final = Series(
    "http_route:error_ratio",
    _WINDOW,
    "share",
    "rate of 5xx / rate",
    "Share of the requests that the service failed to answer (status 500 and above).",
)
REQUEST_SECONDS: Final = Series(
    "http_route:request_seconds",
    ("quantile", "window"),
    "seconds",
    "histogram_quantile",
    "Time to answer a request: median, 95th and 99th percentile.",
)

ALL: Final[tuple[Series, ...]] = (
    *(value for value in dict(globals()).values() if isinstance(value, Series)),
    *(series for part in _PARTS for series in part.ALL),
)
"""Every recorded series, group by group, in the order of the rules."""
