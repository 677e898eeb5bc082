"""What a rehearsal found: which alerts would have fired, when, and how many in a month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

SCHEMA_VERSION: Final = 1
"""Of the JSON document."""

MONTH: Final = 30 * 86_400.0
"""Seconds, as the alarm budget reckons."""


@dataclass(frozen=True)
class Episode:
    """One alert, from when it fired until it was over.

    Parameters
    ----------
    alert
        Its name.
    labels
        All its labels but the name.
    began, ended
        Unix time; None where it fires at the end of the history.
    """

    alert: str
    labels: Mapping[str, str]
    began: float
    ended: float | None

    @property
    def what(self) -> str:
        """The feature, or what else it is about."""
        return self.labels.get("feature", "")

    def seconds(self, end: float) -> float:
        """Return how long it fired, up to the end of the history."""
        return (end if self.ended is None else self.ended) - self.began


@dataclass(frozen=True)
class Rehearsal:
    """What the rules made of a history.

    Parameters
    ----------
    model, version
        Whose rules.
    rows, labels, invalid_labels
        Rows and labels that were counted; labels that can be none of this model.
    start, end
        Unix time of the first and the last evaluation.
    step
        Seconds between two.
    alarms_per_month
        False alarms that are accepted.
    rehearsed
        Names of the alerts that were evaluated.
    not_rehearsed
        Why others were not, by name.
    episodes
        By time.
    knows_days
        Whether the profile knows how much days differ.
    """

    model: str
    version: str
    rows: int
    labels: int
    invalid_labels: int
    start: float
    end: float
    step: float
    alarms_per_month: float
    rehearsed: Sequence[str]
    not_rehearsed: Mapping[str, str]
    episodes: Sequence[Episode]
    knows_days: bool

    @property
    def months(self) -> float:
        """How long the history is, in months of 30 days."""
        return (self.end - self.start) / MONTH

    def per_month(self, episodes: int) -> float:
        """Return how many that are in a month."""
        return episodes / self.months

    def of(self, alert: str) -> list[Episode]:
        """Return the episodes of an alert."""
        return [one for one in self.episodes if one.alert == alert]

    def advice(self) -> str:
        """Return what to do when there are more alarms than are accepted; else nothing."""
        if self.per_month(len(self.episodes)) <= self.alarms_per_month:
            return ""
        (name, number), *_ = Counter(one.what or one.alert for one in self.episodes).most_common(1)
        found = f"{name} makes {number} of the {len(self.episodes)} alarms. "
        if not self.knows_days:
            return found + (
                "The profile does not know how much days differ: build it with time stamps "
                "(--timestamps), so that thresholds follow from that."
            )
        return found + (
            "Look whether they are true. If the world has changed since, train the model anew; if "
            "they do not matter, raise --smallest-drift or --smallest-rate."
        )

    def document(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        number = len(self.episodes)
        return {
            "schema_version": SCHEMA_VERSION,
            "modelmeter": version("modelmeter"),
            "model": self.model,
            "version": self.version,
            "rows": self.rows,
            "labels": self.labels,
            "invalid_labels": self.invalid_labels,
            "start": iso(self.start),
            "end": iso(self.end),
            "step_seconds": self.step,
            "months": round(self.months, 3),
            "accepted_per_month": self.alarms_per_month,
            "alarms": number,
            "alarms_per_month": round(self.per_month(number), 3),
            "advice": self.advice(),
            "alerts": [self._of_alert(name) for name in self.rehearsed],
            "not_rehearsed": dict(self.not_rehearsed),
        }

    def _of_alert(self, name: str) -> dict[str, Any]:
        episodes = self.of(name)
        return {
            "alert": name,
            "alarms": len(episodes),
            "alarms_per_month": round(self.per_month(len(episodes)), 3),
            "longest_seconds": max((one.seconds(self.end) for one in episodes), default=0.0),
            "episodes": [
                {
                    "labels": dict(one.labels),
                    "began": iso(one.began),
                    "ended": None if one.ended is None else iso(one.ended),
                }
                for one in episodes
            ],
        }


def iso(seconds: float) -> str:
    """Return a point in time as text, in UTC and to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
