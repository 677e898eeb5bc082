"""Recorded series that performance is computed from: rows and sums; see `series`."""

from __future__ import annotations

from typing import Final

from modelmeter import names
from modelmeter.generate.recorded import Series

_PART: Final = (*names.LAST_PREDICTION.labels, "segment")

LEVELS: Final = {
    "model_answer": (*_PART, "y_pred", "ord", "bin"),
    "model_confusion": (*_PART, "y_true", "y_pred"),
    "model_class": (*_PART, "class"),
    "model_label_bin": (*_PART, "ord", "bin"),
    "model_error_bin": (*_PART, "ord", "bin"),
    "model_error": _PART,
    "model_target": _PART,
}
"""Labels by level; what there is one series of."""

_SCOPE: Final = ("source", "window")
_STORE: Final = ("store",)
_CELL: Final = ("outcome", "smoothed", *_SCOPE)

OUTCOME_RATIO: Final = Series(
    "model_answer:outcome_ratio",
    ("place", "y_true"),
    "share",
    "max over replicas",
    "How often y_true was the truth, out of sample, when the model said so: by predicted class "
    "and score bin. `place` is the position of y_true among the classes.",
)
RIGHT_RATIO: Final = Series(
    "model_answer:right_ratio",
    (),
    "share",
    "outcome ratio where y_true = y_pred",
    "How often the model was right, out of sample, when it said so.",
)
CLASS_SCORE_ROWS: Final = Series(
    "model_answer:class_score_rows",
    ("window",),
    "rows",
    "Σ increase",
    "Live rows over the window by predicted class and confidence bin, of a model with more than "
    "two classes.",
)
BIN_REFERENCE_ERROR: Final = Series(
    "model_error_bin:reference",
    ("statistic",),
    "that of the error, its square or fourth power",
    "max over replicas",
    "Mean over rows out of sample, by prediction bin: errors above 0 (over), below 0 (under, as a "
    "positive number), squared and to the fourth power.",
)
ANSWER_ROWS: Final = Series(
    "model_answer:rows",
    ("window",),
    "rows",
    "Σ rows",
    "Live rows over the window by what the model answered, labelled or not: the predicted class "
    "and the score's bin, as far as there are any; for a regression the bin of the value.",
)
CONFUSION_TOTAL: Final = Series(
    "model_confusion:total",
    _STORE,
    "rows",
    "max over replicas",
    "Labelled rows since the store was made, see model_label:total.",
)
CONFUSION_ROWS: Final = Series(
    "model_confusion:rows",
    _SCOPE,
    "rows",
    "realised: as model_label:rows; estimated: Σ answers · outcome ratio",
    "Confusion matrix: rows by true and predicted class. Realised from the labels that arrived in "
    "the window; estimated for the predictions made in the window, before their labels.",
)
CLASS_ROWS: Final = Series(
    "model_class:rows",
    ("of", *_SCOPE),
    "rows",
    "t, p, r and t + p from the confusion matrix",
    "Rows whose class is the truth (of=true), what the model said (predicted), both (right), and "
    "t + p (either).",
)
CLASS_SMOOTHED: Final = Series(
    "model_class:smoothed_rows",
    ("of", *_SCOPE),
    "rows",
    "t + 4/K, p + 4/K",
    "Class rows with four pseudo-rows among K classes, two right and two wrong: a step towards "
    "the standard error of the MCC.",
)
CLASS_SLOPE: Final = Series(
    "model_class:slope",
    ("metric", "of", *_SCOPE),
    "figure per row",
    "derivative of the figure by the rows that are truly, that are said to be, and that are "
    "rightly said to be of the class",
    "By how much one more row would move macro F1 or MCC: a step towards their standard error.",
)
BIN_OUTCOME: Final = Series(
    "model_label_bin:outcome",
    ("y_true", "outcome"),
    "1",
    "place 00 negative, 01 positive",
    "Which class of a binary model is the positive one.",
)
BIN_SCORE: Final = Series(
    "model_label_bin:score",
    (),
    "probability",
    "s = max over replicas",
    "The score that stands for a bin; absent where scores are no probabilities.",
)
BIN_LOSS: Final = Series(
    "model_label_bin:loss",
    ("metric", "outcome"),
    "",
    "brier: (y - s)²; log_loss: -ln of the outcome's probability; ece: y - s; y is 1 or 0",
    "What a row of this score bin and outcome costs.",
)
BIN_TOTAL: Final = Series(
    "model_label_bin:total",
    ("store", "y_true"),
    "rows",
    "max over replicas",
    "Labelled rows since the store was made, see model_label:total.",
)
BIN_ROWS: Final = Series(
    "model_label_bin:rows",
    ("y_true", "outcome", *_SCOPE),
    "rows",
    "realised: as model_label:rows; estimated: answers · outcome ratio",
    "Rows of a binary model by score bin and truth, see model_confusion:rows.",
)
POSITIVE_RATIO: Final = Series(
    "model_label_bin:positive_ratio",
    _SCOPE,
    "share",
    "positive rows / rows",
    "Reliability curve: the share of rows in a score bin that turned out positive. Calibrated "
    "when it equals model_label_bin:score.",
)
POSITIVE_RATIO_ERROR: Final = Series(
    "model_label_bin:positive_ratio_error",
    _SCOPE,
    "share",
    "√((positive + 1)(rows - positive + 1) / (rows + 2)³)",
    "Standard error of the reliability curve.",
)
PSEUDO_ROWS: Final = Series(
    "model_label_bin:pseudo_rows",
    ("y_pred", *_SCOPE),
    "rows",
    "rows / rows on this side of the threshold",
    "One row on either side of the threshold, spread over bins as rows are: added to either "
    "outcome for standard errors, so that they are not 0 when a few rows are all right.",
)
BIN_CELLS: Final = Series(
    "model_label_bin:cells",
    _CELL,
    "rows",
    "rows; smoothed: rows + pseudo-rows",
    "Rows by score bin and outcome, as they are (for figures) and with pseudo-rows (for their "
    "standard errors).",
)
BIN_BELOW: Final = Series(
    "model_label_bin:rows_below",
    _CELL,
    "rows",
    "Σ cells below this position + half of those at it",
    "Rows of this outcome with a lower score, ties counting half. Labelled by `ord` alone, "
    "without `bin`.",
)
BIN_SURPLUS: Final = Series(
    "model_label_bin:surplus",
    ("smoothed", *_SCOPE),
    "rows",
    "positive rows - s · rows",
    "How many more rows of a score bin turned out positive than its score promised.",
)
ERROR_TOTAL: Final = Series(
    "model_error_bin:total",
    ("store", "statistic"),
    "that of the statistic",
    "max over replicas",
    "Sums over labelled rows since the store was made, see model_label:total.",
)
ERROR_BIN_SUM: Final = Series(
    "model_error_bin:sum",
    ("statistic", *_SCOPE),
    "that of the statistic",
    "realised: as model_label:rows; estimated: answers · reference",
    "Sums over rows of a regression by prediction bin (over all bins for a segment, when "
    "realised): rows, errors above 0 (over) and below (under), squared, fourth power.",
)
ERROR_SUM: Final = Series(
    "model_error:sum",
    ("statistic", *_SCOPE),
    "that of the statistic",
    "Σ over bins",
    "The same over all prediction bins.",
)
ERROR_BIN_MAE: Final = Series(
    "model_error_bin:mae",
    _SCOPE,
    "that of the target",
    "(over + under) / rows",
    "Mean absolute error by prediction bin: where the model is far off.",
)
TARGET_TOTAL: Final = Series(
    "model_target:total",
    ("store", "statistic"),
    "that of the statistic",
    "max over replicas",
    "Sums of powers of the truth since the store was made, see model_label:total.",
)
TARGET_SUM: Final = Series(
    "model_target:sum",
    ("statistic", *_SCOPE),
    "that of the statistic",
    "as model_label:rows",
    "Sums of powers of the truth about a fixed center, over the labels that arrived.",
)
TARGET_MEAN: Final = Series(
    "model_target:mean",
    _SCOPE,
    "that of the target",
    "(above - below) / rows",
    "Mean of the truth, counted from the center.",
)
TARGET_SPREAD: Final = Series(
    "model_target:squared_deviations",
    _SCOPE,
    "squared target",
    "squared - rows · mean²",
    "How much there is to explain: squared distances of the truth from its mean.",
)

ALL: Final[tuple[Series, ...]] = tuple(
    value for value in dict(globals()).values() if isinstance(value, Series)
)
"""In the order of the rules."""
