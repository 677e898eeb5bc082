"""The file of alert rules: every family of alerts, in the order in which one asks.

A family is a function from a `Plan` to `Alert`; a further one is one more entry in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from modelmeter.generate.alerts.batch import batch_alerts
from modelmeter.generate.alerts.data import (
    drift_alerts,
    frozen_alerts,
    no_value_alerts,
    rate_alerts,
)
from modelmeter.generate.alerts.monitoring import monitoring_alerts
from modelmeter.generate.alerts.performance import label_alerts, performance_alerts
from modelmeter.generate.alerts.plan import Plan
from modelmeter.generate.alerts.service import (
    burn_alerts,
    down_alerts,
    saturation_alerts,
    traffic_alerts,
)
from modelmeter.generate.alerts.skew import skew_alerts
from modelmeter.generate.rulefile import Alert, Group
from modelmeter.generate.settings import Settings
from modelmeter.generate.tasks import Tasks
from modelmeter.profile.profile import Profile

Family = Callable[[Plan], Iterator[Alert]]

FAMILIES: Final[dict[str, tuple[Family, ...]]] = {
    "service": (down_alerts, traffic_alerts, burn_alerts, saturation_alerts, batch_alerts),
    "data": (rate_alerts, no_value_alerts, frozen_alerts, drift_alerts),
    "performance": (performance_alerts, label_alerts),
    "skew": (skew_alerts,),
    "monitoring": (monitoring_alerts,),
}
"""Families by the group that they stand in."""

_COMMENTS: Final = {
    "service": "Is the service all right?",
    "data": "Are rows and answers like those of training? One rule for all features of all models.",
    "performance": "Are the models still right?",
    "skew": "Does it serve what was trained?",
    "monitoring": "Does the monitoring see everything?",
}


def alert_rules(profiles: Iterable[Profile], settings: Settings) -> list[Group]:
    """Make the alert rules for models.

    Parameters
    ----------
    profiles
        The profile of each model and version that is served. Rules hold for every model; what
        models do decides which are needed, their names where links lead.
    settings
        Windows, the alarm budget, what callers are promised, addresses.

    Returns
    -------
    list of Group
        Write them with `rulefile.render`. They read what `rules.recording_rules` records.
    """
    several = tuple(profiles)
    plan = Plan(
        settings=settings,
        models=sorted({profile.name for profile in several}),
        tasks=Tasks.of(several),
    )
    found = (
        (name, [alert for family in families for alert in family(plan)])
        for name, families in FAMILIES.items()
    )
    interval = settings.timing.evaluation_interval
    return [
        Group(f"modelmeter_alerts_{name}", interval, alerts, _COMMENTS[name])
        for name, alerts in found
        if alerts
    ]
