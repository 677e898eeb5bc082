"""Alerts on what models are given, and on what they answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter.generate import alarm_series, judgement_series, series
from modelmeter.generate.alerts import names, words
from modelmeter.generate.alerts.plan import Plan
from modelmeter.generate.promql import many_to_one, selector, sum_by
from modelmeter.generate.quality import ABSENT
from modelmeter.generate.rulefile import Alert
from modelmeter.generate.timing import BATCH

ENOUGH_ROWS: Final = 20
"""Rows that must have come before it is said that they had no value, or always the same."""

LONGER: Final = 3
"""How many times longer than usual a value must stay the same to be frozen."""

AN_HOUR: Final = 3600

_WHOLE: Final = 'segment=""'
_VALUES: Final = 'kind!~"missing|invalid"'
_FEATURE: Final = ("model", "version", "role", "feature")
_SHOWN: Final = ("version", "feature", "window")
_OF_BATCH: Final = (f'window="{BATCH}"',)
_OUTPUTS: Final = {"y_pred": "answers", "y_score": "scores"}

CHECKS: Final = {
    "missing": (
        names.FEATURE_MISSING,
        "is missing",
        "Something upstream leaves it out: a join that finds nothing, a field that was renamed, a "
        "source that is down. What the model answers without it may be far off.",
        "feature-missing",
    ),
    "unseen": (
        names.FEATURE_UNSEEN,
        "has a value that training never saw",
        "A new category, another spelling, or another code for the same thing. The model treats it "
        "as unknown.",
        "feature-outside",
    ),
    "out_of_range": (
        names.FEATURE_OUT_OF_RANGE,
        "is outside of the range of training",
        "Smaller or larger than any value that the model learnt from: another unit, a sentinel "
        "such as -999, or a new situation.",
        "feature-outside",
    ),
    "invalid": (
        names.FEATURE_INVALID,
        "is of a wrong type",
        "Text where there was a number, or the like: a broken parser or a changed format.",
        "feature-invalid",
    ),
    ABSENT: (
        names.FEATURE_ABSENT,
        "is not there at all, not even as an empty column,",
        "Callers send rows without it: another version of a client, or a renamed column.",
        "feature-missing",
    ),
}
"""Alert, words, meaning and panel of every check."""


def rate_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alerts on rates that rose: a rate that falls to what is better wakes nobody."""
    for check, (name, words_of_check, meaning, panel) in CHECKS.items():
        for i, window in enumerate(_windows(plan)):
            yield plan.alert(
                name,
                _risen(plan, name, window, 'role="feature"', f'check="{check}"'),
                severity=names.WARNING,
                summary=f"{words.MODEL}: {words.FEATURE} {words_of_check} in {words.SHARE} of the "
                f"rows of the last {window}; normal is {_normal_rate(plan)}",
                description=f"{meaning} The difference is more than chance explains, and more "
                "than was said not to matter.",
                panel=panel,
                shown=_SHOWN,
                hold=plan.hold_of(window),
                comment="" if i else _COMMENTS.get(check, ""),
                window=window,
            )


_COMMENTS: Final = {
    "missing": "Thresholds follow from the alarm budget, see model_feature:rate_state. Ten minutes "
    "are what the budget reckons with. Only a rise alarms: a rate that fell is in "
    "model_feature:rate_state, on the dashboard. The longer window says nothing of rows that the "
    "shortest told of, and nothing of what is over, where the shortest has the rows to tell.",
}


_DRIFT_COMMENT: Final = (
    "Thresholds follow from the alarm budget and from how much days differ, see "
    "model_feature:drift_state. Over when the window has passed, up to a day after it is mended; "
    "so nothing is said of what another alert said of the window's rows, not even after that is "
    "over."
)
_OF_LAST_BATCH: Final = "As before, of the last batch: it stands still until the next comes."


def _normal_rate(plan: Plan) -> str:
    return words.figure(
        series.REFERENCE_RATE,
        *plan.keep,
        *_FEATURE,
        "check",
        form=words.PERCENTAGE,
        segment="",
    )


def _windows(plan: Plan) -> tuple[str, ...]:
    """Return what rates are judged over: windows, and what a scoring job pushed."""
    return (*(window.text for window in plan.timing.windows), BATCH)


