"""Rules and alerts over what services export: without faults they are silent, with faults not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from generate.alerting import Case, check
from generate.conftest import categorical, make_profile
from generate.test_rules import MINUTES, replica
from modelmeter import names as metrics
from modelmeter.generate.alerts import names
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import Settings
from modelmeter.generate.tasks import Tasks

SETTINGS = Settings(windows=("10m", "1h"), scrape_interval="1m", evaluation_interval="2m")
LOOKED_AT = ("12m", "26m", "34m", "50m")


def with_constant(profile):
    """A model with one more feature, that is always the same."""
    constant = categorical("country", np.repeat("US", 3000), ("US",))
    return replace(profile, features=(*profile.features, constant))


FIRST, SECOND = (with_constant(make_profile(version)) for version in ("1", "2"))
OTHER = replace(FIRST, name="other")


@pytest.fixture(scope="module")
def groups():
    several = (FIRST, SECOND, OTHER)
    recorded = recording_rules(
        windows=SETTINGS.windows,
        scrape_interval="1m",
        evaluation_interval="2m",
        positions=max(profile.ordered_positions for profile in several),
        # Performance has tests of its own, and most of the rules.
        tasks=Tasks(classes=0, score_positions=0, scored_classes=False, regression=False),
        job=SETTINGS.job,
    )
    return [*recorded, *alert_rules(several, SETTINGS)]


class Replica:
    """One process that serves rows like those of training, minute by minute."""

    def __init__(self, profile, instance="a", *, rows=100, every=1, seed=0):
        self.profile, self.instance = profile, instance
        self.minutes = np.arange(MINUTES + 1)
        random = np.random.default_rng(seed)
        asked = np.where(self.minutes % every == 0, rows, 0)
        self.calls = np.cumsum(asked)
        self.counted = {
            feature.name: np.cumsum(
                [
                    random.multinomial(n, np.array(feature.counts) / sum(feature.counts))
                    for n in asked
                ],
                axis=0,
            )
            for feature in (*profile.features, *profile.predictions)
        }

    def only(self, minutes):
        """Scraped in these minutes only."""
        self.scraped = np.isin(self.minutes, minutes)
        return self

    scraped = np.ones(MINUTES + 1, dtype=bool)
    restart = MINUTES + 1

    def restarts(self, minute):
        """Begin to count anew."""
        self.restart = minute
        return self

    def breaks(self, name, kind, *, at):
        """From a minute on all rows of a feature fall into one bin."""
        feature = next(f for f in self.profile.features if f.name == name)
        place = [bin.kind for bin in feature.bins.bins].index(kind)
        table = self.counted[name]
        table[at:] = table[at - 1]
        table[at:, place] += self.calls[at:] - self.calls[at - 1]
        return self

    def _samples(self, counts):
        since = np.where(self.minutes >= self.restart, counts[min(self.restart, MINUTES)], 0)
        numbers = counts - since
        return [int(n) if seen else None for n, seen in zip(numbers, self.scraped, strict=True)]

    def _live(self, name, place):
        if place == "absent":
            return self._samples(np.zeros_like(self.calls))
        return self._samples(self.counted[name][:, place])

    def seen_in(self, case):
        """Add everything that it exports, and what Prometheus says of it."""
        found = list(replica(self.instance, self.profile, self._live))
        case.document()["input_series"].extend(found)
        service = {"job": SETTINGS.job, "instance": self.instance}
        first, last = np.flatnonzero(self.scraped)[[0, -1]]
        # Before and after it there is no such target.
        up = [int(self.scraped[m]) if first <= m <= last else "_" for m in self.minutes]
        case.sees("up", up, model=None, version=None, **service)
        calls = " ".join("_" if n is None else str(n) for n in self._samples(self.calls))
        own = {"model": self.profile.name, "version": self.profile.version, **service}
        known = ["_" if n is None else 1 for n in self._samples(self.calls)]
        case.sees(metrics.MODEL_INFO.name, known, **own, profile_hash="a")
        case.sees(f"{metrics.PREDICTION_ROWS.name}_count", calls, **own)
        case.sees(metrics.HTTP_REQUESTS.name, calls, **own, status="200")
        case.sees(metrics.PREDICTIONS.name, calls, **own, outcome="ok")
        case.sees(metrics.PREDICTIONS.name, "0+0x50", **own, outcome="error")
        case.sees(metrics.FAILURES.name, "0+0x50", model=None, version=None, **service)
        return case


ALL = range(MINUTES + 1)


def seen(title, *replicas):
    case = Case(title)
    for one in replicas:
        one.seen_in(case)
    return case


def test_what_happens_without_a_fault_alarms_nobody(groups, tmp_path):
    """Restarts, bad scrapes, new versions, quiet services, constant features, no labels at all."""

    def model(name):
        return replace(FIRST, name=name)

    case = seen(
        "seven models",
        Replica(model("two replicas"), "a"),
        Replica(model("two replicas"), "b", seed=1),
        Replica(model("restart"), "c", seed=2).restarts(25),
        Replica(model("bad scrape"), "d", seed=3).only([m for m in ALL if m != 30]),
        # One version takes over from the other.
        Replica(FIRST, "e", seed=4).only(range(22)),
        Replica(SECOND, "f", seed=5).only(range(20, MINUTES + 1)),
        Replica(model("a row every ten minutes"), "g", rows=1, every=10, seed=6),
        Replica(model("never asked"), "h", rows=0),
        Replica(OTHER, "i", seed=7),
    )
    case.computes('count(ALERTS{alertstate="firing"})', None, *LOOKED_AT)
    check(tmp_path, groups, [case], every="2m")


def test_a_fault_is_told_of_what_it_concerns(groups, tmp_path):
    """A unit error in one feature of one model, a column of another that goes missing."""
    broken = Replica(FIRST).breaks("temperature", "above", at=20)
    empty = Replica(OTHER, "b", seed=5).breaks("destination", "missing", at=20)
    firing = 'count(ALERTS{alertstate="firing"})'
    case = (
        seen("two faults", broken, empty, Replica(SECOND, "c", seed=6))
        .computes(firing, None, "20m")
        .fires(names.FEATURE_OUT_OF_RANGE, "26m", model="flight-delay", feature="temperature")
        .fires(names.FEATURE_MISSING, "26m", model="other", feature="destination", window="10m")
        .silent(names.FEATURE_DRIFT, "50m")  # told already, by what it is
        .silent(names.FEATURE_OUT_OF_RANGE, "50m", model="other")
        .silent(names.FEATURE_MISSING, "50m", model="flight-delay")
        .computes('count(ALERTS{alertstate="firing",version="2"})', None, *LOOKED_AT)
        .computes(f'{firing} - count(ALERTS{{alertstate="firing",area="data"}})', 0, "50m")
    )
    check(tmp_path, groups, [case], every="2m")
