"""The simulation of alarms: its streams, and that it sees what the rules see."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import alarms
    from peers.ownalarms import HOLD, LONG, QUICK, WARM_UP, firing, limits, states, windows
    from peers.streams import Change, Cycle, Feature, make_features, traffic
finally:
    sys.path.remove(str(ROOT / "benchmarks"))

CHANGES = (
    Change(),
    Change(shift=0.5),
    Change(scale=10.0),
    Change(missing=0.05),
    Change(unseen=0.05),
)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("categories", [0, 8])
def test_counts_and_rows_are_of_one_process(change, categories):
    """Rows drawn, put in the feature's own bins, are as often in each as the counts say."""
    cycle = Cycle(hour=0.4, weekend=0.2, day=0.1, missing=0.5)
    feature = Feature("x", categories=categories, missing=0.02, cycle=cycle, seed=1)
    if categories:
        change = Change(shift=change.shift, missing=change.missing, unseen=change.unseen)
    minutes = np.full(40_000, 500)
    drawn = feature.draw(minutes, change)
    if categories:
        places = {f"c{i:02d}": i for i in range(categories)} | {"new": categories}
        places[None] = categories + 1
        found = np.bincount([places[value] for value in drawn], minlength=len(feature.kinds))
    else:
        inside = np.searchsorted(feature.cuts, drawn, side="right")
        inside[np.isnan(drawn)] = len(feature.cuts) + 1
        found = np.bincount(inside, minlength=len(feature.kinds))
    expected = feature.shares(minutes[:1], change)[0]
    assert expected.sum() == pytest.approx(1)
    assert found / len(minutes) == pytest.approx(expected, abs=0.01)


def test_windows_are_those_of_the_rules():
    """An hour is the sum of its minutes; a day adds up what the hour showed every minute."""
    counts = np.random.default_rng(0).poisson(3.0, size=(WARM_UP + 50, 2)).astype(float)
    seen = windows(counts)
    end = WARM_UP + 30 - 1
    assert seen[QUICK][30] == pytest.approx(counts[end - QUICK + 1 : end + 1].sum(axis=0))
    hours = [counts[t - QUICK + 1 : t + 1].sum(axis=0) for t in range(end - LONG + 1, end + 1)]
    assert seen[LONG][30] == pytest.approx(np.sum(hours, axis=0) / QUICK)
    assert len(seen[QUICK]) == len(seen[LONG]) == 51


def test_alert_fires_once_it_has_held():
    """Ten minutes of drift, seen eleven times, fire; a minute less does not."""
    state = np.array([0] * 5 + [1] * HOLD + [0] + [1] * (HOLD + 1) + [-1])
    assert firing(state).tolist() == [5 + HOLD + 1 + HOLD]


def test_stream_without_drift_is_quiet_and_a_unit_error_is_not():
    """The thresholds of a model let no independent feature alarm, and a unit error at once."""
    limit = limits(make_features(cyclic=False, seed=0, number=25))
    feature = Feature("x", categories=0, missing=0.0, cycle=Cycle(), seed=3)
    minutes = np.arange(-WARM_UP, 600)
    busy = traffic(minutes, cyclic=False) * 1_000 / 60
    for change, quiet in ((Change(), True), (Change(scale=10.0), False)):
        found = states(feature, feature.counts(minutes, busy, change, WARM_UP), limit)
        fires = [int(firing(state)[0]) for state in found.values() if len(firing(state))]
        assert (not fires) == quiet
    assert min(fires) < 20


def test_traffic_is_one_on_average():
    """A week of the cyclic stream has as many rows as one of the independent."""
    week = np.arange(7 * 1440)
    assert traffic(week, cyclic=True).mean() == pytest.approx(1, abs=0.01)


def test_tables_say_how_many_windows_were_asked(monkeypatch):
    """A peer's alarms stand with the number of windows that they were extrapolated from."""
    answers = iter([{"f00", "f01"}, {"f01"}, {"f00", "f01"}])

    def asked(name, python, training, frames):
        return [next(answers) for _ in frames], {"version": "1.0", "seconds": 0.1}

    monkeypatch.setattr(alarms, "flagged", asked)
    found, _ = alarms.peer_false_alarms("peer", None, 10, cyclic=False, window=60, number=3)
    # Two columns begin to be flagged in the first hour, one again in the third.
    assert found == 3 * 720 / 3


def test_long_and_short_durations_read_well():
    """Minutes up to two hours, then hours; nothing found is said in words."""
    assert [alarms.duration(m) for m in (13, 119, 120, 1440, np.inf)] == [
        *("13 min", "119 min", "2.0 h", "24.0 h", "not seen"),
    ]