def _risen(plan: Plan, name: str, window: str, *matchers: str) -> str:
    """Return the live rate where it rose; of a long window what the shortest did not tell."""
    labels, shortest = plan.labels, plan.timing.windows[0].text
    on = f"on ({labels.check})"

    def of(recorded: str, length: str, *more: str) -> str:
        return selector(recorded, *matchers, _WHOLE, f'window="{length}"', *more)

    def risen(length: str) -> str:
        alarm = f"({of(alarm_series.RATE_STATE.name, length)} == 1)"
        return f"{alarm}\nand {on} ({of(series.RATE_Z.name, length)} > 0)"

    expr = f"{of(series.RATE.name, window)}\nand {on} {risen(window)}"
    if window in (shortest, BATCH):
        return expr
    matters = of(alarm_series.RATE_THRESHOLD.name, window)
    normal = selector(series.REFERENCE_RATE.name, *matchers, _WHOLE)
    told = selector(
        "ALERTS", f'alertname="{name}"', f'window="{shortest}"', 'alertstate="firing"', *matchers
    )
    return (
        f"{expr}\nunless {on} ({risen(shortest)})\n"
        f"unless {on} (max by ({labels.check}) (max_over_time({told}[{window}])))\n"
        f"unless {on} (\n"
        f"({of(series.RATE.name, shortest)} - {on} {normal} < {on} {matters} / 2)\n"
        f"and {on} ({of(alarm_series.DETECTABLE_RATE.name, shortest)} <= {on} {matters})\n)"
    )


