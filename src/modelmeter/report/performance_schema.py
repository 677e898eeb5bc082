"""The part of findings that is about performance; see `schema`."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from modelmeter.report.feature_schema import State

Direction = Literal["higher", "lower", "zero"]
"""Which way a figure is better."""


class FigurePart(TypedDict):
    """A figure of performance."""

    value: float
    error: Annotated[float | None, "standard error"]
    change: Annotated[float | None, "above the baseline; None for the baseline itself"]
    z: Annotated[float | None, "the change in standard errors"]
    state: Annotated[State | None, "alarm if worse; of the judged figure only"]


MetricPart = TypedDict(
    "MetricPart",
    {
        "metric": str,
        "class": Annotated[str | None, "of which class; None for all together"],
        "better": Annotated[Direction | None, "which way is better"],
        "main": Annotated[bool, "the figure to show first: accuracy, or mae"],
        "judged": Annotated[bool, "the one that alarms: roc_auc, else macro_f1, else mae"],
        "baseline": Annotated[FigurePart | None, "out of sample, in training"],
        "realised": Annotated[FigurePart | None, "from labels"],
        "estimated": Annotated[FigurePart | None, "before labels"],
    },
)
MetricPart.__doc__ = "One metric: realised, estimated, baseline."


class ConfusionPart(TypedDict):
    """Rows by true class (down) and predicted class (across)."""

    realised: list[list[float]] | None
    estimated: list[list[float]] | None
    baseline: list[list[float]] | None


class ReliabilityPart(TypedDict):
    """Whether a score bin keeps its promise: share of positive outcomes."""

    label: str
    score: Annotated[float | None, "probability that stands for the bin"]
    rows: Annotated[float, "labelled"]
    positive_ratio: float | None
    error: Annotated[float | None, "standard error"]
    training_ratio: Annotated[float | None, "out of sample"]


class ErrorBinPart(TypedDict):
    """Errors of a regression by predicted value."""

    label: str
    rows: Annotated[float, "labelled"]
    mae: float | None
    bias: float | None
    training_mae: Annotated[float | None, "out of sample"]
    training_bias: float | None


class SegmentPart(TypedDict):
    """Performance on a part of the rows."""

    segment: Annotated[str, "`feature=value`"]
    rows: Annotated[float, "predicted"]
    labelled_rows: float
    metrics: list[MetricPart]


class PerformancePart(TypedDict):
    """How good the model is: from labels, and before they come."""

    method: Annotated[str, "how the baseline was measured; empty without one"]
    unmeasured: Annotated[str, "why there is no baseline; empty where there is one"]
    baseline_rows: float
    labelled_rows: Annotated[float, "that realised figures are from"]
    predicted_rows: Annotated[float, "that estimated figures are from"]
    metrics: list[MetricPart]
    confusion: Annotated[ConfusionPart | None, "of a classifier"]
    reliability: Annotated[list[ReliabilityPart] | None, "of a binary model with probabilities"]
    error_bins: Annotated[list[ErrorBinPart] | None, "of a regression"]
    segments: list[SegmentPart]
