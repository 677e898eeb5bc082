"""What Prometheus knows of a model over a window: all replicas, restarts included."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import numpy as np

from modelmeter import names
from modelmeter._errors import ConfigurationError, SourceUnavailableError
from modelmeter.generate.count_series import CLASS_SCORE_ROWS
from modelmeter.generate.durations import parse_duration
from modelmeter.generate.promql import selector
from modelmeter.generate.rulefile import quote
from modelmeter.generate.series import ABSENT_ROWS, BIN_ROWS
from modelmeter.live.merge import Family
from modelmeter.names import Metric
from modelmeter.profile.profile import Profile
from modelmeter.report.counts import Observed, Row, observed
from modelmeter.report.scraped import check_url, fetch, without_password

# What the rules record of a counter, where they look back as far: reading that is cheaper.
_RECORDED: Final = {
    names.FEATURE_BIN.name: BIN_ROWS,
    names.FEATURE_ABSENT.name: ABSENT_ROWS,
    names.CLASS_SCORE.name: CLASS_SCORE_ROWS,
}
_COUNTED: Final = (
    names.FEATURE_BIN,
    names.FEATURE_ABSENT,
    names.CLASS_SCORE,
    names.SCHEMA_CHECKS,
    names.SCHEMA_MISMATCHES,
    names.PREDICTIONS,
    names.PREDICTION_SECONDS,
    names.HTTP_REQUESTS,
    names.HTTP_DURATION,
)
STORED: Final = (
    names.CONFUSION,
    names.LABEL_BIN,
    names.ERROR_SUM,
    names.TARGET_SUM,
    names.LABELS,
    names.LABEL_LAG,
)
"""Totals of label stores: every replica exports the same, which outlives them all."""

_SHOWN: Final = (
    names.MODEL_INFO,
    names.CANARY_ROWS,
    names.LIBRARY_MISMATCH,
    names.LAST_PREDICTION,
    names.FEATURE_LAST_VALUE,
    names.FEATURE_LAST_CHANGE,
    names.COVERAGE_PREDICTIONS,
    names.COVERAGE_LABELS,
    names.PENDING,
    names.OLDEST_PENDING,
    names.LAST_LABEL,
)
# Of whole processes: those that have the model.
_FAILED: Final = (names.FAILURES, names.DROPPED)
_BUSY: Final = (
    names.PROCESS_START,
    names.PROCESS_RESIDENT,
    names.EVENT_LOOP_LAG,
    names.THREADPOOL_BUSY,
)
_LOOKBACK: Final = "5m"
_MOST_STEPS: Final = 1_440


class Sample(NamedTuple):
    """One series of an answer: its labels, and its value or values over time."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def value(self) -> float:
        """The last value."""
        return self.points[-1][1]


class Client:
    """Asks a Prometheus, or what answers like one.

    Parameters
    ----------
    url
        Where it is, with its path prefix if it has one.
    token
        Bearer token that it asks for.

    Raises
    ------
    ConfigurationError
        `url` is none.
    """

    def __init__(self, url: str, *, token: str | None = None) -> None:
        check_url(url)
        self._url = url.rstrip("/")
        self._token = token

    @property
    def name(self) -> str:
        """The URL without its password."""
        return without_password(self._url)

    def query(self, expr: str, *, at: float) -> list[Sample]:
        """Evaluate an expression at one time; empty when nothing matches.

        Raises
        ------
        SourceUnavailableError
            It does not answer, or refuses the query.
        """
        data = self._ask("query", query=expr, time=repr(at))
        return [
            Sample(series["metric"], [(float(series["value"][0]), float(series["value"][1]))])
            for series in data
        ]

    def query_range(self, expr: str, *, since: float, until: float, step: float) -> list[Sample]:
        """Evaluate an expression at every step; empty when nothing matches.

        Raises
        ------
        SourceUnavailableError
            As `query`.
        """
        data = self._ask(
            "query_range", query=expr, start=repr(since), end=repr(until), step=repr(step)
        )
        return [
            Sample(series["metric"], [(float(at), float(value)) for at, value in series["values"]])
            for series in data
        ]

    def _ask(self, path: str, **parameters: str) -> list[Any]:
        url = f"{self._url}/api/v1/{path}?{urlencode(parameters)}"
        body = fetch(url, token=self._token, timeout=60)
        try:
            found: list[Any] = json.loads(body)["data"]["result"]
        except (ValueError, KeyError, TypeError):
            text = body[:100].decode("utf-8", "replace")
            raise SourceUnavailableError(
                f"{self.name} does not answer as Prometheus does, but: {text}"
            ) from None
        return found


def observe_prometheus(
    profile: Profile, client: Client, *, window: str = "24h", until: float | None = None
) -> Observed:
    """Ask what was counted of a model over a window, on all replicas.

    Parameters
    ----------
    profile
        Of the model.
    client
        The Prometheus.
    window
        How far to look back, such as ``1h``.
    until
        Unix time at which the window ends; now by default.

    Raises
    ------
    ConfigurationError
        `window` is no duration, or Prometheus knows no such model.
    SourceUnavailableError
        It does not answer, or refuses a query.
    """
    seconds = parse_duration(window, field="window") / 1000
    end = time.time() if until is None else until
    asked = _Asked(client, profile, window, end)
    families = [asked.counted(metric) for metric in _COUNTED]
    if not len(families[0].rows):
        raise ConfigurationError(
            f"{client.name} has counted nothing of {profile.name}/{profile.version} in the last "
            f"{window}; it knows {asked.known() or 'no model'}"
        )
    step = f"{math.ceil(seconds / _MOST_STEPS)}s"
    families += [asked.stored(metric, step) for metric in STORED]
    families += [asked.shown(metric) for metric in _SHOWN]
    families += [asked.failed(metric) for metric in _FAILED]
    families += [asked.busy(metric) for metric in _BUSY]
    families.append(asked.in_progress())
    return observed(
        profile,
        families,
        kind="prometheus",
        where=client.name,
        window=f"last {window}",
        since=end - seconds,
        until=end,
    )


