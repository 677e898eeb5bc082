"""Labels, skew between training and serving, and the monitoring's own health."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from modelmeter import names
from modelmeter.names import Metric
from modelmeter.profile.profile import Profile
from modelmeter.report.counts import Observed
from modelmeter.report.plain import moment, number, ratio
from modelmeter.report.schema import (
    CanaryPart,
    FailurePart,
    LabelsPart,
    MismatchPart,
    MonitoringPart,
    SkewPart,
)
from modelmeter.report.signals import histogram
from modelmeter.stats.histogram import bucket_quantile


def labels_part(profile: Profile, observed: Observed) -> LabelsPart | None:
    """Return the state of the labels; None where none are kept.

    Parameters
    ----------
    profile
        Of the model.
    observed
        What was counted.
    """
    of_model = {"model": profile.name, "version": profile.version}
    outcomes = _summed(observed, names.LABELS, "outcome", of_model)
    pending = observed.series(names.PENDING, **of_model)
    if not outcomes and not pending:
        return None
    lags = histogram(names.LABEL_LAG, observed.series(names.LABEL_LAG, **of_model).values())
    bounds = names.LABEL_LAG.buckets
    predictions, labels = (
        _summed(observed, metric, "age", of_model)
        for metric in (names.COVERAGE_PREDICTIONS, names.COVERAGE_LABELS)
    )
    oldest = [float(v) for v in observed.series(names.OLDEST_PENDING, **of_model).values() if v > 0]
    last = [float(v) for v in observed.series(names.LAST_LABEL, **of_model).values()]
    waiting = observed.series(names.LABELS_WAITING)
    return {
        "arrived": outcomes.get("counted", 0.0),
        "outcomes": outcomes,
        "lag_p50_seconds": number(bucket_quantile(0.5, lags, bounds)),
        "lag_p95_seconds": number(bucket_quantile(0.95, lags, bounds)),
        "coverage": [
            {
                "age": age,
                "predictions": rows,
                "labels": labels.get(age, 0.0),
                "ratio": ratio(labels.get(age, 0.0), rows),
            }
            for age, rows in predictions.items()
        ],
        "pending": float(sum(map(float, pending.values()))) if pending else None,
        "oldest_pending": moment(min(oldest, default=0.0)),
        "last_label": moment(max(last, default=0.0)),
        "waiting": float(sum(map(float, waiting.values()))) if waiting else None,
    }


def skew_part(profile: Profile, observed: Observed) -> SkewPart:
    """Return whether what serves is what was trained.

    Parameters
    ----------
    profile
        Of the model.
    observed
        What was counted.
    """
    of_model = {"model": profile.name, "version": profile.version}
    libraries = observed.series(names.LIBRARY_MISMATCH, **of_model)
    mismatches = observed.series(names.SCHEMA_MISMATCHES, **of_model)
    found: list[MismatchPart] = [
        {"feature": feature, "check": check, "count": float(count)}
        for (_, _, feature, check), count in mismatches.items()
        if count > 0
    ]
    return {
        "canary": _canary(observed, of_model),
        "libraries": [
            {"library": library, "training": then, "serving": now, "mismatch": int(level)}
            for (_, _, library, then, now), level in libraries.items()
        ],
        "schema_checks": observed.total(names.SCHEMA_CHECKS, **of_model),
        "schema": found,
        "profile_hash": _serving_hash(profile, observed, of_model),
    }


def monitoring_part(observed: Observed) -> MonitoringPart:
    """Return what the monitoring failed in, and what it let go; of all models that it watches."""
    failures: list[FailurePart] = [
        {"where": row[0], "reason": "", "count": float(count)}
        for row, count in observed.series(names.FAILURES).items()
        if count > 0
    ]
    dropped: list[FailurePart] = [
        {"where": row[0], "reason": row[1], "count": float(count)}
        for row, count in observed.series(names.DROPPED).items()
        if count > 0
    ]
    return {"failures": failures, "dropped": dropped}


def _canary(observed: Observed, of_model: Mapping[str, str]) -> CanaryPart | None:
    rows = _summed(observed, names.CANARY_ROWS, "outcome", of_model)
    if not any(rows.values()):
        return None
    return {
        "equal": rows.get("equal", 0.0),
        "different": rows.get("different", 0.0),
        "failed": rows.get("failed", 0.0),
    }


def _serving_hash(profile: Profile, observed: Observed, of_model: Mapping[str, str]) -> str | None:
    """Return the hash of the profile that serves; of several, one that is another."""
    place = names.MODEL_INFO.labels.index("profile_hash")
    found = {row[place] for row in observed.series(names.MODEL_INFO, **of_model)}
    if not found:
        return None
    others = sorted(found - {profile.hash})
    return next(iter(others or sorted(found)), None)


def _summed(
    observed: Observed, metric: Metric, label: str, of_model: Mapping[str, str]
) -> dict[str, float]:
    """Add a metric up by one label, over stores."""
    place = metric.labels.index(label)
    found: dict[str, float] = defaultdict(float)
    for row, value in observed.series(metric, **of_model).items():
        found[row[place]] += float(value)
    return dict(found)
