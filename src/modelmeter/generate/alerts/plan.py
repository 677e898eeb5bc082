"""What all alerts share: settings, links, and how long something must last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from modelmeter.generate.alerts.names import AREA_OF
from modelmeter.generate.alerts.words import one_of, plain
from modelmeter.generate.dashboards.ids import (
    MODEL_PANELS,
    OVERVIEW_PANELS,
    OVERVIEW_UID,
    model_uid,
)
from modelmeter.generate.dashboards.queries import kept_name
from modelmeter.generate.durations import parse_duration
from modelmeter.generate.promql import Labels
from modelmeter.generate.rulefile import Alert
from modelmeter.generate.settings import PUSHGATEWAY_JOB, Settings
from modelmeter.generate.tasks import Tasks
from modelmeter.generate.timing import BATCH, Timing

_TEN_MINUTES: Final = 600_000
_SHOWN: Final = "from=now-24h&to=now"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What alerts are made from.

    Parameters
    ----------
    settings
        What somebody decided.
    models
        Names of the models that have a dashboard.
    tasks
        What the models do.
    """

    settings: Settings
    models: Sequence[str]
    tasks: Tasks

    @cached_property
    def labels(self) -> Labels:
        """What series are grouped by."""
        return Labels(self.settings.keep_labels)

    @property
    def keep(self) -> tuple[str, ...]:
        """Labels beyond modelmeter's own."""
        return self.settings.keep_labels

    @cached_property
    def timing(self) -> Timing:
        """Windows and intervals."""
        return self.settings.timing

    @property
    def hold(self) -> int:
        """How long a window must stay in alarm: what the alarm budget reckons with.

        Ten minutes, or a sixth of the shortest window where that is less: windows of a few
        minutes are for trying things out.
        """
        return min(_TEN_MINUTES, self.timing.windows[0].length // 6)

    def hold_of(self, window: str) -> int:
        """Return how long a window must stay in alarm.

        The last batch stands still, so that chance has one look at it; but it takes two
        evaluations until all that is computed of a new one is of that one.
        """
        if window == BATCH and self.timing.batch_every is not None:
            return self.timing.evaluation_interval
        return self.hold

    def at_least(self, duration: str) -> int:
        """Return a duration in milliseconds that holds four scrapes: one that fails is none.

        No longer than the shortest window, as `hold`.
        """
        usual = min(parse_duration(duration, field="hold"), self.timing.windows[0].length)
        return max(usual, 4 * self.timing.scrape_interval)

    def alert(
        self,
        name: str,
        expr: str,
        *,
        severity: str,
        summary: str,
        description: str,
        panel: str,
        hold: int | None = None,
        shown: Sequence[str] = (),
        comment: str = "",
        **labels: str,
    ) -> Alert:
        """Return an alert with its links and the labels that grouping and silencing need.

        Parameters
        ----------
        name
            One of `names`.
        expr
            PromQL.
        severity
            One of `names.SEVERITIES`.
        summary, description
            Templates; one line, and what to make of it.
        panel
            Key of a panel on the model's dashboard, or of the overview as ``overview:<key>``.
        hold
            Milliseconds that it must last; by default `hold` of the plan.
        shown
            Labels that are chosen on the dashboard.
        comment
            Why it is as it is.
        **labels
            Further labels.
        """
        return Alert(
            name,
            expr,
            self.hold if hold is None else hold,
            {
                "severity": severity,
                "area": AREA_OF[name],
                "job": plain(self._job_of(labels.get("window", ""))),
                **labels,
            },
            {
                "summary": summary,
                "description": description,
                "dashboard_url": self._dashboard(panel, shown),
                "runbook_url": f"{self.settings.runbook_url}#{name.lower()}",
            },
            comment,
        )

    def _job_of(self, window: str) -> str:
        """Say whose fault it is: while no replica answers, all of the service's is held back."""
        batches = window == BATCH and self.timing.batch_every is not None
        return PUSHGATEWAY_JOB if batches else self.settings.job

    def _dashboard(self, panel: str, shown: Sequence[str]) -> str:
        where, _, key = panel.rpartition(":")
        number = OVERVIEW_PANELS[key] if where else MODEL_PANELS[key]
        chosen = [
            # The dashboard calls a label that somebody keeps by a name of its own.
            f"&var-{kept_name(label) if label in self.keep else label}"
            f"={{{{ $labels.{label} | urlquery }}}}"
            for label in (*self.keep, *shown)
        ]
        uid = OVERVIEW_UID if where else self._uid
        query = f"viewPanel=panel-{number}{''.join(chosen)}&{_SHOWN}"
        return f"{self.settings.grafana_url}/d/{uid}?{query}"

    @cached_property
    def _uid(self) -> str:
        """Say the uid of the model's dashboard, which templates cannot compute."""
        return one_of("model", {one: model_uid(one) for one in self.models}, OVERVIEW_UID)
