"""The schema of findings: what a page, a report, a check and a terminal draw.

Findings are one plain dict that JSON can hold: texts, numbers, booleans, lists, dicts and
None; never NaN or infinity (None stands for what is not known or not defined).

To change it: raise `SCHEMA_VERSION` when a field is renamed, removed or gets another meaning (a
new field needs no new version), run ``scripts/reference.py`` for the page that describes it, and
write ``tests/report/golden/findings.json`` anew with ``MODELMETER_WRITE_GOLDEN=1``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypedDict

from modelmeter.report.feature_schema import BinPart as BinPart
from modelmeter.report.feature_schema import DriftPart as DriftPart
from modelmeter.report.feature_schema import FeaturePart as FeaturePart
from modelmeter.report.feature_schema import QuantilePart as QuantilePart
from modelmeter.report.feature_schema import RatePart as RatePart
from modelmeter.report.feature_schema import State as State
from modelmeter.report.feature_schema import Time as Time
from modelmeter.report.performance_schema import ConfusionPart as ConfusionPart
from modelmeter.report.performance_schema import Direction as Direction
from modelmeter.report.performance_schema import ErrorBinPart as ErrorBinPart
from modelmeter.report.performance_schema import FigurePart as FigurePart
from modelmeter.report.performance_schema import MetricPart as MetricPart
from modelmeter.report.performance_schema import PerformancePart as PerformancePart
from modelmeter.report.performance_schema import ReliabilityPart as ReliabilityPart
from modelmeter.report.performance_schema import SegmentPart as SegmentPart

SCHEMA_VERSION: Final = 1

SourceKind = Literal["process", "file", "url", "prometheus"]

Point = tuple[float, float]


class ModelPart(TypedDict):
    """The model, and the profile that it is compared with."""

    name: str
    version: str
    task: Annotated[str, "binary, multiclass, regression or other"]
    class_name: Annotated[str, "of the model's own class"]
    classes: Annotated[list[str], "names of the classes, in the order of every confusion matrix"]
    threshold: Annotated[float | None, "smallest score of the positive class"]
    profile_hash: str
    profile_created: Annotated[str, "ISO 8601"]
    training_rows: float
    training_since: Time
    training_until: Time


class SourcePart(TypedDict):
    """Where the live rows were counted."""

    kind: SourceKind
    where: Annotated[str, "a file name or URL without password; empty for a process"]


class WindowPart(TypedDict):
    """Which live rows count."""

    text: Annotated[str, "for a reader: `since start`, `last 24h`, `whole file`"]
    since: Time
    until: Time
    seconds: Annotated[float | None, "its length; None for a file"]


class JudgingPart(TypedDict):
    """What makes a change an alarm, see docs/alarms.md."""

    alarms_per_month: Annotated[float, "false alarms accepted, per month and model"]
    psi_excess: Annotated[float, "from which drift matters, where days do not vary"]
    rate_difference: Annotated[float, "from which a rate's change matters, likewise"]
    smallest_loss: Annotated[float, "points that a judged score must lose to matter"]
    tests: Annotated[int, "questions asked of the model, each of which may alarm falsely"]
    looks_per_month: Annotated[float, "how often each is asked anew"]
    z_threshold: Annotated[float, "from which a difference is no chance"]
    variation_factor: Annotated[float, "what natural variation is multiplied by"]
    under_a_day: Annotated[bool, "the window is so short that the time of day shows as drift"]


class ProblemPart(TypedDict):
    """One thing that is wrong; the worst come first."""

    check: Annotated[
        str,
        "drift, prediction, missing, unseen, out_of_range, invalid, absent, schema, performance, "
        "estimated, errors, canary, profile, libraries or monitoring",
    ]
    feature: Annotated[str | None, "feature or output that it is about"]
    text: Annotated[str, "one sentence with the numbers"]


class LatencyPart(TypedDict):
    """Quantiles of a duration in seconds, read off the buckets of its histogram."""

    p50: float | None
    p95: float | None
    p99: float | None


class WorkerPart(TypedDict):
    """How busy one worker process is."""

    worker: Annotated[str, "its number; empty where there is only one"]
    started: Time
    resident_bytes: float | None
    event_loop_lag_seconds: Annotated[float | None, "longest in 15 seconds"]
    threadpool_busy_ratio: Annotated[float | None, "mean of 15 seconds"]


class SignalsPart(TypedDict):
    """Golden signals of the routes that predict, and of the model."""

    requests: Annotated[float, "answered in the window"]
    requests_per_second: float | None
    error_ratio: Annotated[float | None, "share with a status of 500 or more"]
    latency: LatencyPart
    in_progress: Annotated[float | None, "requests being answered now, on all routes"]
    predictions_per_second: Annotated[float | None, "rows"]
    prediction_error_ratio: Annotated[float | None, "share of rows for which the model raised"]
    model_latency: Annotated[LatencyPart, "time in the model, per call"]
    last_prediction: Time
    workers: list[WorkerPart]


class CoveragePart(TypedDict):
    """Predictions of one age that have a label."""

    age: str
    predictions: float
    labels: float
    ratio: float | None


class LabelsPart(TypedDict):
    """The labels themselves."""

    arrived: Annotated[float, "counted in the window"]
    outcomes: Annotated[dict[str, float], "labels in the window by what became of them"]
    lag_p50_seconds: Annotated[float | None, "label after prediction"]
    lag_p95_seconds: float | None
    coverage: list[CoveragePart]
    pending: Annotated[float | None, "predictions that wait for a label"]
    oldest_pending: Time
    last_label: Time
    waiting: Annotated[float | None, "labels that wait for their prediction"]


class CanaryPart(TypedDict):
    """Rows kept in the profile and asked again at start-up."""

    equal: float
    different: float
    failed: float


class LibraryPart(TypedDict):
    """A library's versions."""

    library: str
    training: str
    serving: str
    mismatch: Annotated[int, "0 the same, 1 another patch, 2 minor, 3 major version"]


