"""The generated rules, in the order in which they can be evaluated over a whole history.

Prometheus evaluates rule after rule at every time stamp; here every rule is evaluated at all
time stamps before those that read it. The result is the same, as long as no rule reads its
own past.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from modelmeter._errors import MissingExtraError
from modelmeter.generate import performance_series
from modelmeter.generate.alerts import names
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.durations import format_duration, parse_duration
from modelmeter.generate.performance_alarms import HEADLINES
from modelmeter.generate.rulefile import render
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import Settings
from modelmeter.generate.tasks import Tasks
from modelmeter.live.reference_performance import figures
from modelmeter.profile.profile import Profile

try:
    import yaml
except ImportError as error:
    raise MissingExtraError("pyyaml", "generate") from error

_SERVICE: Final = "it is about the service that runs, not about rows"
_PROCESS: Final = "it is about the process that serves, not about rows"
_PAST: Final = "it is learnt from its own past, rule by rule, which needs a Prometheus that runs"
_PREDICTIONS: Final = "the history has no predictions: give --prediction, --score or --model"
_LABELS: Final = "the history has no labels: give --target"

_NEVER: Final = {
    **{name: _SERVICE for name in names.AREAS["service"] if name != names.NO_TRAFFIC},
    **dict.fromkeys((*names.AREAS["skew"], *names.AREAS["monitoring"]), _PROCESS),
    **dict.fromkeys((names.FEATURE_FROZEN, names.LABELS_STOPPED), _PAST),
}
_WITH_PREDICTIONS: Final = (*names.AREAS["prediction"], *names.AREAS["performance"])
_WITH_LABELS: Final = (names.PERFORMANCE_LOW, names.MISCALIBRATED)

_FIGURES: Final = (performance_series.VALUE.name, performance_series.ERROR.name)

ALERTS: Final = "ALERTS"
"""What Prometheus writes of alerts, for others to read."""

_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_FIRING: Final = re.compile(rf"\b{ALERTS}\b(?:{{([^}}]*)}})?")
_MATCHER: Final = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class Recording:
    """One recording rule: the name of its result, and its fields as in the file."""

    record: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Alerting:
    """One alert rule.

    Parameters
    ----------
    alert
        Its name.
    expr
        PromQL.
    hold, keep
        Seconds for which it must last before it fires, and for which it fires on.
    labels
        Added to those of the series.
    """

    alert: str
    expr: str
    hold: float = 0.0
    keep: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rulebook:
    """What is to be evaluated.

    Parameters
    ----------
    layers
        Recording rules that alerts need; each layer reads only those before it.
    alerts
        Those that history can tell of, in layers: some read which others fire.
    not_rehearsed
        Why it cannot tell of the others, by name.
    reads
        Every name that a rule or an alert reads, recorded ones included.
    """

    layers: Sequence[Sequence[Recording]]
    alerts: Sequence[Sequence[Alerting]]
    not_rehearsed: Mapping[str, str]
    reads: frozenset[str]

    @property
    def rehearsed(self) -> tuple[str, ...]:
        """Names of the alerts, as one asks about them."""
        there = {alert.alert for layer in self.alerts for alert in layer}
        return tuple(name for name in names.AREA_OF if name in there)


def rulebook(
    profile: Profile, settings: Settings, *, step: int, predictions: bool, labels: bool
) -> Rulebook:
    """Make the rules of a model as `modelmeter generate` writes them, and order them.

    Parameters
    ----------
    profile
        Of the model.
    settings
        As they are given to `generate`. Alerts are exactly these; recording rules differ in
        their intervals, since history is read once in a step.
    step
        Milliseconds between two evaluations.
    predictions, labels
        What the history has.
    """
    text = format_duration(step)
    recorded = recording_rules(
        windows=settings.windows,
        scrape_interval=text,
        evaluation_interval=text,
        positions=profile.ordered_positions,
        tasks=Tasks.of((profile,)),
        keep_labels=settings.keep_labels,
        job=settings.job,
        budget=settings.budget,
        levels=settings.levels,
        smallest_loss=settings.smallest_loss,
        lookback=step,
    )
    judged = _headline(profile)
    rules = [
        Recording(rule["record"], rule)
        for rule in _rules(render(recorded))
        if rule.get("labels", {}).get("metric", judged) == judged or rule["record"] not in _FIGURES
    ]
    alerts = [_alerting(rule) for rule in _rules(render(alert_rules((profile,), settings)))]
    reasons = {alert.alert: _reason(alert.alert, predictions, labels) for alert in alerts}
    chosen = [alert for alert in alerts if not reasons[alert.alert]]
    layers, reads = ordered(rules, [alert.expr for alert in chosen])
    return Rulebook(
        layers,
        layered(chosen),
        {name: why for name, why in reasons.items() if why},
        frozenset(reads),
    )


def ordered(
    rules: Sequence[Recording], wanted: Iterable[str]
) -> tuple[list[list[Recording]], set[str]]:
    """Choose the rules that some expressions need, in layers.

    Parameters
    ----------
    rules
        In the order of the file.
    wanted
        PromQL.

    Returns
    -------
    list of list of Recording, set of str
        Layers, each reading only those before it; every name that is read.

    Raises
    ------
    ValueError
        Rules read each other in a circle.
    """
    used = [names_in(rule.fields["expr"]) for rule in rules]
    reads: set[str] = set()
    for expr in wanted:
        reads |= names_in(expr)
    while True:
        needed = [i for i, rule in enumerate(rules) if rule.record in reads]
        more = reads.union(*(used[i] for i in needed))
        if more == reads:
            break
        reads = more
    level: dict[int, int] = {}
    while len(level) < len(needed):
        free = [i for i in needed if i not in level and _sources(i, rules, used) <= level.keys()]
        if not free:
            raise ValueError(f"rules read each other: {sorted({rules[i].record for i in needed})}")
        depth = max(level.values(), default=-1) + 1
        level.update(dict.fromkeys(free, depth))
    layers: list[list[Recording]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for i in needed:
        layers[level[i]].append(rules[i])
    return layers, reads


def layered(alerts: Sequence[Alerting]) -> list[list[Alerting]]:
    """Put alerts in layers, so that each stands after those that it is silent beside.

    Raises
    ------
    ValueError
        They wait for each other.
    """
    found: list[list[Alerting]] = []
    left = list(alerts)
    while left:
        free = [one for one in left if not any(_reads(one, other) for other in left)]
        if not free:
            raise ValueError(f"alerts wait for each other: {sorted({one.alert for one in left})}")
        found.append(free)
        left = [one for one in left if one not in free]
    return found


def _reads(alert: Alerting, other: Alerting) -> bool:
    """Tell whether an alert may ask if another fires, as far as the labels of the rule say."""
    labels = {"alertname": other.alert, "alertstate": "firing", **other.labels}
    for selector in _FIRING.findall(alert.expr):
        matchers = _MATCHER.findall(selector)
        if all(_accepts(how, text, labels[name]) for name, how, text in matchers if name in labels):
            return True
    return False


def _accepts(how: str, text: str, value: str) -> bool:
    same = bool(re.fullmatch(text, value)) if how.endswith("~") else text == value
    return same != how.startswith("!")


def names_in(expr: str) -> set[str]:
    """Return every word of an expression outside of quotation marks, metrics among them.

    Examples
    --------
    >>> sorted(names_in('sum by (a) (x:y{b="c:d"}) > 1'))
    ['a', 'b', 'by', 'sum', 'x:y']
    """
    return set(_NAME.findall(_TEXT.sub('""', expr)))


def _sources(i: int, rules: Sequence[Recording], used: Sequence[set[str]]) -> set[int]:
    """Return the rules that one reads; of its own name only those before it."""
    own = rules[i].record
    return {
        j
        for j, other in enumerate(rules)
        if other.record in used[i] and (j < i if other.record == own else True)
    }


def _headline(profile: Profile) -> str:
    """Return the figure that is judged; all others, a large part of the work, are left out."""
    known = {
        metric
        for (metric, of_class), *_ in figures(profile.model, profile.baseline)
        if not of_class
    }
    return next((figure for figure in HEADLINES if figure in known), "")


def _rules(text: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def _alerting(rule: Mapping[str, Any]) -> Alerting:
    hold, keep = (
        parse_duration(rule[key], field=key) / 1000 if key in rule else 0.0
        for key in ("for", "keep_firing_for")
    )
    return Alerting(rule["alert"], rule["expr"], hold, keep, rule.get("labels", {}))


def _reason(alert: str, predictions: bool, labels: bool) -> str:
    if alert in _NEVER:
        return _NEVER[alert]
    if alert in _WITH_PREDICTIONS and not predictions:
        return _PREDICTIONS
    return _LABELS if alert in _WITH_LABELS and not labels else ""
