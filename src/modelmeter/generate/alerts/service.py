"""Alerts on the service around the models: down, silent, failing, slow, full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter import names as metrics
from modelmeter.generate import judgement_series as series
from modelmeter.generate.alerts import names, words
from modelmeter.generate.alerts.plan import Plan
from modelmeter.generate.promql import selector
from modelmeter.generate.rulefile import Alert, quote
from modelmeter.generate.service_levels import BURNS, Burn, burn_windows
from modelmeter.generate.usual import SILENCES, silent_calls

ENOUGH_FAILURES: Final = 5
"""Failures in the long window before anybody is told: at night one of a few requests may fail.

A service that just keeps its objective sees five failures in an hour in which they are 14.4
times too many about once in 30 months (a Poisson number with mean 0.35)."""

LAGGING: Final = 0.5
"""Seconds that the event loop may let a due task wait."""

FULL: Final = 0.9
"""Share of worker threads or of open files at which there is hardly room for a burst."""


def down_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alerts on replicas that Prometheus cannot reach."""
    if not plan.settings.targets:
        # What only runs in batches is not there to be down.
        return
    job, by = f"job={quote(plan.settings.job)}", plan.labels.of("job")
    up = selector("up", job)
    yield plan.alert(
        names.TARGET_DOWN,
        f"max by ({by}) ({up}) == 0\nor on ()\nabsent({up})",
        severity=names.CRITICAL,
        hold=plan.at_least("2m"),
        summary=f"{words.SERVICE}: no replica answers",
        description="Prometheus gets no answer from any replica: predictions are not served, or "
        "cannot be watched. While this lasts nothing else that is said about the models of this "
        "service is up to date.",
        panel="overview:targets",
        shown=("job",),
        comment="One failed scrape is none: it must last for four.",
    )
    yield plan.alert(
        names.REPLICA_DOWN,
        f"{up} == 0\nand on ({by})\n(max by ({by}) ({up}) == 1)",
        severity=names.WARNING,
        hold=plan.at_least("5m"),
        summary=f"{words.SERVICE}: replica {{{{ $labels.instance }}}} does not answer",
        description="Other replicas do. What this one predicts is not counted, and there is less "
        "room when traffic grows. Whether a model is left without any replica is said by another "
        f"alert, {names.NOT_SERVED}.",
        panel="overview:targets",
        shown=("job",),
    )
    if plan.models and plan.timing.batch_every is None:
        # What is scored in batches need not be served.
        yield _not_served(plan, job)


def _not_served(plan: Plan, job: str) -> Alert:
    absent = "\nor\n".join(
        f"absent({selector(metrics.MODEL_INFO.name, job, f'model={words.literal(name)}')})"
        for name in plan.models
    )
    return plan.alert(
        names.NOT_SERVED,
        f"(\n{absent}\n)\nand on ()\n(max({selector('up', job)}) == 1)",
        severity=names.CRITICAL,
        hold=plan.at_least("2m"),
        summary="{{ $labels.model }}: no replica that answers serves this model",
        description="The one that did is down, or was started with another model or profile. "
        "Models that share the service may be served all the same. Nothing else that is said "
        "about this one is up to date.",
        panel="overview:targets",
        shown=("job",),
        comment="One for each profile: several models may share the scrape job, and the others "
        "answer. Where nobody does, this is not news.",
    )


