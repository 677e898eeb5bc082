"""From counts to findings: one plain dict that everything else draws."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version

from modelmeter import names
from modelmeter.profile.profile import Profile
from modelmeter.report.counts import Observed
from modelmeter.report.features import feature_parts, output_parts
from modelmeter.report.health import labels_part, monitoring_part, skew_part
from modelmeter.report.judging import Judging, judge_batch, judge_window
from modelmeter.report.performance import performance_part
from modelmeter.report.problems import problems_of
from modelmeter.report.schema import SCHEMA_VERSION, Findings, HistoryPart, ModelPart
from modelmeter.report.signals import signals_part
from modelmeter.report.verdict import state_of_all, verdict_of
from modelmeter.stats.labels import category_labels


def summarise(
    profile: Profile,
    observed: Observed,
    *,
    judging: Judging | None = None,
    history: HistoryPart | None = None,
) -> Findings:
    """Find out how a model does.

    Parameters
    ----------
    profile
        What training looked like.
    observed
        What was counted over a window.
    judging
        What makes a change an alarm; by default as the generated rules do for a window as
        long, and for a file as one of thirty batches a month.
    history
        Curves, from Prometheus.

    Returns
    -------
    Findings
        See docs/reference/findings.md; JSON can hold it.
    """
    if judging is None:
        is_file = observed.kind == "file"
        judging = judge_batch() if is_file else judge_window(observed.seconds)
    limits = judging.limits(profile)
    of_model = {"model": profile.name, "version": profile.version}
    findings: Findings = {
        "schema_version": SCHEMA_VERSION,
        "modelmeter": version("modelmeter"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": _model(profile),
        "source": {"kind": observed.kind, "where": observed.where},
        "window": {
            "text": observed.window,
            "since": observed.since,
            "until": observed.until,
            "seconds": observed.seconds,
        },
        "rows": observed.total(names.PREDICTIONS, **of_model, outcome="ok"),
        "state": "few_rows",
        "verdict": "",
        "problems": [],
        "judging": limits.part(),
        "signals": signals_part(profile, observed),
        "predictions": output_parts(profile, observed, limits),
        "features": feature_parts(profile, observed, limits),
        "performance": performance_part(profile, observed, limits),
        "labels": labels_part(profile, observed),
        "skew": skew_part(profile, observed),
        "monitoring": monitoring_part(observed),
        "history": history,
    }
    findings["problems"] = problems_of(findings)
    findings["state"] = state_of_all(findings)
    findings["verdict"] = verdict_of(findings)
    return findings


def _model(profile: Profile) -> ModelPart:
    since, until = profile.time_span or (None, None)
    return {
        "name": profile.name,
        "version": profile.version,
        "task": profile.model.task,
        "class_name": profile.model.class_name,
        "classes": category_labels(profile.model.classes),
        "threshold": profile.model.threshold,
        "profile_hash": profile.hash,
        "profile_created": profile.created,
        "training_rows": float(profile.rows),
        "training_since": since,
        "training_until": until,
    }
