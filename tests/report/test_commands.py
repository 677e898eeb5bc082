"""The commands report, check and top, on files and on a service that runs."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pandas as pd
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

import modelmeter as mm
from modelmeter.cli import app
from modelmeter.live.exposition import Exposition
from modelmeter.live.observer import Observer
from real.replica import Replica
from real.web import served
from report import example
from report.schema import check_schema
from report.test_check import check_junit

MODELMETER = Path(sys.executable).parent / "modelmeter"


@pytest.fixture(scope="module")
def folder(profile, tmp_path_factory):
    """A folder with a profile, and good, bad and few rows."""
    path = tmp_path_factory.mktemp("files")
    profile.save(path / "p.json")
    model = example.Late()
    for name, n, shift in (("good", 6_000, 0), ("bad", 6_000, 9), ("few", 20, 0)):
        X, y = example.flights(n, seed=21, shift=shift)
        X["y_pred"], X["y_score"] = model.predict(X), model.predict_proba(X)[:, 1]
        X.assign(late=y).to_parquet(path / f"{name}.parquet")
    pd.DataFrame({"other": [1.0, 2.0]}).to_csv(path / "wrong.csv", index=False)
    return path


def run(*arguments):
    """Run a command in this process; what goes wrong is raised."""
    return CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)


def files(folder, data, *more):
    return ["--profile", folder / "p.json", "--data", folder / data, *more]


@pytest.mark.parametrize(
    ("data", "more", "code", "said"),
    [
        ("good.parquet", ["--target", "late"], 0, "passed"),
        ("bad.parquet", [], 1, "- drift: temp drifted"),
        ("bad.parquet", ["--fail-on", "missing,unseen"], 0, "passed"),
        ("few.parquet", [], 2, "cannot tell drift of flight-delay/7 from 20 rows"),
        ("good.parquet", ["--fail-on", "performance"], 2, "no answer of the model has a true"),
        (
            "few.parquet",
            ["--target", "late", "--fail-on", "performance"],
            2,
            "20 true values are too few to see every loss that matters",
        ),
    ],
)
def test_check_exits_as_ci_needs_it(folder, data, more, code, said):
    """0 fine, 1 something is wrong, 2 it cannot be told; the table says what."""
    done = run("check", *files(folder, data, *more))
    assert done.exit_code == code, done.output
    assert said in done.output
    assert "temp" in done.output


def test_check_of_wrong_columns_is_2(folder):
    """Another table altogether, or a misspelt check, is neither fine nor drift."""
    for arguments, said in (
        (files(folder, "wrong.csv"), "none of the profile's 5 features"),
        (files(folder, "good.parquet", "--fail-on", "drifts"), "fail_on names checks"),
        (files(folder, "good.parquet", "--target", "no"), "no column 'no'"),
    ):
        command = [str(MODELMETER), "check", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert said in re.sub(r"\s+", " ", done.stderr)


def test_check_speaks_to_machines(folder):
    """JSON, JUnit and GitHub's annotations are all that is printed, for a program to read."""
    document = json.loads(run("check", *files(folder, "bad.parquet", "--format", "json")).stdout)
    assert document["exit_code"] == 1
    check_schema(document["findings"])
    cases = check_junit(run("check", *files(folder, "bad.parquet", "--format", "junit")).stdout)
    assert cases["modelmeter.drift", "temp"] == ["failure"]
    done = run("check", *files(folder, "bad.parquet", "--format", "github"))
    assert done.stdout.startswith("::error title=modelmeter")
    assert done.exit_code == 1


def test_report_writes_what_the_file_name_says(folder, tmp_path):
    """By the ending of the file, JSON or Markdown; the verdict is told beside."""
    done = run("report", *files(folder, "bad.parquet", "-o", tmp_path / "r.json"))
    assert "1 of 5 features drifted" in done.stderr.replace("\n", " ")
    check_schema(json.loads((tmp_path / "r.json").read_text()))
    run("report", *files(folder, "bad.parquet", "-o", tmp_path / "r.md"))
    assert (tmp_path / "r.md").read_text().startswith("# flight-delay 7\n")
    done = run("report", *files(folder, "good.parquet", "--format", "markdown"))
    assert done.stdout.startswith("# flight-delay 7\n")


def test_report_compares_two_files_without_a_model(folder):
    """Any two files of like columns are compared, without profile and model."""
    two = ["--reference", folder / "good.parquet", "--data", folder / "bad.parquet"]
    found = json.loads(run("report", *two, "--format", "json").stdout)
    check_schema(found)
    assert found["model"]["name"] == "good.parquet"
    assert "temp" in {p["feature"] for p in found["problems"] if p["check"] == "drift"}
    same = ["--reference", folder / "good.parquet", "--data", folder / "good.parquet"]
    assert json.loads(run("report", *same, "--format", "json").stdout)["problems"] == []


