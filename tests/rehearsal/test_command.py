"""`modelmeter rehearse` for a person and for a program."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from rehearsal.conftest import DAY, START, make_history


@pytest.fixture(scope="module")
def folder(profile, tmp_path_factory):
    """A folder with a profile and a history in which a feature drifts, within its range."""
    path = tmp_path_factory.mktemp("command")
    profile.save(path / "p.json")
    frame = make_history()[::4]
    frame["a"] *= np.where(frame["time"] > START + 3 * DAY, 0.5, 1.0)
    frame.to_parquet(path / "history.parquet")
    return path


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "modelmeter.cli", "rehearse", "--profile", "p.json", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=120,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "160"},
    )  # fmt: skip


HISTORY = ("--data", "history.parquet", "--time", "time")


def test_a_person_reads_a_table(folder):
    """Alarms by alert, how many that are in a month, what to do, and what was not rehearsed."""
    result = run(*HISTORY, "--step", "30m", cwd=folder)
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    (cells,) = [cells for cells in lines if cells[:1] == ["ModelFeatureDrift"]]
    assert cells[1:4] == ["1", "5.0", "2023-11-18"]
    assert cells[-2:] == ["a", "1"]
    assert "silent: ModelNoTraffic, ModelFeatureMissing" in result.stdout
    assert "1 alarm, 5.0 in a month; false ones that are accepted: 1" in result.stdout
    assert "--timestamps" in result.stdout
    assert "not rehearsed" in result.stdout


def test_a_program_reads_json(folder):
    """The JSON document holds every episode with its labels and times."""
    result = run(*HISTORY, "--step", "30m", "--format", "json", cwd=folder)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    assert document["alarms"] == 1
    by_name = {one["alert"]: one for one in document["alerts"]}
    (episode,) = by_name["ModelFeatureDrift"]["episodes"]
    assert episode["labels"]["feature"] == "a"
    assert episode["began"].startswith("2023-11-18T")
    assert episode["ended"] is None
    assert "ModelTargetDown" in document["not_rehearsed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "no.parquet", "--time", "time"), "there is no file"),
        (("--data", "history.parquet", "--time", "when"), "no column 'when' (--time)"),
        ((*HISTORY, "--label-lag", "soon"), "label_lag must be a positive Prometheus duration"),
        ((*HISTORY, "--label-lag", "1d"), "needs --target"),
        ((*HISTORY, "--model", "no.skops"), "there is no model file"),
    ],
)
def test_errors_are_one_line(folder, arguments, words):
    """What cannot be is said in one line, with status 2."""
    result = run(*arguments, cwd=folder)
    assert result.returncode == 2
    assert words in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr
