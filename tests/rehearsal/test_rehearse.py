"""History through the generated rules, in a real Prometheus: what fires, when, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from modelmeter._errors import ConfigurationError, DataError
from modelmeter.generate.alerts import names
from modelmeter.generate.settings import Settings
from modelmeter.rehearsal.history import Columns
from modelmeter.rehearsal.rehearse import rehearse
from modelmeter.rehearsal.rulebook import rulebook
from modelmeter.rehearsal.server import PrometheusError
from real.prometheus import promtool
from real.server import wait_for
from rehearsal.conftest import DAY, HOUR, START, make_history
from rehearsal.manager import questions, rules_of, series_of

WINDOWS = ("1h", "6h")
STEP = "30m"
SECONDS = 1800
BURST = START + 2 * DAY + 10 * HOUR, START + 2 * DAY + 14 * HOUR
GAP = START + 3 * DAY, START + 3 * DAY + 8 * HOUR
DRIFT = START + 4 * DAY


def faulty():
    """Return a history in which `b` is missing for four hours and `a` drifts from a day on."""
    frame = make_history()
    random = np.random.default_rng(2)
    burst = frame["time"].between(*BURST) & (random.random(len(frame)) < 0.3)
    frame.loc[burst, "b"] = np.nan
    frame.loc[frame["time"] > DRIFT, "a"] += 1.0
    # Hours without any row, and rows in no order.
    gap = frame["time"].between(*GAP)
    return frame[~gap].sample(frac=1.0, random_state=0).reset_index(drop=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the rehearsals of this module keep what is temporary."""
    path = tmp_path_factory.mktemp("temporary")
    before, tempfile.tempdir = tempfile.tempdir, str(path)
    yield path
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def found(profile, folder):
    """The rehearsal of the history with faults."""
    return rehearse(
        profile, faulty(), Columns(time="time"), settings=Settings(windows=WINDOWS), step=STEP
    )


def test_drift_fires_where_it_begins(found):
    """A feature that drifts from a day on alarms once, within hours of it, to the end."""
    (one,) = [one for one in found.of(names.FEATURE_DRIFT) if one.labels["feature"] == "a"]
    assert one.labels["severity"] == names.WARNING
    assert DRIFT < one.began < DRIFT + 6 * HOUR
    assert one.ended is None


def test_a_burst_of_missing_values_fires_and_is_over(found):
    """Four hours of missing values alarm within the hour, and are over when they have passed."""
    short = [one for one in found.of(names.FEATURE_MISSING) if one.labels["window"] == "1h"]
    assert [one.labels["feature"] for one in short] == ["b"]
    assert BURST[0] < short[0].began <= BURST[0] + HOUR
    assert BURST[1] < short[0].ended <= BURST[1] + 2 * HOUR


def test_what_is_fine_is_silent(found):
    """No other feature alarms, whatever the alert."""
    of_features = [one for one in found.episodes if one.alert != names.NO_TRAFFIC]
    assert {one.labels["feature"] for one in of_features} == {"a", "b"}


def test_hours_without_rows_are_missed_traffic(found):
    """Rows that usually come at an hour, and do not, alarm once; drift says nothing of it."""
    (one,) = found.of(names.NO_TRAFFIC)
    assert GAP[0] < one.began < one.ended <= GAP[1] + 2 * HOUR


def test_what_history_cannot_tell_is_named(found):
    """Alerts on the service, the process, predictions and labels are listed with the reason."""
    assert "service" in found.not_rehearsed[names.TARGET_DOWN]
    assert "--prediction" in found.not_rehearsed[names.PREDICTION_DRIFT]
    assert set(found.rehearsed).isdisjoint(found.not_rehearsed)


def test_nothing_is_left(found, folder):
    """The folder is gone, and with it the process that used it."""
    assert list(folder.iterdir()) == []


def test_it_is_as_prometheus_would_have_it(found, profile, tmp_path):
    """Alerts begin and end exactly as Prometheus's own rule manager has it, step by step."""
    book = rulebook(
        profile,
        Settings(windows=WINDOWS),
        step=SECONDS * 1000,
        predictions=False,
        labels=False,
    )
    steps = round((found.end - found.start) / SECONDS) + 1
    inputs = series_of(
        faulty(), profile, start=found.start, step=SECONDS, steps=steps, folder=tmp_path
    )
    group = {"name": "all", "interval": STEP, "rules": rules_of(book)}
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [group]}))
    asked = questions(found, steps)
    test = {"interval": STEP, "input_series": inputs, "promql_expr_test": asked}
    document = {"rule_files": ["rules.yml"], "evaluation_interval": STEP, "tests": [test]}
    (tmp_path / "test.yml").write_text(json.dumps(document))
    promtool("test", "rules", tmp_path / "test.yml")


def processes_of(folder):
    """Return the processes whose command names a folder."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = command.read_bytes()
        except OSError:  # it has ended
            continue
        if str(folder).encode() in text:
            found.append(int(command.parent.name))
    return found


def test_nothing_is_left_when_it_fails(profile, folder, tmp_path, monkeypatch):
    """When promtool fails its words are the error, and folder and process are gone all the same."""
    broken = tmp_path / "promtool"
    broken.write_text('#!/bin/sh\necho "disk is full" >&2\nexit 1\n')
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(PrometheusError, match="disk is full"):
        rehearse(profile, make_history(), Columns(time="time"))
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_it_is_ended(profile, tmp_path, how):
    """Ctrl-C, or a request to end, in the middle of it leaves no process and no file."""
    profile.save(tmp_path / "p.json")
    make_history().to_parquet(tmp_path / "history.parquet")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    running = subprocess.Popen(
        [sys.executable, "-m", "modelmeter.cli", "rehearse", "--profile", "p.json",
         "--data", "history.parquet", "--time", "time", "--step", "1m"],
        cwd=tmp_path, env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(
            lambda: list(temporary.glob("*/rule-0")) and processes_of(temporary),
            seconds=60,
            what="rules to be evaluated",
        )
        running.send_signal(how)
        assert running.wait(30) != 0
    finally:
        running.kill()
        running.wait()
    assert processes_of(temporary) == []
    assert list(temporary.iterdir()) == []


def test_prometheus_must_be_installed(profile, tmp_path, monkeypatch):
    """Without the program the error says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="apt-get install prometheus"):
        rehearse(profile, make_history(), Columns(time="time"))


def test_a_column_that_is_no_time_is_noticed(profile):
    """Numbers of another meaning, and times that are far off, do not become a history."""
    frame = make_history()[:500].assign(hour=range(500))
    with pytest.raises(DataError, match="less than the shortest window"):
        rehearse(profile, frame, Columns(time="hour"))
    frame.loc[0, "time"] = 0.0
    with pytest.raises(DataError, match="too many steps"):
        rehearse(profile, frame, Columns(time="time"), settings=Settings(windows=("5m", "1h")))


def test_a_step_is_at_most_half_a_window(profile):
    """A step in which a window cannot be seen twice is refused."""
    with pytest.raises(ConfigurationError, match=r"at most half the shortest window \(1h\)"):
        rehearse(profile, make_history(), Columns(time="time"), step="45m")
