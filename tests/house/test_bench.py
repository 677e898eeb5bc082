"""The harness of ``make bench``: what it tells of what it measured, and without peers."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    from harness import training
    from harness.elsewhere import found
    from harness.figures import Figure, Goal, of_peer, table
    from peers import environment
    from peers.talk import CountingStep
finally:
    sys.path.remove(str(ROOT / "benchmarks"))


def test_a_line_tells_ours_others_limit_and_goal():
    """Others come with their ratio to ours; a goal is reached up to and including its number."""
    goals = (Goal("at most 2 us", 2.0, 2.0), Goal("at most 1 us", 2.0, 1.0))
    figure = Figure("observe", "us", 2.0, {"peer": 20.6}, 0.5, goals)
    assert figure.cells() == (
        *("observe", "us", "2", "peer 20.6 (10.3x)", "0.5"),
        *("at most 2 us; at most 1 us", "yes; NO"),
    )
    assert "| observe | us | 2 | peer 20.6 (10.3x) |" in table([figure]).markdown()


@pytest.mark.parametrize(
    ("value", "noise", "verdict"),
    [
        (0.2, 0.1, "yes"),
        (0.4, 0.2, "cannot tell"),
        (0.6, 0.2, "cannot tell"),
        (0.9, 0.2, "NO"),
        (-10.9, 2.0, "cannot tell"),
    ],
)
def test_what_noise_hides_is_no_verdict(value, noise, verdict):
    """Nearer to the goal than the same thing is to itself, or less than nothing: nobody knows."""
    assert Goal("at most +0.5 %", value, 0.5, noise).verdict == verdict


def test_what_is_not_there_is_left_out():
    """Without peers, limit and goals a line says so; of less than nothing there is no ratio."""
    assert Figure("x", "%", 1234.5).cells() == ("x", "%", "1,234", "-", "-", "-", "-")
    assert Figure("x", "%", -0.2, {"peer": 3.0}).cells()[3] == "peer 3"


def test_a_goal_beside_a_peer_needs_the_peer():
    """A share of a peer's time is a goal only where the peer was measured."""
    (goal,) = of_peer(1 / 4, "peer", 5.0, {"peer": 20.0})
    assert goal == Goal("at most 1/4 of peer", 5.0, 5.0)
    assert of_peer(1 / 4, "peer", 5.0, {}) == ()


def test_peers_that_are_not_there_are_told_and_left_out(capsys, monkeypatch, tmp_path):
    """A quick run installs nothing large: it says so, and goes on without."""
    monkeypatch.setattr(environment.cache, "directory", lambda: tmp_path)
    assert found({"evidently": environment.evidently}, install=False) == {}
    assert "Evidently 0.7.23 is not installed yet" in capsys.readouterr().err


def test_an_environment_that_is_complete_is_used(monkeypatch, tmp_path):
    """What was installed as wanted is not installed again."""
    monkeypatch.setattr(environment.cache, "directory", lambda: tmp_path)
    there = tmp_path / "peers" / "thing-1"
    there.mkdir(parents=True)
    (there / "installed.txt").write_text("thing==1")
    found_there = environment.interpreter("thing", "1", ("thing==1",), install=False)
    assert found_there == there / "bin" / "python"


def test_building_and_drift_are_measured_without_peers():
    """Ours, polars and the limit are there; each takes some time."""
    (built,) = training.building({}, rows=1_000, repeats=1)
    assert built.ours > 0
    assert set(built.others) == {"polars"}
    (drift,) = training.drifting({}, rows=1_000, repeats=1)
    assert drift.ours > 0


def test_the_talks_step_counts_every_cell():
    """The reconstruction passes its input on, and counts numbers and texts."""
    X = pd.DataFrame({"n": [1.0, 2.0, 3.0], "s": ["a", "b", "a"]})
    step = CountingStep().fit(X)
    assert step.transform(X) is X
    assert step.counters_["s"].labels("a")._value.get() == 2
    assert step.histograms_["n"]._sum.get() == pytest.approx(6)