def no_value_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alert on features without any value for the longest window."""
    window, on = plan.timing.windows[-1].text, f"on ({plan.labels.feature})"
    of_feature = many_to_one(plan.labels.feature)
    which = ('role="feature"', _WHOLE, f'window="{window}"')
    rows = selector(series.ROWS.name, *which)
    values = sum_by(plan.labels.window, selector(series.BIN_ROWS.name, *which, _VALUES))
    empty = sum_by(
        plan.labels.feature,
        selector(series.BIN_Q.name, 'role="feature"', _WHOLE, 'kind=~"missing|invalid"'),
    )
    broken = selector(alarm_series.RATE_STATE.name, 'check=~"missing|invalid|absent"', _WHOLE)
    yield plan.alert(
        names.FEATURE_NO_VALUE,
        f"({rows} >= {ENOUGH_ROWS})\nand on ({plan.labels.window}) ({values} == 0)\n"
        f"and {on} ({rows} * {of_feature} (-1 * ln({empty})) > {_surprise(plan)})\n"
        f"unless {on} ({broken} == 1)",
        severity=names.WARNING,
        summary=f"{words.MODEL}: {words.FEATURE} had no value in any of the last "
        f"{words.WHOLE} rows ({window})",
        description="It often is empty, as it was in training; but with so many rows some should "
        "have had a value. Its last value came "
        + words.figure(series.SECONDS_SINCE_VALUE, *plan.keep, *_FEATURE, form=words.TIME)
        + " ago.",
        panel="feature-age",
        shown=_SHOWN,
        comment="For features that are missing so often that their rate cannot rise enough to "
        "alarm: that so many rows in a row are empty must be improbable, given the share in "
        "training.",
        check="no_value",
    )


def _surprise(plan: Plan) -> str:
    """Return how improbable something must be, as a negative logarithm, by the alarm budget."""
    tests, looks = alarm_series.TESTS.name, 1440 / plan.settings.alarms_per_month
    return f"{many_to_one(plan.labels.model())} ln({tests} * {looks!r})"


def frozen_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alert on features whose value stays the same while rows come."""
    window = plan.timing.windows[0]
    by = plan.labels.of(*_FEATURE)
    on, still = f"on ({by})", series.SECONDS_SINCE_CHANGE.name
    least = max(AN_HOUR, window.length // 1000)
    usual = judgement_series.USUAL_STILL.name
    which = (_WHOLE, 'role="feature"', _VALUES)
    rows = sum_by(by, selector(series.BIN_ROWS.name, *which, f'window="{window.text}"'))
    largest = f"max by ({by}) ({selector(series.BIN_Q.name, *which)})"
    yield plan.alert(
        names.FEATURE_FROZEN,
        f"({still} > {on} clamp_min({LONGER} * {usual}, {least}))\n"
        f"and {on} (({rows} >= {ENOUGH_ROWS}) * {on} (-1 * ln({largest})) > {_surprise(plan)})",
        severity=names.WARNING,
        summary=f"{words.MODEL}: {words.FEATURE} has had the same value for {words.DURATION}; "
        "normal is at most "
        + words.figure(judgement_series.USUAL_STILL, *plan.keep, *_FEATURE, form=words.TIME),
        description="Rows keep coming, each with the same value: mostly a source that is not "
        "updated any more, a cache that never expires, or a default that is filled in.",
        panel="feature-age",
        shown=("version", "feature"),
        comment="Three times as long as the longest of the last three days. Features that are "
        "constant in training, or that change less than about seven times a day, never alarm.",
        check="frozen",
    )


def drift_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alerts on distributions that moved: of features, and of what is predicted."""
    if plan.timing.batch_every is None:
        yield from _drift_alerts(plan)
    else:
        yield from _drift_alerts(plan, f'window!="{BATCH}"')
        yield from _drift_alerts(plan, *_OF_BATCH, window=BATCH)
    output = words.one_of("feature", _OUTPUTS)
    for i, window in enumerate(_windows(plan)):
        yield plan.alert(
            names.PREDICTION_DRIFT,
            _risen(plan, names.PREDICTION_DRIFT, window, 'role="prediction"'),
            severity=names.WARNING,
            summary=f"{words.MODEL}: {words.SHARE} of its {output} of the last {window} are "
            f"{words.one_of('check', {'out_of_range': 'out of the range of training'})}; normal "
            f"is {_normal_rate(plan)}",
            description="The model answers something that it did not in training, or nothing: a "
            "value that is no number, an unknown class, a number out of range.",
            panel="answers-drift",
            shown=("version", "window"),
            hold=plan.hold_of(window),
            comment="" if i else "As for features, of what the model answers.",
            window=window,
        )


def _drift_alerts(plan: Plan, *which: str, **labels: str) -> Iterator[Alert]:
    """Yield one of features and one of answers, over windows that these matchers choose."""
    hold = plan.hold_of(labels.get("window", ""))
    yield plan.alert(
        names.FEATURE_DRIFT,
        f"{_drifted(plan, 'feature', *which)}\n"
        f"{_unless_told(plan, plan.labels.feature, *names.BROKEN, *names.UNUSUAL, which=which)}",
        severity=names.WARNING,
        summary=f"{words.MODEL}: the values of {words.FEATURE} have changed: {words.SHARE} of the "
        "rows of the last {{ $labels.window }} lie elsewhere than in training",
        description=f"{_drift_score(plan)} What moved most:{_moved(plan)}",
        panel="feature-bins",
        shown=_SHOWN,
        hold=hold,
        comment=_OF_LAST_BATCH if labels else _DRIFT_COMMENT,
        check="drift",
        **labels,
    )
    output = words.one_of("feature", _OUTPUTS)
    yield plan.alert(
        names.PREDICTION_DRIFT,
        f"{_drifted(plan, 'prediction', *which)}\n"
        f"{_unless_told(plan, plan.labels.model(), *names.BROKEN, which=which)}",
        severity=names.WARNING,
        summary=f"{words.MODEL}: its {output} have changed: {words.SHARE} of the rows of the last "
        "{{ $labels.window }} are answered otherwise than in training",
        description=f"{_drift_score(plan)} Look for features that changed first. What moved most:"
        f"{_moved(plan)}",
        panel="answers-drift",
        shown=("version", "window"),
        hold=hold,
        check="drift",
        **labels,
    )


def _drifted(plan: Plan, role: str, *which: str) -> str:
    chosen = (f'role="{role}"', _WHOLE, *which)
    state = selector(alarm_series.DRIFT_STATE.name, *chosen)
    return f"{selector(series.TVD.name, *chosen)}\nand on ({plan.labels.window})\n({state} == 1)"


def _unless_told(plan: Plan, by: str, *alerts: str, which: tuple[str, ...]) -> str:
    """Leave out what one of these alerts said of the same rows already."""
    told = selector("ALERTS", f'alertname=~"{"|".join(alerts)}"', 'alertstate="firing"', *which)
    if which == _OF_BATCH:
        # Of this batch: of the one before other alerts are over.
        return f"unless on ({by}, window) (max by ({by}, window) ({told}))"
    windows = plan.timing.windows[1:] or plan.timing.windows
    each = "\nor\n".join(
        f"label_replace(max by ({by}) (max_over_time({told}[{window.text}])), "
        f'"window", "{window.text}", "", "")'
        for window in windows
    )
    return f"unless on ({by}, window) (\n{each}\n)"


def _drift_score(plan: Plan) -> str:
    feature = (*plan.keep, *_FEATURE)
    score = words.figure(series.PSI_EXCESS, *feature, "window", form=words.SCORE, segment="")
    normal = words.figure(alarm_series.DRIFT_THRESHOLD, *feature, form=words.SCORE, segment="")
    return f"The drift score is {score}; up to {normal} is normal."


def _moved(plan: Plan) -> str:
    return words.moved_bins(alarm_series.CONTRIBUTION.name, series.BIN_P, series.BIN_Q, plan.keep)
