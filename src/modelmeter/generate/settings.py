"""What someone who runs Prometheus decides, checked when it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Final

from modelmeter._errors import ConfigurationError
from modelmeter.generate.hosts import check_host
from modelmeter.generate.notify import Notify
from modelmeter.generate.rules import check_labels
from modelmeter.generate.service_levels import ServiceLevels
from modelmeter.generate.timing import (
    DEFAULT_SCRAPE_INTERVAL,
    DEFAULT_WINDOWS,
    Timing,
    plan_timing,
)
from modelmeter.stats.budget import AlarmBudget

PUSHGATEWAY_JOB: Final = "pushgateway"
PROMETHEUS_JOB: Final = "prometheus"
"""Name of the scrape job of the Pushgateway itself, and the label ``job`` of alerts on batches."""

_LISTS: Final = ("targets", "windows", "keep_labels", "alertmanagers")
_OPTIONAL: Final = ("token_file", "image")
_SECRET: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How models are scraped and how far back statistics look.

    Parameters
    ----------
    targets
        Where the services listen, each ``host:port``; none where models only run in batches.
    windows
        How far back statistics look, as Prometheus durations.
    scrape_interval
        Between two scrapes of a target.
    evaluation_interval
        Between two evaluations of the rules; None for a minute, or less for short windows.
    job
        Name of the scrape job; the label `job` of everything scraped.
    metrics_path
        Where the services answer, from the root.
    scheme
        ``http`` or ``https``.
    token_file
        Path, as Prometheus sees it, to a file that holds the bearer token; the token
        itself never stands in a generated file.
    keep_labels
        Further labels that recorded series keep, such as ``cluster``.
    alertmanagers
        Where Alertmanagers listen, each ``host:port``, as Prometheus sees them; none to send
        alerts nowhere.
    notify
        Whom Alertmanager tells of what; by default nobody, and alerts are to be seen in its
        own pages.
    image
        Of the model's service, such as ``registry.example/flight-delay:3``; the Compose file
        runs it, and so does the Deployment. None to leave it out of the Compose file.
    kubernetes
        Whether manifests for Kubernetes are wanted too.
    store_secret
        Name of a Secret whose ``url`` says which PostgreSQL holds the labels; with it a
        Deployment may have several replicas. None for a file of its own.
    alarms_per_month, smallest_drift, smallest_rate
        See `AlarmBudget`: false alarms per month and model that are accepted, and how large a
        drift (PSI beyond noise) and a change of a rate matter.
    smallest_loss
        How many points of a score (ROC AUC, F1) a model must lose to matter, a share; the mean
        error of a regression must grow by five times this share.
    batch_every
        How often every model scores a batch and pushes what it counted, such as ``24h``; None
        where none does. Of batches the window ``batch`` tells, which is the last one.
    pushgateway
        Where the Pushgateway listens, ``host:port``; None where something else scrapes it.
    prometheus
        Where Prometheus finds itself, ``host:port``: its own metrics say whether rules are late
        or fail. None where something else scrapes it.
    smallest_coverage
        Share of the predictions, at the age at which most have one, that must have a label
        before labels say that a model is worse.
    availability, latency, latency_seconds
        See `ServiceLevels`: shares of the requests that must not fail, and that must be answered
        within so many seconds.
    grafana_url
        Where people find Grafana, for links in alerts.
    runbook_url
        Where people find ``docs/runbook.md``, for links in alerts.

    Raises
    ------
    ConfigurationError
        A setting that cannot work; the message names it.
    """

    targets: tuple[str, ...] = ("localhost:5000",)
    windows: tuple[str, ...] = DEFAULT_WINDOWS
    scrape_interval: str = DEFAULT_SCRAPE_INTERVAL
    evaluation_interval: str | None = None
    job: str = "modelmeter"
    metrics_path: str = "/metrics"
    scheme: str = "http"
    token_file: str | None = None
    keep_labels: tuple[str, ...] = ()
    alertmanagers: tuple[str, ...] = ("localhost:9093",)
    batch_every: str | None = None
    pushgateway: str | None = None
    prometheus: str | None = None
    notify: Notify = field(default_factory=Notify)
    image: str | None = None
    kubernetes: bool = False
    store_secret: str | None = None
    alarms_per_month: float = 1.0
    smallest_drift: float = 0.05
    smallest_rate: float = 0.02
    smallest_loss: float = 0.02
    smallest_coverage: float = 0.5
    availability: float = 0.99
    latency: float = 0.95
    latency_seconds: float = 0.5
    grafana_url: str = "http://localhost:3000"
    runbook_url: str = "docs/runbook.md"

    def __post_init__(self) -> None:
        for name in _LISTS:
            value = getattr(self, name)
            if isinstance(value, str):
                raise ConfigurationError(f"{name} must be a list, not the text {value!r}")
            object.__setattr__(self, name, tuple(value))
        if not self.targets and self.batch_every is None:
            raise ConfigurationError(
                "targets must name at least one 'host:port', unless models only run in batches "
                "(batch_every)"
            )
        self._check_hosts("targets", " (see scheme and metrics_path)")
        self._check_hosts("alertmanagers")
        if self.prometheus is not None:
            check_host(self.prometheus, field="prometheus", port=True)
            if self.job == PROMETHEUS_JOB:
                raise ConfigurationError(
                    f"job must not be {PROMETHEUS_JOB!r}, which is that of Prometheus itself"
                )
        if self.pushgateway is not None:
            check_host(self.pushgateway, field="pushgateway", port=True)
            if self.batch_every is None:
                raise ConfigurationError(
                    "pushgateway needs batch_every: how often a batch is to come, such as '24h'"
                )
            if self.job == PUSHGATEWAY_JOB:
                raise ConfigurationError(
                    f"job must not be {PUSHGATEWAY_JOB!r}, which is that of the Pushgateway"
                )
        if not isinstance(self.notify, Notify):
            raise ConfigurationError(
                f"notify must be what Notify.load('notify.toml') gives, not {self.notify!r}"
            )
        if self.notify.channels and not self.alertmanagers:
            raise ConfigurationError("notify tells nobody anything without alertmanagers")
        for name in ("job", "metrics_path", "token_file", "image"):
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL:
                _check_text(name, value)
        if self.image is not None and " " in self.image:
            raise ConfigurationError(f"image must be a name without spaces, not {self.image!r}")
        if self.store_secret is not None and not _SECRET.fullmatch(self.store_secret):
            raise ConfigurationError(
                "store_secret must be the name of a Secret (a-z, 0-9, '-', '.'), "
                f"not {self.store_secret!r}"
            )
        if not self.metrics_path.startswith("/"):
            raise ConfigurationError(f"metrics_path must start with '/', not {self.metrics_path!r}")
        if self.scheme not in ("http", "https"):
            raise ConfigurationError(f"scheme must be 'http' or 'https', not {self.scheme!r}")
        check_labels(self.keep_labels)
        for name in ("smallest_loss", "smallest_coverage"):
            _check_share(name, getattr(self, name))
        for name in ("grafana_url", "runbook_url"):
            _check_address(name, getattr(self, name))
        object.__setattr__(self, "grafana_url", self.grafana_url.rstrip("/"))
        _ = self.timing, self.budget, self.levels

    @property
    def budget(self) -> AlarmBudget:
        """What somebody is willing to be woken for."""
        try:
            return AlarmBudget(
                alarms_per_month=self.alarms_per_month,
                psi_excess=self.smallest_drift,
                rate_difference=self.smallest_rate,
            )
        except ConfigurationError as error:
            text = str(error).replace("psi_excess", "smallest_drift")
            raise ConfigurationError(text.replace("rate_difference", "smallest_rate")) from None

    @property
    def levels(self) -> ServiceLevels:
        """What callers are promised."""
        return ServiceLevels(
            availability=self.availability,
            latency=self.latency,
            latency_seconds=self.latency_seconds,
        )

    @property
    def timing(self) -> Timing:
        """Windows and intervals, checked against each other."""
        return plan_timing(
            self.windows,
            scrape_interval=self.scrape_interval,
            evaluation_interval=self.evaluation_interval,
            batch_every=self.batch_every,
        )

    def _check_hosts(self, name: str, hint: str = "") -> None:
        hosts = getattr(self, name)
        for host in hosts:
            check_host(host, field=name, hint=hint)
        if len(set(hosts)) < len(hosts):
            raise ConfigurationError(f"{name} must all differ: {list(hosts)!r}")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ConfigurationError(f"{name} must be a printable text, not {value!r}")


def _check_share(name: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1:
        raise ConfigurationError(f"{name} must be a share above 0 and below 1, not {value!r}")


def _check_address(name: str, value: object) -> None:
    """Refuse what would not be a link, or not the same after templates are filled in."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-z|~]+", value) or '"' in value:
        raise ConfigurationError(
            f"{name} must be an address such as 'https://grafana.example.com', without spaces, "
            f"quotes and braces, not {value!r}"
        )


NAMES: Final = tuple(field.name for field in fields(Settings))
"""Every setting."""
