"""The command line: each command does its work, and says in one line what went wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import modelmeter as mm
from real.prometheus import free_port


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
    model = LogisticRegression().fit(X, y)
    skops.io.dump(model, path / "model.skops")
    mm.Profile.build(model, X, name="f", version="1").save(path / "f.profile.json")
    days = pd.date_range("2026-01-01", periods=500, freq="20min")
    X.assign(target=y, time=days, comment="text").to_parquet(path / "train.parquet")
    X.assign(target=y, time=days, comment="text")[::3].to_parquet(path / "holdout.parquet")
    X = X.assign(kind=random.choice(["x", "y"], 500))
    encode = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    skops.io.dump(make_pipeline(encode, LogisticRegression()).fit(X, y), path / "segmented.skops")
    more = {"target": y, "time": days, "comment": "text", "who": random.integers(0, 50, 500)}
    X.assign(**more).to_parquet(path / "segmented.parquet")
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
        "--profile", "f.profile.json", "--target", "localhost:5001",
        "--window", "5m", "--window", "1h", "--short-window", "1m", "--kubernetes", cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "prometheus.yml" in result.stdout
    configuration = (folder / "deploy" / "prometheus.yml").read_text()
    assert "localhost:5001" in configuration
    assert 'job_name: "prometheus"' in configuration
    assert "localhost:9090" in configuration
    rules = (folder / "deploy" / "rules" / "modelmeter.rules.yml").read_text()
    assert "For 'f' version '1', 'g' version '1'." in rules
    assert all(f'window: "{window}"' in rules for window in ("1m", "5m", "1h"))
    assert len(list((folder / "deploy" / "kubernetes").rglob("*-deployment.yaml"))) == 2


def test_profile_measures_the_model(folder):
    """`modelmeter profile` measures performance, segments and groups, and keeps canary rows."""
    common = ("--target", "target", "--drop", "comment", "--drop", "time")
    result = run(
        "profile", "segmented.skops", "segmented.parquet", "--name", "s", *common,
        "--segment", "kind", "--canary-rows", "20", "--group", "who", "--folds", "3",
        cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    profile = mm.Profile.load(folder / "s.profile.json")
    assert [s.feature for s in profile.segments] == ["kind"]
    assert len(profile.canary.rows) == 20
    assert profile.baseline is not None
    assert "performance is not known" not in result.stdout
    result = run(
        "profile", "model.skops", "train.parquet", "--name", "h", *common,
        "--holdout", "holdout.parquet", "--folds", "0",
        cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert mm.Profile.load(folder / "h.profile.json").baseline is not None
    result = run(
        "profile", "model.skops", "train.parquet", "--name", "u", *common, "--folds", "0",
        cwd=folder,
    )  # fmt: skip
    assert "performance is not known" in result.stdout


def test_feedback_counts_the_labels_in_a_file(folder, tmp_path):
    """`modelmeter feedback` counts thousands of labels and shows what became of them."""
    shutil.copy(folder / "f.profile.json", tmp_path / "p.json")
    ids = [f"{i:05}" for i in range(6_000)]
    monitor = mm.Monitor(mm.Profile.load(tmp_path / "p.json"), store=tmp_path / "labels.db")
    with monitor.identified(ids):
        monitor.observe(None, y_pred=[True] * 6_000)
    assert monitor.close()
    late = ["True"] * 6_001 + [None]
    late[5] = "perhaps"
    frame = pd.DataFrame({"id": [*ids, "nobody", "empty"], "late": late})
    frame.to_parquet(tmp_path / "labels.parquet")
    command = (
        "feedback", "labels.parquet", "--profile", "p.json", "--store", "labels.db",
        "--id-column", "id", "--label-column", "late",
    )  # fmt: skip
    result = run(*command, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    table = [line.split("│")[1:3] for line in result.stdout.splitlines() if "│" in line]
    assert {name.strip(): number.strip() for name, number in table} == {
        "counted": "5,999", "waiting": "1", "invalid": "1", "": "1",
    }  # fmt: skip
    assert "row 6: y_true is one of the classes 'False', 'True', not 'perhaps'" in result.stdout
    again = run(*command, cwd=tmp_path)
    assert "duplicate" in again.stdout
    assert "│ counted" not in again.stdout


def test_a_database_that_is_away_is_one_line(folder, tmp_path):
    """When the store does not answer, `feedback` ends with status 2 and says so in one line."""
    shutil.copy(folder / "f.profile.json", tmp_path / "p.json")
    pd.DataFrame({"prediction_id": ["a"], "y_true": [True]}).to_csv(tmp_path / "l.csv", index=False)
    result = run(
        "feedback", "l.csv", "--profile", "p.json",
        "--store", f"postgresql://nobody@127.0.0.1:{free_port()}/labels",
        cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 2
    assert "cannot be used now" in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("profile", "no.skops", "train.parquet", "--name", "m"), "there is no model file"),
        (("profile", "model.skops", "no.csv", "--name", "m"), "there is no file"),
        (("profile", "model.skops", "train.parquet", "--name", "m"), "'target' is not known"),
        (("profile", "model.skops", "train.parquet", "--name", "m", "--bins", "1"), "bins must"),
        (("serve", "model.skops", "--profile", "no.json"), "no.json"),
        (("generate", "--profile", "train.parquet", "--out", "x"), "is no profile"),
        (
            ("generate", "--profile", "f.profile.json", "--out", "x", "--window", "1h"),
            "--short-window (1h) must be shorter than 1h",
        ),
        (("feedback", "no.csv", "--profile", "f.profile.json"), "there is no file"),
        (("feedback", "train.parquet", "--profile", "f.profile.json"), "'prediction_id'; it has"),
        (
            (
                "feedback",
                "train.parquet",
                "--profile",
                "f.profile.json",
                "--id-column",
                "b",
                "--label-column",
                "target",
            ),
            "there is no label store",
        ),
        (
            ("serve", "model.skops", "--profile", "f.profile.json", "--store", "mysql://x/y"),
            "not in mysql",
        ),
        (
            ("serve", "model.skops", "--profile", "f.profile.json", "--store", "a", "--no-labels"),
            "either --store or --no-labels",
        ),
        (
            ("serve", "model.skops", "--profile", "f.profile.json", "--retention-days", "0"),
            "retention_days must be above 0",
        ),
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
    for command in ("profile", "serve", "feedback", "generate", "demo"):
        assert command in text
