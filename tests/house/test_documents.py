"""Everything that the documents say to run is run."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import httpx2
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROWS = 6000  # enough for `modelmeter check` to tell
MODELMETER = Path(sys.executable).parent / "modelmeter"


def blocks(path, language):
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), flags=re.DOTALL)


def commands(path):
    lines = "".join(blocks(path, "console")).splitlines()
    return [line[2:].partition(" #")[0].strip() for line in lines if line.startswith("$ ")]


@pytest.fixture(scope="module")
def training():
    """A model and its training data, as the README's reader has them."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(
        {"temp": random.normal(50, 9, ROWS), "origin": random.choice(["JFK", "LGA", "EWR"], ROWS)}
    )
    y = pd.Series((X["temp"] > 50).astype(int), name="late")
    encode = make_column_transformer((OneHotEncoder(), ["origin"]), remainder="passthrough")
    return make_pipeline(encode, LogisticRegression(max_iter=1000)).fit(X, y), X, y


@pytest.fixture
def folder(training, tmp_path, monkeypatch):
    """A folder with the files that the README's commands name."""
    model, X, y = training
    skops.io.dump(model, tmp_path / "model.skops")
    X.assign(late=y).to_parquet(tmp_path / "train.parquet")
    labels = {"prediction_id": ["a", "b"], "y_true": [0, 1]}
    pd.DataFrame(labels).to_parquet(tmp_path / "labels.parquet")
    X.to_parquet(tmp_path / "new.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_python_blocks_run(path, training, folder):
    """The Python blocks of a document run one after the other, given a model and its data."""
    model, X, y = training
    namespace = {"model": model, "X_train": X, "y_train": y, "__name__": "document"}
    for block in blocks(path, "python"):
        exec(compile(block, str(path), "exec"), namespace)
    if path.name == "README.md":
        assert namespace["monitor"].profile.name == "flight-delay"
        assert len(namespace["model"].predict(X)) == ROWS


def test_readme_commands_run(folder):
    """The README's commands do what they say, on the files that they name."""
    found = [c for c in commands(ROOT / "README.md") if c.startswith("modelmeter")]
    assert len(found) == 8
    for command in found:
        words = shlex.split(command)
        if words[1] == "serve":
            serve_and_predict(words)
        elif words[1] == "demo":
            # tests/demo runs it in full, with Prometheus.
            assert words[2:] == ["--duration", "90"]
        else:
            subprocess.run([MODELMETER, *words[1:]], check=True, capture_output=True)
    for written in ("deploy/prometheus.yml", "scored.parquet", "report.html"):
        assert (folder / written).is_file()


def serve_and_predict(words):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen([MODELMETER, *words[1:], "--port", str(port)])
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/ready").raise_for_status()
                break
            except httpx2.HTTPError:
                assert time.monotonic() < deadline, "the service did not get ready"
                assert process.poll() is None
                time.sleep(0.1)
        row = {"temp": 41.0, "origin": "JFK"}
        answer = httpx2.post(f"http://127.0.0.1:{port}/predict", json=row)
        assert answer.json()["predictions"][0]["y_pred"] in (0, 1)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_make_commands_exist():
    """Every make target that a document names is in the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    named = {c.split()[1] for path in DOCUMENTS for c in commands(path) if c.startswith("make ")}
    assert {"demo", "test"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_other_commands_are_known():
    """No document names a command that no test knows how to check."""
    for path in DOCUMENTS:
        for command in commands(path):
            assert command.split()[0] in {"make", "modelmeter"}, f"{path}: {command}"


def test_links_lead_somewhere():
    """Every relative link of a document leads to a file."""
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_extras_that_the_documents_name_exist():
    """Every `modelmeter[extra]` in documents and messages is an extra of the package."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = set(extras["optional-dependencies"])
    for path in [*DOCUMENTS, *(ROOT / "src").rglob("*.py")]:
        for named in re.findall(r"modelmeter\[([a-z,]+)\]", path.read_text()):
            assert set(named.split(",")) <= known, path


def test_deploy_commands_run(folder):
    """What docs/deploy.md says to generate is generated."""
    found = commands(ROOT / "docs" / "deploy.md")
    assert len(found) == 5
    for command in found:
        words = shlex.split(command)
        assert words[1] in {"profile", "generate"}
        subprocess.run([MODELMETER, *words[1:]], check=True, capture_output=True)
    assert (folder / "deploy" / "compose.yml").is_file()
    assert (folder / "deploy" / "kubernetes" / "kustomization.yaml").is_file()


def test_batch_commands_run(folder):
    """What docs/batch.md says to score is scored."""
    found = commands(ROOT / "docs" / "batch.md")
    assert [shlex.split(command)[1] for command in found] == ["profile", "score"]
    for command in found:
        subprocess.run([MODELMETER, *shlex.split(command)[1:]], check=True, capture_output=True)
    assert len(pd.read_parquet(folder / "scored.parquet")) == ROWS
