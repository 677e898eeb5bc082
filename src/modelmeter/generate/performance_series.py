"""Recorded series of performance: figures, their errors, and the reference; see `series`."""

from __future__ import annotations

from typing import Final

from modelmeter import names
from modelmeter.generate.recorded import Series

LEVELS: Final = {"model_performance": (*names.LAST_PREDICTION.labels, "segment")}
"""Labels by level; what there is one series of."""

_SCOPE: Final = ("source", "window")
_FIGURE: Final = ("metric", "class", *_SCOPE)

MEAN_LOSS: Final = Series(
    "model_performance:mean_loss",
    ("metric", "smoothed", *_SCOPE),
    "",
    "Σ cells · loss / Σ cells; ece: Σ |surplus| / Σ cells; roc_auc: share of pairs in order",
    "ROC AUC, Brier score, log loss and calibration error, of the rows as they are and of those "
    "with pseudo-rows.",
)
PERFORMANCE_ROWS: Final = Series(
    "model_performance:rows",
    _SCOPE,
    "rows",
    "n = Σ rows",
    "How much evidence there is: labels that arrived in the window (realised), predictions made "
    "in it (estimated). Where it is small, read 'insufficient data', never 'ok'.",
)
VALUE: Final = Series(
    "model_performance:value",
    _FIGURE,
    "that of the metric",
    "see the table of metrics",
    "How good the model is; absent where a figure is not defined, such as the precision of a "
    "class that was never predicted.",
)
ERROR: Final = Series(
    "model_performance:error",
    _FIGURE,
    "that of the metric",
    "√(Σ rows · slope²), over counts with pseudo-rows",
    "Standard error: by how much the figure may be off because it was measured on so many rows.",
)
REFERENCE: Final = Series(
    "model_performance:reference",
    ("metric", "class"),
    "that of the metric",
    "max over replicas",
    "The same figure out of sample, when the profile was built: what is normal.",
)
REFERENCE_ERROR: Final = Series(
    "model_performance:reference_error",
    ("metric", "class"),
    "that of the metric",
    "max over replicas",
    "Its standard error.",
)
CHANGE: Final = Series(
    "model_performance:change",
    _FIGURE,
    "that of the metric",
    "value - reference",
    "How far the figure moved: does it matter? Positive is higher, which is worse for errors and "
    "losses.",
)
Z: Final = Series(
    "model_performance:z",
    _FIGURE,
    "standard deviations",
    "change / √(error² + reference error²)",
    "Is the change real, or could it be chance? Positive is higher; 0 where nothing differs, "
    "infinite where neither side can be off.",
)

ALL: Final[tuple[Series, ...]] = tuple(
    value for value in dict(globals()).values() if isinstance(value, Series)
)
"""In the order of the rules."""
