"""Recorded series of labels themselves: how many, how late; see `series`."""

from __future__ import annotations

from typing import Final

from modelmeter import names
from modelmeter.generate.recorded import Series

LEVELS: Final = {"model_label": names.LAST_PREDICTION.labels}
"""Labels by level; what there is one series of."""

LABEL_TOTAL: Final = Series(
    "model_label:total",
    ("store", "outcome"),
    "labels",
    "max over replicas",
    "Labels since the store was made. Every replica of a store exports the same number, which "
    "never falls: the largest is one counter that outlives them all.",
)
LABEL_ROWS: Final = Series(
    "model_label:rows",
    ("outcome", "window"),
    "labels",
    "Σ over stores of (total now - total at the window's start)",
    "Labels that arrived in the window, by what became of them; 'counted' are those that "
    "performance is computed from.",
)
LAG_TOTAL: Final = Series(
    "model_label:lag_total",
    ("store", "le"),
    "labels",
    "max over replicas",
    "Labels since the store was made that came at most `le` seconds after their prediction.",
)
LAG_ROWS: Final = Series(
    "model_label:lag_rows",
    ("le", "window"),
    "labels",
    "as model_label:rows",
    "Labels that arrived in the window, at most `le` seconds after their prediction.",
)
LAG_SECONDS: Final = Series(
    "model_label:lag_seconds",
    ("quantile", "window"),
    "seconds",
    "histogram_quantile",
    "How long after the prediction its label comes: median and 95th percentile.",
)
COVERAGE: Final = Series(
    "model_label:coverage_ratio",
    ("age",),
    "share",
    "Σ predictions with a label / Σ predictions, over stores",
    "Share of the predictions of this age that have a label.",
)
PENDING: Final = Series(
    "model_label:pending", (), "rows", "Σ over stores", "Predictions that wait for a label."
)
SECONDS_SINCE_LABEL: Final = Series(
    "model_label:seconds_since_label",
    (),
    "seconds",
    "now - time of the last label",
    "Time since a label was last counted, in any store; absent before the first.",
)
OLDEST_PENDING_SECONDS: Final = Series(
    "model_label:oldest_pending_seconds",
    (),
    "seconds",
    "now - hour of the oldest prediction without a label",
    "How long the oldest prediction has been waiting for a label, good to an hour.",
)

ALL: Final[tuple[Series, ...]] = tuple(
    value for value in dict(globals()).values() if isinstance(value, Series)
)
"""In the order of the rules."""