def traffic_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alert on silence where there usually is traffic."""
    by, budget = plan.labels.of("model"), plan.settings.alarms_per_month
    window = plan.labels.of("model", "window")
    least = {text: round(silent_calls(hours, budget), 1) for text, hours in SILENCES.items()}
    silent = f"\nor on ({by})\n".join(
        f"({series.USUAL_CALLS.where(window=text)} > {calls!r}\n"
        f"and on ({window}) ({series.CALLS.where(window=text)} == 0)) / {SILENCES[text]!r}"
        for text, calls in least.items()
    )
    counts = "; ".join(f"of {text} where more than {calls:g}" for text, calls in least.items())
    yield plan.alert(
        names.NO_TRAFFIC,
        f"max by ({by}) (\n{silent}\n)",
        severity=names.CRITICAL,
        hold=plan.at_least("5m"),
        summary="{{ $labels.model }}: nobody asks for predictions; normal at this hour are "
        '{{ $value | printf "%.1f" }} calls an hour',
        description="No version of the model has been asked for anything, for so long that it is "
        "no chance, given how often it was asked at this time on the last days. Either something "
        "in front of it is broken, or its callers are.",
        panel="rows",
        comment=f"Silence counts: {counts} calls are usual in it, so that chance is within the "
        "alarm budget. Five minutes more, for days begin a little earlier or later. All versions "
        "together: that an old one is not asked any more is no fault.",
    )


def burn_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alerts on error budgets that are spent too fast."""
    levels = plan.settings.levels
    for burn in BURNS:
        for name, bad, objective, what, panel in (
            (
                names.ERROR_BUDGET_BURN,
                series.FAILED_REQUESTS.name,
                levels.availability,
                "failed",
                "errors",
            ),
            (
                names.LATENCY_BUDGET_BURN,
                series.SLOW_REQUESTS.name,
                levels.latency,
                f"took longer than {levels.latency_seconds:g} s",
                "latency",
            ),
        ):
            yield plan.alert(
                name,
                _burning(plan, burn, bad, 1 - objective),
                severity=names.CRITICAL if burn.factor > 1 else names.WARNING,
                hold=plan.at_least("2m") if burn is BURNS[0] else plan.at_least("10m"),
                summary=f"{words.MODEL}: {words.SHARE} of the requests of the last {burn.long} "
                f"{what}; normal is at most {_percent(1 - objective)}",
                description=f"It still goes on. {burn.long} like this use up "
                f"{_percent(_spent(burn))} or more of what may go wrong in a month, when "
                f"{_percent(1 - objective)} may. At least {ENOUGH_FAILURES} requests were "
                "concerned. (Where the model is not asked over HTTP, rows are meant.)",
                panel=panel,
                shown=("version",),
                comment=f"{burn.factor:g} times what may go wrong over {burn.long}, so that it "
                f"matters, and over {burn.short}, so that it is over soon after it is mended.",
                window=burn.long,
            )


def _burning(plan: Plan, burn: Burn, bad: str, budget: float) -> str:
    on, windows = f"on ({plan.labels.model()})", burn_windows(plan.timing)
    long, short = (f'{{window="{windows[text].text}"}}' for text in (burn.long, burn.short))
    limit = f"{burn.factor * budget:.10g}"
    return (
        f"{bad}{long} / {series.REQUESTS.name}{long} > {limit}\n"
        f"and {on} ({bad}{short} / {series.REQUESTS.name}{short} > {limit})\n"
        f"and {on} ({bad}{long} >= {ENOUGH_FAILURES})"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def _spent(burn: Burn) -> float:
    hours = {"1h": 1, "6h": 6, "3d": 72}[burn.long]
    return burn.factor * hours / 720


def saturation_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alerts on processes that are full, worker by worker."""
    job = f"job={quote(plan.settings.job)}"
    by = plan.labels.of("job", "instance")
    lag, busy, files, most = (
        selector(metric.name, job)
        for metric in (
            metrics.EVENT_LOOP_LAG,
            metrics.THREADPOOL_BUSY,
            metrics.PROCESS_OPEN_FDS,
            metrics.PROCESS_MAX_FDS,
        )
    )
    process = ("job", "instance")
    info = f"{metrics.MODEL_INFO.name}{{{words.matchers(*process)}}}"
    named = f'count by (name) (label_join({info}, "name", " version ", "model", "version"))'
    models = f'{words.asked(named, *process)} | sortByLabel "name"'
    served = (
        f" Models: {{{{ range $i, $one := {models} }}}}{{{{ if $i }}}}, {{{{ end }}}}"
        "{{ $one.Labels.name }}{{ end }}."
    )
    for resource, expr, what, meaning in (
        (
            "event_loop",
            f"max by ({by}) ({lag}) > {LAGGING}",
            f"the event loop is blocked for {words.DURATION} at a time; normal is less than "
            f"{LAGGING:g}s",
            "While it is blocked no request is accepted or answered, not even a health check. "
            "Mostly a model is called in an async route, or a batch is too large.",
        ),
        (
            "threads",
            f"max by ({by}) ({busy}) > {FULL}",
            f"{words.SHARE} of the worker threads are busy; normal is less than {_percent(FULL)}",
            "When all are busy further requests wait, however idle the processor is.",
        ),
        (
            "files",
            f"max by ({by}) ({files} / {most}) > {FULL}",
            f"{words.SHARE} of the files that it may open are open; normal is less than "
            f"{_percent(FULL)}",
            "Sockets are files too. When there are no more, connections are refused.",
        ),
    ):
        yield plan.alert(
            names.SATURATED,
            expr,
            severity=names.WARNING,
            hold=plan.at_least("10m"),
            summary=f"{words.SERVICE} on {{{{ $labels.instance }}}}: {what}",
            description=f"The fullest of its worker processes, for ten minutes. {meaning}{served}",
            panel="overview:saturation",
            shown=("job",),
            resource=resource,
        )
