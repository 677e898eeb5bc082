"""Alerts on how good models are, and on the labels that tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter.generate import alarm_series, label_series
from modelmeter.generate import judgement_series as series
from modelmeter.generate import performance_series as figures
from modelmeter.generate.alerts import names, words
from modelmeter.generate.alerts.plan import Plan
from modelmeter.generate.performance_alarms import SMALLEST_GAP
from modelmeter.generate.promql import many_to_one, selector, sum_by
from modelmeter.generate.recorded import Series
from modelmeter.generate.rulefile import Alert
from modelmeter.generate.series import ROWS
from modelmeter.generate.timing import BATCH

LONGER: Final = 1.5
"""How many times longer than usual labels must keep one waiting: one nightly file not come is
noticed half a day later."""

_FIGURE: Final = ("metric", "class")
_SCOPE: Final = ("model", "version", "source", "window")
_SHOWN: Final = ("version", "window")

METRICS: Final = {
    "roc_auc": "its power to tell the two classes apart (ROC AUC: 1 is perfect, 0.5 is guessing)",
    "macro_f1": "how well it finds the classes (macro F1: 1 is perfect)",
    "mae": "its mean error",
}
"""What the figures that stand for a model are called."""


def performance_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alerts on figures that are worse than in training."""
    covered = (
        f"max by ({plan.labels.model()}) ({label_series.COVERAGE.name}) "
        f">= {plan.settings.smallest_coverage!r}"
    )
    known = f"\nand on ({plan.labels.model()}) ({covered})"
    if plan.timing.batch_every is None:
        yield from _performance_alerts(plan, known)
        return
    labelled = figures.PERFORMANCE_ROWS.where(segment="", source="realised", window=BATCH)
    answers = ROWS.where(role="prediction", segment="", window=BATCH)
    model = plan.labels.model()
    known_of_batch = (
        f"\nand on ({model}) ({labelled} / on ({model}) max by ({model}) ({answers}) "
        f">= {plan.settings.smallest_coverage!r})"
    )
    yield from _performance_alerts(plan, known, f'window!="{BATCH}"')
    yield from _performance_alerts(plan, known_of_batch, f'window="{BATCH}"', window=BATCH)


def _performance_alerts(plan: Plan, known: str, *which: str, **labels: str) -> Iterator[Alert]:
    """Yield the alerts over windows that these matchers choose, where enough labels are known."""
    hold = plan.hold_of(labels.get("window", ""))
    what = words.one_of("metric", METRICS)
    normal = _figure(plan, figures.REFERENCE, "model", "version", *_FIGURE)
    value = _figure(plan, figures.VALUE, *_SCOPE, *_FIGURE)
    for name, source, condition, summary, description in (
        (
            names.PERFORMANCE_LOW,
            "realised",
            known,
            f"is {value} on the labels of the last {{{{ $labels.window }}}}; normal is {normal}",
            "The true values that came in say so: it is worse than on rows of training that it had "
            "not learnt from, by more than chance explains. Look for features that changed; "
            "otherwise the world has, and the model must be trained anew.",
        ),
        (
            names.ESTIMATED_PERFORMANCE_LOW,
            "estimated",
            "",
            f"is expected to be {value} for the predictions of the last "
            f"{{{{ $labels.window }}}}; normal is {normal}",
            "No labels are needed for this: the model answers more often than in training where "
            "it is unsure, so that more of its answers must be wrong. What is expected supposes "
            "that its scores still mean what they meant.",
        ),
    ):
        chosen = f'source="{source}"'
        yield plan.alert(
            name,
            f"{selector(series.LOSS.name, chosen, *which)}\n"
            f"and on ({plan.labels.scope(*_FIGURE)}) "
            f"({selector(series.STATE.name, chosen, *which)} == 1){condition}",
            severity=names.WARNING,
            summary=f"{words.MODEL}: {what} {summary}",
            description=description,
            panel="figures",
            shown=_SHOWN,
            hold=hold,
            comment="Thresholds follow from the alarm budget, see model_performance:state. "
            + (
                "Where only a few predictions get a label, these may not be like the others."
                if condition
                else ""
            ),
            **labels,
        )
    if plan.tasks.score_positions:
        yield _miscalibrated(plan, known, *which, **labels)


def _figure(plan: Plan, recorded: Series, *labels: str) -> str:
    return words.figure(recorded, *plan.keep, *labels, form=words.NUMBER, segment="")


def _miscalibrated(plan: Plan, known: str, *which: str, **labels: str) -> Alert:
    threshold = f"{many_to_one(plan.labels.model('window'))} {alarm_series.Z_THRESHOLD.name}"
    gap, z = (selector(one.name, *which) for one in (series.CALIBRATION_GAP, series.CALIBRATION_Z))
    return plan.alert(
        names.MISCALIBRATED,
        f"{gap} > {SMALLEST_GAP}\nand on ({plan.labels.scope()}) ({z} > {threshold}){known}",
        severity=names.WARNING,
        summary=f"{words.MODEL}: its scores no longer mean what they meant in training; they are "
        f"off by {words.SHARE}, normal is 0",
        description="Of the rows that the model gives a score of, say, 0.8, another share turned "
        "out positive than in training. What is decided by comparing scores with a limit, or "
        "computed from them, is wrong by as much; and so is the performance that is estimated.",
        panel="reliability",
        shown=_SHOWN,
        hold=plan.hold_of(labels.get("window", "")),
        comment="Compared with what scores were worth out of sample, not with the scores: a model "
        "that was never calibrated does not alarm for it.",
        **labels,
    )


def label_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alert on labels that used to come."""
    by, since = plan.labels.of("model"), series.SECONDS_SINCE_LABEL.name
    on = f"on ({by})"
    waiting = sum_by(by, label_series.PENDING.name)
    usual = f"clamp_min({LONGER} * {series.USUAL_LABEL_GAP.name}, 3600)"
    yield plan.alert(
        names.LABELS_STOPPED,
        f"{since} > {on} {usual}\nand {on} ({series.CALLS.where(window='1d')} > 0)\n"
        f"and {on} ({waiting} > 0)",
        severity=names.WARNING,
        hold=plan.at_least("1h"),
        summary=f"{{{{ $labels.model }}}}: no true values have come for {words.DURATION}; normal "
        "is at most " + words.figure(series.USUAL_LABEL_GAP, *plan.keep, "model", form=words.TIME),
        description="Predictions go on, and wait for the values that say whether they were right. "
        "Until these come again nobody knows how good the model is.",
        panel="last-label",
        comment="One and a half times the longest wait of the last 14 days, and an hour more; "
        "learnt for a week before it says anything. All versions together.",
    )