def of_model(profile: Profile, *matchers: str) -> tuple[str, ...]:
    """Return what selects the series of a model, and more matchers."""
    known = {"model": profile.name, "version": profile.version}
    return (*(f"{label}={quote(value)}" for label, value in known.items()), *matchers)


class _Asked:
    """The questions about one model over one window."""

    def __init__(self, client: Client, profile: Profile, window: str, end: float) -> None:
        self._client, self._window, self._end = client, window, end
        self._model = of_model(profile)
        # The processes that serve the model.
        alive = f"last_over_time({selector(names.MODEL_INFO.name, *self._model)}[{window}])"
        self._on = f"and on (job, instance) {alive}"

    def known(self) -> str:
        """Name the models that Prometheus knows now."""
        found = self._query(f"group by (model, version) ({names.MODEL_INFO.name})")
        return ", ".join(sorted(f"{s.labels['model']}/{s.labels['version']}" for s in found))

    def counted(self, metric: Metric) -> Family:
        """Return by how much a counter rose, over all replicas."""
        by = ", ".join(metric.labels)
        recorded = _RECORDED.get(metric.name)
        if recorded is not None:
            chosen = selector(recorded.name, *self._model, f'window="{self._window}"')
            found = self._query(f"sum by ({by}) ({chosen})")
            if found:
                return _family(metric, found)

        def rise(name: str, labels: str) -> str:
            return f"sum by ({labels}) (increase({selector(name, *self._model)}[{self._window}]))"

        return self._either(metric, by, rise)

    def stored(self, metric: Metric, step: str) -> Family:
        """Return by how much a store's total rose, over all stores; see `promql.rise`."""

        def rise(name: str, labels: str) -> str:
            largest = f"max by ({labels}, store) ({selector(name, *self._model)})"
            lately = f"last_over_time({selector(name, *self._model)}[{_LOOKBACK}])"
            return (
                f"sum by ({labels}) (max by ({labels}, store) ({lately}) - "
                f"min_over_time({largest}[{self._window}:{step}]))"
            )

        labels = [label for label in metric.labels if label != "store"]
        return self._either(metric, ", ".join(labels), rise)

    def shown(self, metric: Metric) -> Family:
        """Return a gauge that all replicas export alike."""
        chosen = selector(metric.name, *self._model)
        by = ", ".join(metric.labels)
        return _family(metric, self._query(f"max by ({by}) ({chosen})"))

    def failed(self, metric: Metric) -> Family:
        """Return how often something failed in the processes that have the model."""
        rise = f"increase({metric.name}[{self._window}]) {self._on}"
        return _family(metric, self._query(f"sum by ({', '.join(metric.labels)}) ({rise})"))

    def busy(self, metric: Metric) -> Family:
        """Return a gauge of every worker of every replica that is up now."""
        series: dict[Row, float] = {}
        for sample in self._query(f"{metric.name} {self._on}"):
            of = sample.labels.get("instance", ""), sample.labels.get("worker", "")
            series[(" ".join(filter(None, of)),)] = sample.value
        return Family(metric, tuple(series), _floats(series.values()))

    def in_progress(self) -> Family:
        """Return how many requests are being answered now."""
        metric = names.HTTP_IN_PROGRESS
        return _family(metric, self._query(f"sum ({metric.name} {self._on})"))

    def _either(self, metric: Metric, by: str, rise: Any) -> Family:
        """Ask for a counter, or for the buckets of a histogram."""
        if metric.type != "histogram":
            return _family(metric, self._query(rise(metric.name, by)))
        lines: dict[Row, np.ndarray] = {}
        bounds = [*metric.buckets, float("inf")]
        for sample in self._query(rise(f"{metric.name}_bucket", f"{by}, le")):
            line = lines.setdefault(_row(metric, sample), np.zeros(len(bounds) + 1))
            bound = float(sample.labels["le"])
            if bound in bounds:
                line[bounds.index(bound)] = sample.value
        for line in lines.values():
            # Extrapolated each by itself, cumulative buckets may fall by a rounding error.
            line[:-1] = np.maximum(np.diff(line[:-1], prepend=0.0), 0.0)
        values = np.asarray(list(lines.values())) if lines else np.zeros((0, len(bounds) + 1))
        return Family(metric, tuple(lines), values)

    def _query(self, expr: str) -> list[Sample]:
        return self._client.query(expr, at=self._end)


def _family(metric: Metric, found: Iterable[Sample]) -> Family:
    series = {_row(metric, sample): sample.value for sample in found}
    return Family(metric, tuple(series), _floats(series.values()))


def _row(metric: Metric, sample: Sample) -> Row:
    # Prometheus drops labels without a value.
    return tuple(sample.labels.get(name, "") for name in metric.labels)


def _floats(values: Iterable[float]) -> np.ndarray:
    return np.asarray(list(values), dtype=np.float64)
