"""How well a model does: realised from labels, or expected before labels arrive.

Everything follows from counts that add up over rows, replicas, windows and segments:

- `binary`: rows by score bin and outcome;
- `multiclass`: rows by true and predicted class;
- `regression`: sums of errors and of their powers;
- `estimated`: rows by bin without labels, times what the outcome was per bin out of
  sample (`calibration`).

Every figure is an `Estimate`: a value and its standard error, so that `z_score` can say
whether production differs from the baseline. The recording rules compute the values in
PromQL.
"""

from modelmeter.stats.performance.binary import (
    BinaryPerformance,
    binary_performance,
    positive_bins,
    reliability,
)
from modelmeter.stats.performance.calibration import (
    OutcomeRatios,
    binary_ratios,
    multiclass_ratios,
)
from modelmeter.stats.performance.estimated import estimate_binary, estimate_multiclass
from modelmeter.stats.performance.estimated_errors import estimate_regression
from modelmeter.stats.performance.expected import EstimatedPerformance
from modelmeter.stats.performance.multiclass import (
    MulticlassPerformance,
    multiclass_performance,
)
from modelmeter.stats.performance.regression import (
    ERROR_SUMS,
    TARGET_SUMS,
    RegressionPerformance,
    error_sums,
    regression_performance,
    target_sums,
)
from modelmeter.stats.performance.sampling import Estimate, z_score

__all__ = [
    "ERROR_SUMS",
    "TARGET_SUMS",
    "BinaryPerformance",
    "Estimate",
    "EstimatedPerformance",
    "MulticlassPerformance",
    "OutcomeRatios",
    "RegressionPerformance",
    "binary_performance",
    "binary_ratios",
    "error_sums",
    "estimate_binary",
    "estimate_multiclass",
    "estimate_regression",
    "multiclass_performance",
    "multiclass_ratios",
    "positive_bins",
    "regression_performance",
    "reliability",
    "target_sums",
    "z_score",
]