class MismatchPart(TypedDict):
    """A difference between the columns served and those of training."""

    feature: Annotated[str, "empty for `extra` and `reordered`"]
    check: Annotated[str, "missing, dtype, extra or reordered"]
    count: Annotated[float, "comparisons that found it"]


class SkewPart(TypedDict):
    """Whether what serves is what was trained."""

    canary: CanaryPart | None
    libraries: list[LibraryPart]
    schema_checks: Annotated[float, "comparisons of columns"]
    schema: list[MismatchPart]
    profile_hash: Annotated[str | None, "of the profile that serves; None when not known"]


class FailurePart(TypedDict):
    """A failure of the monitoring, or what it let go."""

    where: str
    reason: Annotated[str, "empty for failures"]
    count: float


class MonitoringPart(TypedDict):
    """The monitoring's own health."""

    failures: list[FailurePart]
    dropped: list[FailurePart]


class CurvePart(TypedDict):
    """A value over time."""

    name: Annotated[str, "psi_excess, a check of `rates`, or a metric of `performance`"]
    feature: Annotated[str | None, "feature or output; None for performance"]
    source: Annotated[str | None, "realised or estimated; None for others"]
    points: Annotated[list[Point], "pairs of Unix time and value, in order"]


class HistoryPart(TypedDict):
    """Curves from Prometheus."""

    since: float
    until: float
    step: Annotated[float, "seconds"]
    curves: list[CurvePart]


class Findings(TypedDict):
    """Everything found out about a model over a window."""

    schema_version: int
    modelmeter: Annotated[str, "version that wrote it"]
    created: Annotated[str, "ISO 8601, UTC"]
    model: ModelPart
    source: SourcePart
    window: WindowPart
    rows: Annotated[float, "predicted, or read from the file"]
    state: Annotated[State, "alarm if there is a problem; few_rows if nothing can be said"]
    verdict: Annotated[str, "one sentence"]
    problems: list[ProblemPart]
    judging: JudgingPart
    signals: Annotated[SignalsPart | None, "None for a file"]
    predictions: Annotated[list[FeaturePart], "the outputs: y_pred, and y_score where there is one"]
    features: Annotated[list[FeaturePart], "alarms first, then by `score`"]
    performance: Annotated[PerformancePart | None, "None for a model that does not predict"]
    labels: Annotated[LabelsPart | None, "None where no labels are kept"]
    skew: SkewPart
    monitoring: MonitoringPart
    history: Annotated[HistoryPart | None, "with Prometheus only"]
