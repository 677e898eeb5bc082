"""Counts as text for Prometheus.

The text around the numbers is prepared once, as a bytes template per metric; a scrape fills
in the values with one formatting operation per metric. A template is made anew only when its
metric got new series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.core import Metric as PrometheusFamily
from prometheus_client.utils import floatToGoString

from modelmeter.live.counts import Counts, Family
from modelmeter.live.merge import Merger
from modelmeter.live.totals import Row
from modelmeter.names import Metric

Created = NDArray[np.float64] | None


class Exposition:
    """What ``/metrics`` says of the counts; also a collector for a prometheus_client registry.

    Parameters
    ----------
    sources
        The tables to export; the files of other workers beside them are exported with them.
    created_series
        Whether OpenMetrics says of every counter when it began to count (``_created``): one
        more line for each, which Prometheus stores as one more series unless it is told to
        take it for a start at zero.

    Examples
    --------
    >>> from modelmeter import names
    >>> counts = Counts()
    >>> counts.block(names.FAILURES, [("observe",)]).cells[0] += 1
    >>> print(Exposition([counts]).render().decode(), end="")
    # HELP modelmeter_failures_total Failures of the monitoring itself, which never reach a prediction.
    # TYPE modelmeter_failures_total counter
    modelmeter_failures_total{where="observe"} 1
    """  # noqa: E501

    def __init__(self, sources: Iterable[Counts] = (), *, created_series: bool = False) -> None:
        self._merger = Merger(sources)
        self._created_series = created_series
        self._providers: list[Callable[[], list[Family]]] = []
        self._templates: dict[tuple[str, bool], tuple[tuple[Row, ...], Created, bytes]] = {}

    def add(self, source: Counts) -> None:
        """Export this table too; once, however often it is added."""
        self._merger.add(source)

    def add_families(self, provider: Callable[[], list[Family]]) -> None:
        """Export also what a function returns at each reading, after the counts.

        Parameters
        ----------
        provider
            Returns whole families, none that a table has; must not raise. Of several that
            return the same series the last one's value is exported. Added once, however
            often it is given.
        """
        if provider not in self._providers:
            self._providers.append(provider)

    def render(self, *, openmetrics: bool = False) -> bytes:
        """Return all series in the Prometheus text format.

        Parameters
        ----------
        openmetrics
            Write OpenMetrics 1.0 instead, without the final ``# EOF``: other families may
            follow.

        Returns
        -------
        bytes
            UTF-8; empty when there are no series.
        """
        return b"".join(self._render(family, openmetrics) for family in self.families())

    def collect(self) -> Iterator[PrometheusFamily]:
        """Yield all series as prometheus_client families, for a registry of one's own."""
        for family in self.families():
            yield collected(family)

    def families(self) -> list[Family]:
        """Return the merged values, and what the providers add, each metric once."""
        return [*self._merger.read(), *self._provided()]

    def problems(self) -> list[str]:
        """Return what went wrong with the files of workers since the last call."""
        return self._merger.problems()

    def _provided(self) -> list[Family]:
        if not self._providers:
            return []
        from modelmeter.live.label_families import joined  # needs SQLAlchemy, as providers do

        if len(self._providers) == 1:
            return joined(self._providers[0]())
        # At once: databases that hang must not add up to more time than a scrape has.
        with ThreadPoolExecutor(len(self._providers)) as pool:
            found = list(pool.map(lambda provider: provider(), self._providers))
        return joined(family for families in found for family in families)

    def _render(self, family: Family, openmetrics: bool) -> bytes:
        metric, rows, _, created = family
        if not (openmetrics and self._created_series and metric.type in ("counter", "histogram")):
            created = None
        numbers: NDArray[Any] = _numbers(family).ravel()
        whole = metric.integer and metric.type != "histogram"
        if whole:
            if not (np.abs(numbers) < 2**63).all():
                # Only a fault can bring this about; show it, and keep the rest of the scrape.
                text = _template(metric, rows, openmetrics, created, whole=False)
                return text % tuple(numbers.tolist())
            numbers = numbers.astype(np.int64)  # "%d" of an int is a third faster
        key = (metric.name, openmetrics)
        known = self._templates.get(key)
        if (
            known is None
            or (known[0] is not rows and known[0] != rows)
            or (known[1] is not created and not np.array_equal(known[1], created))  # type: ignore[arg-type]
        ):
            known = (rows, created, _template(metric, rows, openmetrics, created, whole=whole))
            self._templates[key] = known
        return known[2] % tuple(numbers.tolist())