def test_a_file_without_answers_is_said_to_have_none(folder, tmp_path):
    """Where there are no answers to compare, more rows would not help."""
    rows = pd.read_parquet(folder / "good.parquet").drop(columns=["y_pred", "y_score"])
    rows.to_parquet(tmp_path / "rows.parquet")
    arguments = ["--profile", folder / "p.json", "--data", tmp_path / "rows.parquet"]
    done = run("check", *arguments, "--fail-on", "prediction")
    assert done.exit_code == 2
    assert "no row has an answer of the model" in done.output
    assert "no answers" in done.output
    assert "too few rows" not in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "a.csv", "-o", "a.txt"], "--out ends in '.txt', not .html, .htm, .json"),
        ([], "give one of --data, --url and --prometheus, not none"),
        (["--data", "a", "--url", "http://b"], "not --data and --url"),
        (["--data", "a.csv"], "give the model's --profile"),
        (["--data", "a.csv", "--profile", "p", "--reference", "r"], "--profile or --reference"),
    ],
)
def test_report_of_nothing_or_two_things_is_refused(arguments, message):
    """One source at a time, and something to compare it with."""
    with pytest.raises(mm.ConfigurationError, match=message):
        run("report", *arguments)


@pytest.fixture(scope="module")
def service(profile):
    """A real application with a watched model, asked some hundred times."""
    monitor = mm.Monitor(profile, store=None)
    model = monitor.watch(example.Late())
    app_ = FastAPI()
    monitor.instrument(app_, token="secret", registry=None)

    @app_.get("/predict")
    def predict() -> int:
        X, _ = example.flights(500, seed=5, shift=9)
        return len(model.predict_proba(X))

    with served(app_) as port:
        import httpx2

        for _ in range(4):
            assert httpx2.get(f"http://127.0.0.1:{port}/predict").json() == 500
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def token(tmp_path):
    """A file with the token that the service asks for."""
    (tmp_path / "token").write_text("secret\n")
    return ["--token-file", tmp_path / "token"]


def test_top_prints_a_real_service_once(service, folder, token):
    """Features, the verdict and golden signals of a service that runs, with and without profile."""
    for more in ([], ["--profile", folder / "p.json"]):
        done = run("top", service, "--once", *token, *more)
        assert done.exit_code == 0
        text = done.stdout.replace("\n", " ")
        assert "flight-delay 7  2,000 rows, since start" in text
        assert "1 of 5 features drifted" in text
        assert "requests/s" in text
        assert re.search(r"temp +drift", text)
        assert ("estimated" in text) == bool(more)


def test_top_without_the_token_is_one_line(service):
    """A service that asks for a token says so."""
    with pytest.raises(mm.SourceUnavailableError, match="answers 401: give the token"):
        run("top", service, "--once")


@pytest.fixture
def terminal(profile):
    """A terminal in which `top` watches a service, and the service."""
    observer = Observer(profile)
    observer.observe(example.flights(900, seed=5, shift=9)[0])
    replica = Replica(Exposition([observer.counts]).render)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    command = [str(MODELMETER), "top", f"http://{replica.target}", "--every", "0.2"]
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    try:
        yield ours, process, replica
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        replica.stop()


def read_until(terminal, words, seconds=30):
    """Read what a terminal shows until the words are there."""
    shown, deadline = "", time.monotonic() + seconds
    while words not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65_536).decode("utf-8", "replace")
    return shown


@pytest.mark.parametrize("key", ["q", "Ctrl-C"])
def test_top_watches_until_a_key_ends_it(terminal, key):
    """It goes on while the service is away, and q or Ctrl-C ends it quietly."""
    ours, process, replica = terminal
    read_until(ours, "1 of 5 features drifted")
    replica.stop()
    read_until(ours, "does not answer")
    if key == "q":
        os.write(ours, b"q")
    else:
        process.send_signal(signal.SIGINT)
    shown = read_until(ours, "\x1b[?1049l")  # back to the screen before
    assert "Traceback" not in shown
    assert process.wait(30) == 0


def test_report_of_a_service(service, token, folder):
    """A service is reported by its URL, alone or with the model's profile."""
    for more in ([], ["--profile", folder / "p.json"]):
        done = run("report", "--url", service, "--format", "json", *token, *more)
        found = json.loads(done.stdout)
        check_schema(found)
        assert found["source"]["kind"] == "url"
        assert found["rows"] == 2_000
        assert found["signals"]["requests"] == 4
