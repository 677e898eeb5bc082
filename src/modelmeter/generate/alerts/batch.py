"""Alerts on batches that do not come, or fail."""

from __future__ import annotations

from collections.abc import Iterator

from modelmeter import names as metrics
from modelmeter.generate.alerts import names, words
from modelmeter.generate.alerts.plan import Plan
from modelmeter.generate.batch import PUSHERS
from modelmeter.generate.durations import format_duration
from modelmeter.generate.promql import selector
from modelmeter.generate.rulefile import Alert, quote
from modelmeter.generate.settings import PUSHGATEWAY_JOB

_SUCCESS, _FAILURE = metrics.BATCH_LAST_SUCCESS.name, metrics.BATCH_LAST_FAILURE.name
_ANY_VERSION = f"max without ({PUSHERS}, version)"
_ONE = f"max without ({PUSHERS})"

# Not the service's job: while no replica answers, all that is said of that one is held back.
_OWN = {"job": PUSHGATEWAY_JOB}


def batch_alerts(plan: Plan) -> Iterator[Alert]:
    """Yield the alerts on scoring jobs; none where nothing is scored in batches."""
    every = plan.settings.batch_every
    if every is None:
        return
    yield plan.alert(
        names.BATCH_LATE,
        _late(plan),
        severity=names.CRITICAL,
        hold=0,
        summary=f"{{{{ $labels.model }}}}: no batch has been scored for {words.DURATION} or "
        f"longer; normal is one every {every}",
        description="The job did not run, did not come to an end, or could not push what it "
        "counted. Whoever waits for its predictions has none, or old ones; nobody knows whether "
        "its rows were like those of training.",
        panel="batch-age",
        comment=f"A tenth of {every} later than usual. All versions together: that an old one "
        "scores no batch any more is no fault. A Pushgateway that has lost what it was told tells "
        "nothing: what it said before counts, and last that nothing was heard for so long.",
        **_OWN,
    )
    failed, good = f"{_ONE} ({_FAILURE} > 0)", f"{_ONE} ({_SUCCESS})"
    yield plan.alert(
        names.BATCH_FAILED,
        f"time() - ({failed} unless {failed} <= {good})",
        severity=names.WARNING,
        hold=0,
        summary=f"{words.MODEL}: the last batch failed, {words.DURATION} ago; normal is that none "
        "does",
        description="The job said so before it ended. What is shown of batches is still the last "
        "one that went well.",
        panel="batch-age",
        shown=("version",),
        comment="Over when a batch goes well.",
        **_OWN,
    )


def _late(plan: Plan) -> str:
    limit = format_duration(_limit(plan))
    seconds = f"{_limit(plan) / 1000:.15g}"
    told = f"max_over_time({_SUCCESS}[{limit}])"
    known = f"time() - {_ANY_VERSION} ({told} > 0) > {seconds}"
    # Only where Prometheus has looked for so long.
    since = f"and on () count(last_over_time(up[1h] offset {limit}))"
    nothing = (
        f"absent_over_time({selector(_SUCCESS, f'model={quote(model)}')}[{limit}]) * {seconds}\n"
        f"{since}"
        for model in plan.models
    )
    return "\nor on (model)\n".join((known, *nothing))


def _limit(plan: Plan) -> int:
    """Return after how many milliseconds a batch is late: a tenth, or some scrapes, too late."""
    every = plan.timing.batch_every or 0
    return every + max(every // 10, 4 * plan.timing.scrape_interval)