def render(sources: Iterable[Counts], *, openmetrics: bool = False) -> bytes:
    """Return all series of the tables as text, once; see ``Exposition.render``."""
    return Exposition(sources).render(openmetrics=openmetrics)


def collect(sources: Iterable[Counts]) -> Iterator[PrometheusFamily]:
    """Yield all series of the tables as prometheus_client families, once."""
    return Exposition(sources).collect()


def family_name(metric: Metric, *, openmetrics: bool) -> str:
    """Return the name that the ``# TYPE`` line of a metric carries.

    OpenMetrics leaves the suffixes ``_total`` and ``_info`` to the samples.
    """
    if openmetrics and metric.type in ("counter", "info"):
        return metric.name.removesuffix("_total").removesuffix("_info")
    return metric.name


def collected(family: Family) -> PrometheusFamily:
    """Return one metric as prometheus_client's collectors do."""
    metric, rows, values, _ = family
    name = family_name(metric, openmetrics=True)
    made: Any
    if metric.type == "histogram":
        made = HistogramMetricFamily(name, metric.help, labels=metric.labels)
        for row, line in zip(rows, _numbers(family).tolist(), strict=True):
            made.add_metric(row, list(zip(_bounds(metric), line, strict=False)), line[-2])
        return made  # type: ignore[no-any-return]
    kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
    made = kinds.get(metric.type, InfoMetricFamily)(name, metric.help, labels=metric.labels)
    for row, value in zip(rows, values.tolist(), strict=True):
        made.add_metric(row, {} if metric.type == "info" else value)
    return made  # type: ignore[no-any-return]


def _numbers(family: Family) -> NDArray[np.float64]:
    """Return the values in the order of the lines, shape (rows, lines per row)."""
    metric, values = family.metric, family.values
    if metric.type != "histogram":
        return values[:, np.newaxis]
    cumulated = np.cumsum(values[:, :-1], axis=1)
    return np.column_stack([cumulated, values[:, -1], cumulated[:, -1]])


def _template(
    metric: Metric, rows: Sequence[Row], openmetrics: bool, created: Created, *, whole: bool
) -> bytes:
    """Return the text of a metric, with a conversion in the place of each number."""
    name = family_name(metric, openmetrics=openmetrics)
    kind = "gauge" if metric.type == "info" and not openmetrics else metric.type
    help_ = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
    if openmetrics:
        help_ = help_.replace('"', '\\"')
    lines = [f"# HELP {name} {help_}".replace("%", "%%"), f"# TYPE {name} {kind}"]
    number = "%d" if whole else "%a"
    starts = [None] * len(rows) if created is None else created.tolist()
    for row, start in zip(rows, starts, strict=True):
        labels = [
            f'{label}="{_escaped(value)}"' for label, value in zip(metric.labels, row, strict=True)
        ]
        if metric.type == "histogram":
            for bound in _bounds(metric):
                inside = ",".join([*labels, f'le="{bound}"'])
                lines.append(f"{metric.name}_bucket{{{inside}}} %d")
            lines.append(f"{metric.name}_sum{_braced(labels)} %a")
            lines.append(f"{metric.name}_count{_braced(labels)} %d")
        else:
            lines.append(f"{metric.name}{_braced(labels)} {number}")
        if start is not None:
            lines.append(f"{name}_created{_braced(labels)} {start:.3f}")
    return ("\n".join(lines) + "\n").encode()


def _braced(labels: list[str]) -> str:
    return "{" + ",".join(labels) + "}" if labels else ""


def _escaped(value: str) -> str:
    value = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return value.replace("%", "%%")


def _bounds(metric: Metric) -> list[str]:
    bounds = (*metric.buckets, float("inf"))
    return [floatToGoString(bound) for bound in bounds]  # type: ignore[no-untyped-call]
