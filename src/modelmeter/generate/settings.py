"""What someone who runs Prometheus decides, checked when it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Final

from modelmeter._errors import ConfigurationError
from modelmeter.generate.rules import check_labels
from modelmeter.generate.timing import (
    DEFAULT_SCRAPE_INTERVAL,
    DEFAULT_WINDOWS,
    Timing,
    plan_timing,
)
from modelmeter.stats.budget import AlarmBudget

_TARGET: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s/:@?#\[\]]+)(:([0-9]{1,5}))?")
_LISTS: Final = ("targets", "windows", "keep_labels")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How models are scraped and how far back statistics look.

    Parameters
    ----------
    targets
        Where the services listen, each ``host:port``.
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
    alarms_per_month, smallest_drift, smallest_rate
        See `AlarmBudget`: false alarms per month and model that are accepted, and how large a
        drift (PSI beyond noise) and a change of a rate matter.

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
    alarms_per_month: float = 1.0
    smallest_drift: float = 0.05
    smallest_rate: float = 0.02

    def __post_init__(self) -> None:
        for name in _LISTS:
            value = getattr(self, name)
            if isinstance(value, str):
                raise ConfigurationError(f"{name} must be a list, not the text {value!r}")
            object.__setattr__(self, name, tuple(value))
        self._check_targets()
        for name in ("job", "metrics_path", "token_file"):
            value = getattr(self, name)
            if value is not None or name != "token_file":
                _check_text(name, value)
        if not self.metrics_path.startswith("/"):
            raise ConfigurationError(f"metrics_path must start with '/', not {self.metrics_path!r}")
        if self.scheme not in ("http", "https"):
            raise ConfigurationError(f"scheme must be 'http' or 'https', not {self.scheme!r}")
        check_labels(self.keep_labels)
        _ = self.timing, self.budget

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
    def timing(self) -> Timing:
        """Windows and intervals, checked against each other."""
        return plan_timing(
            self.windows,
            scrape_interval=self.scrape_interval,
            evaluation_interval=self.evaluation_interval,
        )

    def _check_targets(self) -> None:
        if not self.targets:
            raise ConfigurationError("targets must name at least one 'host:port'")
        for target in self.targets:
            match = _TARGET.fullmatch(target) if isinstance(target, str) else None
            if not match or int(match[3] or 1) not in range(1, 65536):
                raise ConfigurationError(
                    "targets must be 'host:port' without scheme or path (see scheme and "
                    f"metrics_path), not {target!r}"
                )
        if len(set(self.targets)) < len(self.targets):
            raise ConfigurationError(f"targets must all differ: {list(self.targets)!r}")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ConfigurationError(f"{name} must be a printable text, not {value!r}")


NAMES: Final = tuple(field.name for field in fields(Settings))
"""Every setting."""
