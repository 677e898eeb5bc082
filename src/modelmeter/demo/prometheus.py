"""A Prometheus of the demo's own, and what it says."""

from __future__ import annotations

import math
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from modelmeter.demo.processes import Child, ChildError, Children
from modelmeter.demo.reading import FeatureReading, Reading
from modelmeter.generate import label_series, performance_series, series
from modelmeter.stats.rates import RateScore

_ROUTE = "/predict/model"


def installed() -> str | None:
    """Return the path of the ``prometheus`` program, None when there is none."""
    return shutil.which("prometheus")


def start(children: Children, program: str, configuration: Path, data: Path, port: int) -> Child:
    """Start Prometheus on this machine only.

    Parameters
    ----------
    children
        Among whom it is started.
    program
        Path of the program.
    configuration
        ``prometheus.yml``, with its rules beside it.
    data
        Directory for what it records.
    port
        To listen on.

    Returns
    -------
    Child
        Started, perhaps not ready yet.
    """
    return children.start(
        "prometheus",
        [
            program,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ],
    )


def wait_for_scrapes(
    url: str, children: Children, *, scrapes: int = 2, seconds: float = 30
) -> None:
    """Wait until Prometheus has scraped the service: what is counted before is not seen.

    Parameters
    ----------
    url
        Where Prometheus is.
    children
        The processes, which must stay alive meanwhile.
    scrapes
        How many successful scrapes to wait for.
    seconds
        How long to wait at most.

    Raises
    ------
    ChildError
        A process has ended, or the time is over.
    """
    deadline = time.monotonic() + seconds
    with httpx2.Client(base_url=url, timeout=5, trust_env=False) as client:
        while time.monotonic() < deadline:
            children.check()
            answer = client.get("/api/v1/query", params={"query": "sum_over_time(up[1m])"})
            found = answer.json()["data"]["result"] if answer.is_success else []
            if found and float(found[0]["value"][1]) >= scrapes:
                return
            time.sleep(0.1)
    raise ChildError(
        f"Prometheus has not scraped the service within {seconds:g} s; see {url}/targets"
    )


class _Vector(NamedTuple):
    labels: Mapping[str, str]
    value: float


class PrometheusSource:
    """Asks Prometheus for what the recording rules wrote.

    Parameters
    ----------
    url
        Where Prometheus is.
    window
        The window of the rules, as they label it: ``10s``.
    """

    name = "Prometheus"

    def __init__(self, url: str, window: str) -> None:
        self._client = httpx2.Client(base_url=url, timeout=5, trust_env=False)
        self._window = window

    def read(self, at: float | None = None) -> Reading:
        """Return what was recorded for the window that ends at `at`; now by default.

        Parameters
        ----------
        at
            Unix time, None for now.

        Returns
        -------
        Reading
        """
        at = time.time() if at is None else at
        found: dict[str, list[_Vector]] = defaultdict(list)
        for query in (
            f'{{__name__=~"model_feature:.+", window="{self._window}", segment=""}}',
            f'{{__name__=~"http_route:.+", route="{_ROUTE}", window="{self._window}"}}',
            f'{{__name__=~"model:.+", window="{self._window}"}}',
            f'{series.BIN_ROWS.name}{{feature="y_pred", window="{self._window}", segment=""}}',
            f'{series.REFERENCE_RATE.name}{{segment=""}}',
            f'{series.BIN_REFERENCE_ROWS.name}{{feature="y_pred", segment=""}}',
            f'{{__name__=~"model_performance:.+", window="{self._window}", segment="", class=""}}',
            f'{performance_series.REFERENCE.name}{{segment="", class=""}}',
            f"{label_series.COVERAGE.name} > 0",
        ):
            for labels, value in self._query(query, at):
                found[labels["__name__"]].append(_Vector(labels, value))
        seconds = {v.labels["quantile"]: v.value for v in found[series.REQUEST_SECONDS.name]}
        return Reading(
            at=at,
            features=_features(found),
            rows_per_second=_sum(found[series.PREDICTION_RATE.name]),
            requests_per_second=_sum(found[series.REQUEST_RATE.name]),
            error_ratio=max((v.value for v in found[series.ERROR_RATIO.name]), default=math.nan),
            median_seconds=seconds.get("0.5", math.nan),
            slow_seconds=seconds.get("0.95", math.nan),
            positive=_positive(found[series.BIN_ROWS.name]),
            reference_positive=_positive(found[series.BIN_REFERENCE_ROWS.name]),
            performance=_performance(found),
            labelled=max((v.value for v in found[label_series.COVERAGE.name]), default=math.nan),
        )

    def _query(self, query: str, at: float) -> list[_Vector]:
        answer = self._client.get("/api/v1/query", params={"query": query, "time": f"{at:.3f}"})
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return [_Vector(one["metric"], float(one["value"][1])) for one in result]


def _features(found: Mapping[str, list[_Vector]]) -> tuple[FeatureReading, ...]:
    rows = _by_feature(found[series.ROWS.name])
    excess = _by_feature(found[series.PSI_EXCESS.name])
    z = _by_feature(found[series.G_Z.name])
    return tuple(
        FeatureReading(
            role=role,
            name=name,
            rows=n,
            psi_excess=excess.get((role, name), math.nan),
            z=z.get((role, name), math.nan),
            checks=_checks(found, name),
        )
        for (role, name), n in rows.items()
    )


def _by_feature(vectors: list[_Vector]) -> dict[tuple[str, str], float]:
    return {(v.labels["role"], v.labels["feature"]): v.value for v in vectors}


def _checks(found: Mapping[str, list[_Vector]], feature: str) -> dict[str, RateScore]:
    rate, reference, z = (
        {v.labels["check"]: v.value for v in found[name] if v.labels["feature"] == feature}
        for name in (series.RATE.name, series.REFERENCE_RATE.name, series.RATE_Z.name)
    )
    return {
        check: RateScore(value, reference.get(check, math.nan), z.get(check, math.nan))
        for check, value in rate.items()
    }


def _performance(found: Mapping[str, list[_Vector]]) -> dict[tuple[str, str], float]:
    values = {
        (v.labels["metric"], v.labels["source"]): v.value
        for v in found[performance_series.VALUE.name]
    }
    references = found[performance_series.REFERENCE.name]
    return values | {(v.labels["metric"], "training"): v.value for v in references}


def _sum(vectors: list[_Vector]) -> float:
    return sum(v.value for v in vectors) if vectors else math.nan


def _positive(bins: list[_Vector]) -> float:
    total = sum(v.value for v in bins)
    late = sum(v.value for v in bins if v.labels["bin"] == "1")
    return late / total if total else math.nan
