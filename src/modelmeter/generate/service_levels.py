"""How well a service must answer, and recording rules that count where it does not.

Alerts look at how fast the error budget is spent, over a long and a short window at once: the
long one says that it matters, the short one that it is still going on. B. Beyer et al., "The
Site Reliability Workbook" (2018), ch. 5, "Alerting on SLOs", table 5-8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.utils import floatToGoString

from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.generate import judgement_series as series
from modelmeter.generate.durations import format_duration, parse_duration
from modelmeter.generate.promql import Labels, at_least, over_window, selector, sum_by
from modelmeter.generate.recorded import Series
from modelmeter.generate.rulefile import Rule, quote
from modelmeter.generate.timing import Timing, Window


@dataclass(frozen=True, slots=True)
class Burn:
    """A speed at which the error budget of a month is spent.

    Parameters
    ----------
    factor
        How many times faster than would just last the month.
    long, short
        Windows over which it must be spent so fast, as Prometheus durations.
    """

    factor: float
    long: str
    short: str


BURNS: Final = (Burn(14.4, "1h", "5m"), Burn(6, "6h", "30m"), Burn(1, "3d", "6h"))
"""2 % of a month's budget in an hour, 5 % in six, 10 % in three days."""

_SMALLEST: Final = 1 - 1 / BURNS[0].factor


@dataclass(frozen=True, kw_only=True)
class ServiceLevels:
    """What callers are promised, over a month.

    Parameters
    ----------
    availability
        Share of the requests that must not fail.
    latency
        Share of the requests that must be answered within `latency_seconds`.
    latency_seconds
        One of the bounds that request times are counted by (`names.HTTP_DURATION`).

    Raises
    ------
    ConfigurationError
        An objective that could never be missed fast enough to alert, or none that could be
        kept; a time that is no bound.
    """

    availability: float = 0.99
    latency: float = 0.95
    latency_seconds: float = 0.5

    def __post_init__(self) -> None:
        for name in ("availability", "latency"):
            value = getattr(self, name)
            if not _is_number(value) or not _SMALLEST < value < 1:
                raise ConfigurationError(
                    f"{name} must be a share above {_SMALLEST:.2f} (below it nothing could fail "
                    f"{BURNS[0].factor:g} times as often as promised) and below 1, not {value!r}"
                )
        if (
            not _is_number(self.latency_seconds)
            or self.latency_seconds not in names.HTTP_DURATION.buckets
        ):
            raise ConfigurationError(
                "latency_seconds must be one of the bounds that request times are counted by "
                f"({', '.join(f'{bound:g}' for bound in names.HTTP_DURATION.buckets)}), "
                f"not {self.latency_seconds!r}"
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def service_rules(
    labels: Labels, timing: Timing, job: str | None, levels: ServiceLevels
) -> Iterator[Rule]:
    """Yield the rules: requests, those that failed and those that were slow, by window.

    Parameters
    ----------
    labels
        What to group by.
    timing
        Windows and intervals.
    job
        Read the request metrics of this scrape job only; None for all.
    levels
        What is slow.
    """
    windows = burn_windows(timing)
    yield from _counted(series.REQUESTS, _all_requests(labels, job), windows, timing)
    yield from _counted(series.FAILED_REQUESTS, _failed(labels, job), windows, timing)
    slow = _slow(labels, job, levels.latency_seconds)
    yield from _counted(series.SLOW_REQUESTS, slow, windows, timing)


def burn_windows(timing: Timing) -> dict[str, Window]:
    """Return the windows of `BURNS` by name, none under four scrapes; long ones are added up."""
    texts = {text for burn in BURNS for text in (burn.short, burn.long)}
    lengths = {text: parse_duration(text, field="window") for text in texts}
    found: dict[str, Window] = {}
    base = None
    for text in sorted(lengths, key=lengths.__getitem__):
        length = max(lengths[text], 4 * timing.scrape_interval)
        fits = base is not None and length > base.length and not length % timing.evaluation_interval
        found[text] = Window(format_duration(length), length, base if fits else None)
        base = base or found[text]
    return found


# What an increase is taken of, with the window still to be filled in.
_RANGE: Final = "[WINDOW]"


def _counted(
    recorded: Series, expr: str, windows: dict[str, Window], timing: Timing
) -> Iterator[Rule]:
    seen: set[str] = set()
    for window in windows.values():
        if window.text in seen:
            continue
        if window.base is None:
            rule = expr.replace(_RANGE, f"[{window.text}]")
        else:
            rule = over_window("", recorded.name, window, timing)
        yield recorded.rule(rule, first=not seen, window=window.text)
        seen.add(window.text)


def _all_requests(labels: Labels, job: str | None) -> str:
    requests = _requests(names.HTTP_REQUESTS.name, job)
    rows = sum_by(labels.model(), f"increase({names.PREDICTIONS.name}{_RANGE})")
    return f"{sum_by(labels.model(), requests)}\nor on ({labels.model()})\n{rows}"


def _failed(labels: Labels, job: str | None) -> str:
    failed, requests = (
        sum_by(labels.model(), _requests(names.HTTP_REQUESTS.name, job, *status))
        for status in (('status=~"5.."',), ())
    )
    errors = selector(names.PREDICTIONS.name, 'outcome="error"')
    rows = sum_by(labels.model(), f"increase({errors}{_RANGE})")
    on = f"or on ({labels.model()})"
    # Before the first failure there is no series of failures.
    return f"{failed}\n{on}\n0 * {requests}\n{on}\n{rows}"


def _slow(labels: Labels, job: str | None, seconds: float) -> str:
    metric = names.HTTP_DURATION.name
    # Prometheus 2 keeps bounds as they are exported, 3 makes 1.0 of 1.
    bounds = {f"{seconds:g}", floatToGoString(seconds)}  # type: ignore[no-untyped-call]
    le = "|".join(sorted(bound.replace(".", "[.]") for bound in bounds))
    every = sum_by(labels.model(), _requests(f"{metric}_count", job))
    fast = sum_by(labels.model(), _requests(f"{metric}_bucket", job, f'le=~"{le}"'))
    return at_least(f"\n{every}\n- on ({labels.model()})\n{fast}\n", "0")


def _requests(metric: str, job: str | None, *matchers: str) -> str:
    chosen = () if job is None else (f"job={quote(job)}",)
    of_models = selector(metric, *chosen, 'model!=""', *matchers)
    return f"increase({of_models}{_RANGE})"
