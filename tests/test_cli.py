"""The command line: each command does its work, and says in one line what went wrong."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

import modelmeter as mm


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "modelmeter.cli", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a model and its training data."""
    path = tmp_path_factory.mktemp("cli")
    random = np.random.default_rng(0)
    X = pd.DataFrame({"a": random.normal(size=500), "b": random.integers(0, 9, 500)})
    y = X["a"] > 0
    skops.io.dump(LogisticRegression().fit(X, y), path / "model.skops")
    days = pd.date_range("2026-01-01", periods=500, freq="20min")
    X.assign(target=y, time=days, comment="text").to_parquet(path / "train.parquet")
    return path


def test_profile_measures_a_file(folder):
    """`modelmeter profile` writes a profile of the training file, leaving columns out."""
    result = run(
        "profile", "model.skops", "train.parquet", "--name", "m", "--version", "2",
        "--target", "target", "--timestamps", "time", "--drop", "comment", "--bins", "5",
        cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "500 rows, 2 features, binary" in result.stdout
    profile = mm.Profile.load(folder / "m.profile.json")
    assert (profile.version, [f.name for f in profile.features]) == ("2", ["a", "b"])
    assert len(profile.features[0].bins.edges) == 6
    assert profile.features[0].variation is not None


def test_generate_writes_what_prometheus_runs(folder):
    """`modelmeter generate` lists the files that it wrote."""
    run("profile", "model.skops", "train.parquet", "--name", "g", "--target", "target",
        "--drop", "comment", "--drop", "time", cwd=folder)  # fmt: skip
    result = run(
        "generate", "--profile", "g.profile.json", "--out", "deploy",
        "--target", "localhost:5001", "--window", "5m", cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "prometheus.yml" in result.stdout
    assert "localhost:5001" in (folder / "deploy" / "prometheus.yml").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("profile", "no.skops", "train.parquet", "--name", "m"), "there is no model file"),
        (("profile", "model.skops", "no.csv", "--name", "m"), "there is no file"),
        (("profile", "model.skops", "train.parquet", "--name", "m"), "'target' is not known"),
        (("profile", "model.skops", "train.parquet", "--name", "m", "--bins", "1"), "bins must"),
        (("serve", "model.skops", "--profile", "no.json"), "no.json"),
        (("generate", "--profile", "train.parquet", "--out", "x"), "is no profile"),
    ],
)
def test_errors_are_one_line_and_status_2(folder, arguments, words):
    """What goes wrong is one line on stderr with exit status 2, never a traceback."""
    result = run(*arguments, cwd=folder)
    assert result.returncode == 2
    assert words in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr


def test_version_and_help(folder):
    """`--version` says the version; `--help` lists every command."""
    assert run("--version", cwd=folder).stdout == f"modelmeter {mm.__version__}\n"
    text = run("--help", cwd=folder).stdout
    for command in ("profile", "serve", "generate", "demo"):
        assert command in text
