"""Alerts on the monitoring itself: what it did not see."""

from __future__ import annotations

from collections.abc import Iterator

from modelmeter import names as metrics
from modelmeter.generate.alerts import names, words
from modelmeter.generate.alerts.plan import Plan
from modelmeter.generate.promql import selector, sum_by
from modelmeter.generate.rulefile import Alert, quote

_GROUPS = 'rule_group=~".*;modelmeter_.*"'


def monitoring_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alerts on failures, on what was let go, and on rules."""
    job = f"job={quote(plan.settings.job)}"
    for name, metric, labels, summary, description, panel in (
        (
            names.MONITORING_FAILING,
            metrics.FAILURES,
            ("where",),
            f"monitoring failed {words.WHOLE} times in 10 minutes "
            "({{ $labels.where }}); normal is 0",
            "Predictions are not touched by it, but some are not counted: what is said of drift, "
            "data quality and performance may be off. The service's log says why, once.",
            "overview:failures",
        ),
        (
            names.MONITORING_DROPPING,
            metrics.DROPPED,
            ("where", "reason"),
            f"monitoring let go {words.WHOLE} records in 10 minutes "
            "({{ $labels.where }}: {{ $labels.reason }}); normal is 0",
            "There was no room or no time to keep them: labels that come for these predictions "
            "will find nothing.",
            "overview:dropped",
        ),
    ):
        window = plan.timing.signal_window if plan.timing.scrape_interval > 150_000 else "10m"
        counted = f"increase({selector(metric.name, job)}[{window}])"
        yield plan.alert(
            name,
            f"{sum_by(plan.labels.of('job', *labels), counted)} > 0",
            severity=names.WARNING,
            hold=plan.at_least("15m"),
            summary=f"{words.SERVICE}: {summary}",
            description=description,
            panel=panel,
            shown=("job",),
            comment="Over ten minutes for fifteen: a failure that comes once is no alarm.",
        )
    yield from _rules(plan)


def _rules(plan: Plan) -> Iterator[Alert]:
    failed, last, interval = (
        selector(f"prometheus_rule_{name}", _GROUPS)
        for name in (
            "evaluation_failures_total",
            "group_last_duration_seconds",
            "group_interval_seconds",
        )
    )
    for reason, expr, summary, comment in (
        (
            "failed",
            f"increase({failed}[10m]) > 0",
            "a rule cannot be evaluated",
            "Where Prometheus is scraped itself; otherwise these two never fire.",
        ),
        (
            "late",
            f"{last} > {interval}",
            "the rules take {{ $value | humanizeDuration }}, longer than their interval",
            "",
        ),
    ):
        yield plan.alert(
            names.RULES_FAILING,
            expr,
            severity=names.WARNING,
            hold=plan.at_least("10m"),
            summary=f"Prometheus, rules {{{{ $labels.rule_group }}}}: {summary}",
            description="Drift, performance and alerts are computed by these rules: some are late "
            "or missing, and an alert that should fire may not.",
            panel="overview:failures",
            comment=comment,
            reason=reason,
        )
