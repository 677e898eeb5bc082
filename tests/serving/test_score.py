"""A file that is scored: what is written, what is counted, and what is left when it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from typer.testing import CliRunner

import modelmeter as mm
from modelmeter import names
from modelmeter._errors import ConfigurationError, DataError, ModelError
from modelmeter.cli import app, main
from modelmeter.live.counts import merged
from modelmeter.profile import files
from modelmeter.serving.backfill import backfill
from modelmeter.serving.score import Columns, score
from real.prometheus import free_port
from real.pushgateway import Pushgateway
from real.web import until

OURS = ["prediction_id", "y_pred", "y_score"]


@pytest.fixture
def monitor(profile):
    return mm.Monitor(profile, store=None)


@pytest.fixture
def rows(flights):
    """Rows as a warehouse has them: a key, a note, a day, and the features in another order."""
    extra = {
        "key": [f"{i:05d}" for i in range(len(flights))],
        "note": ["NA", "", 'say "hi", \n twice', "1.10"] * (len(flights) // 4),
        "day": pd.date_range("2026-01-01", periods=len(flights), freq="h"),
    }
    return pd.DataFrame(extra).join(flights[["origin", "weekend", "hour", "temp"]])


@pytest.fixture
def data(rows, tmp_path):
    rows.to_parquet(tmp_path / "in.parquet")
    rows.to_csv(tmp_path / "in.csv", index=False)
    rows.to_csv(tmp_path / "in.csv.gz", index=False)
    return tmp_path


def read(path):
    """Return a file's columns; those of a CSV file as the texts that they are."""
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path)
    names_there = pyarrow.csv.open_csv(path).schema.names
    texts = dict.fromkeys(names_there, pyarrow.string())
    multi_line = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return pyarrow.csv.read_csv(
        path,
        parse_options=multi_line,
        convert_options=pyarrow.csv.ConvertOptions(column_types=texts, strings_can_be_null=False),
    )


def counts(monitor, metric):
    (family,) = (one for one in merged([monitor.counts]) if one.metric is metric)
    return dict(zip(family.rows, family.values.tolist(), strict=True))


def test_every_row_is_written_with_its_answer(data, rows, flights, model, monitor):
    """Parquet keeps its columns and types; ids are unique, and answers are the model's own."""
    seen = []
    scored = score(
        model,
        monitor,
        data / "in.parquet",
        data / "out.parquet",
        batch_rows=300,
        on_rows=seen.append,
    )
    assert seen == [*range(300, 2000, 300), 2000]
    assert scored.rows == 2000
    before, table = read(data / "in.parquet"), read(data / "out.parquet")
    assert table.column_names == [*before.column_names, *OURS]
    assert table.select(before.column_names).replace_schema_metadata() == (
        before.replace_schema_metadata()
    )
    assert len(set(table["prediction_id"].to_pylist())) == 2000
    np.testing.assert_array_equal(table["y_pred"].to_numpy(), model.predict(flights))
    np.testing.assert_array_equal(table["y_score"].to_numpy(), model.predict_proba(flights)[:, 1])


def test_what_is_counted_is_what_one_call_counts(data, flights, model, profile):
    """Batch by batch, from either kind of file, the bins hold what they would hold at once."""
    whole = mm.Monitor(profile, store=None)
    whole.observe(flights, model.predict(flights), model.predict_proba(flights))
    expected = counts(whole, names.FEATURE_BIN)
    assert sum(expected.values()) == 6 * 2000
    for file in ("in.parquet", "in.csv"):
        monitor = mm.Monitor(profile, store=None)
        score(model, monitor, data / file, data / "out.parquet", batch_rows=300)
        assert counts(monitor, names.FEATURE_BIN) == expected
        assert counts(monitor, names.PREDICTIONS)["flights", "3", "ok"] == 2000


@pytest.mark.parametrize("file", ["in.csv", "in.csv.gz"])
@pytest.mark.parametrize("out", ["out.csv", "out.csv.gz"])
def test_texts_of_a_csv_file_stay_as_they_are(data, rows, flights, model, monitor, file, out):
    """Leading zeros, NA, quotes, line breaks and 1.10 come out as they went in."""
    plain = rows.assign(note=rows["note"].replace({'say "hi", \n twice': 'say "hi", twice'}))
    plain.to_csv(data / file, index=False)
    score(model, monitor, data / file, data / out)
    before, table = read(data / file), read(data / out)
    assert table.column_names == [*before.column_names, *OURS]
    assert table.select(before.column_names) == before
    assert table["key"][7].as_py() == "00007"
    assert table["note"].to_pylist()[:2] == ["NA", ""]
    written = [float(one) for one in table["y_score"].to_pylist()]
    np.testing.assert_allclose(written, model.predict_proba(flights)[:, 1], rtol=1e-12)


def test_a_csv_file_becomes_parquet_with_types(data, model, monitor):
    """Features have the types that the model was given, all else is text."""
    score(model, monitor, data / "in.csv", data / "out.parquet", batch_rows=300)
    table = read(data / "out.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types["temp"] == "double"
    assert types["hour"] == "int64"
    assert types["key"] == types["day"] == "string"
    assert table["key"][7].as_py() == "00007"
    assert table["note"].to_pylist()[:2] == ["NA", None]
    score(model, monitor, data / "out.parquet", data / "back.csv", columns=Columns(keep=["key"]))
    assert read(data / "back.csv")["key"].to_pylist() == table["key"].to_pylist()


def test_columns_of_more_than_two_classes_and_of_none(tmp_path):
    """With three classes each has its score; a regression and a callable have none."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({"a": random.normal(size=300), "b": random.normal(size=300)})
    X.to_parquet(tmp_path / "in.parquet")
    y = np.select([X["a"] > 0.5, X["a"] > -0.5], ["high", "middle"], "low")
    three = LogisticRegression().fit(X, y)

    def scored(model, truth):
        profile = mm.Profile.build(model, X, truth, name="m", version="1")
        monitor = mm.Monitor(profile, store=None)
        columns = Columns(keep=[])
        score(model, monitor, tmp_path / "in.parquet", tmp_path / "out.parquet", columns=columns)
        return read(tmp_path / "out.parquet").to_pandas()

    table = scored(three, y)
    each = ["y_score_high", "y_score_low", "y_score_middle"]
    assert list(table) == [*OURS, *each]
    np.testing.assert_array_equal(table[each].to_numpy(), three.predict_proba(X))
    assert table["y_pred"].tolist() == three.predict(X).tolist()
    assert table["y_score"].tolist() == three.predict_proba(X).max(axis=1).tolist()
    number = LinearRegression().fit(X, X["a"])
    assert list(scored(number, X["a"])) == OURS[:2]
    table = scored(lambda X: 2 * X["b"], 2 * X["b"])
    assert table["y_pred"].tolist() == (2 * X["b"]).tolist()


def test_true_values_say_how_good_the_batch_is(data, rows, flights, late, model, monitor):
    """With a target the confusion matrix is that of numpy; rows without a truth do not count."""
    truth = late.astype("Int64").where(np.arange(len(late)) % 5 > 0)
    rows.assign(late=truth).to_csv(data / "known.csv", index=False)
    columns = Columns(target="late")
    found = score(model, monitor, data / "known.csv", data / "out.csv", columns=columns)
    known = np.arange(len(late)) % 5 > 0
    table = np.zeros((2, 2))
    np.add.at(table, (late[known], model.predict(flights)[known]), 1)
    np.testing.assert_array_equal(found.labelled.confusion[""], table)
    assert found.observed.labelled is found.labelled


def test_predictions_wait_for_their_labels(data, rows, late, model, profile):
    """With a store every row is remembered under its id, those of the data where it has any."""
    store = data / "labels.db"
    for columns, ids in ((Columns(), "prediction_id"), (Columns(id="key"), "key")):
        monitor = mm.Monitor(profile, store=store)
        found = score(
            model,
            monitor,
            data / "in.csv",
            data / "out.parquet",
            columns=columns,
            batch_rows=300,
        )
        assert monitor.close()
        assert found.not_kept == {}
        table = read(data / "out.parquet").to_pandas()
        assert (table["prediction_id"] == table[ids]).all()
        labels = pd.DataFrame({"prediction_id": table[ids], "y_true": late})
        labels.to_parquet(data / "labels.parquet")
        *_, progress = backfill(data / "labels.parquet", profile, store=store)
        assert progress.outcomes == {"counted": 2000}


def test_a_batch_that_is_scored_again_is_told(data, model, profile):
    """Ids that the store knows already keep their first prediction, and that is said."""
    for expected in ({}, {"repeated": 2000}):
        monitor = mm.Monitor(profile, store=data / "labels.db")
        columns = Columns(id="key")
        found = score(model, monitor, data / "in.parquet", data / "out.parquet", columns=columns)
        monitor.close()
        assert found.not_kept == expected


@pytest.mark.parametrize(
    ("file", "out", "columns", "error", "message"),
    [
        ("no.parquet", "out.csv", {}, DataError, "there is no file"),
        ("in.txt", "out.csv", {}, DataError, "is no .parquet, .csv"),
        ("in.csv", "out.json", {}, ConfigurationError, "out.json' is no .parquet, .csv"),
        ("in.csv", "no/out.csv", {}, ConfigurationError, "cannot write"),
        ("in.csv", ".", {}, ConfigurationError, "is no .parquet"),
        ("in.csv", "in.csv", {}, ConfigurationError, "cannot be the output"),
        ("in.csv", "out.csv", {"keep": ["x"]}, DataError, "keep: the input has no column 'x'"),
        ("in.csv", "out.csv", {"id": "x"}, DataError, "id: the input has no column 'x'"),
        ("in.csv", "out.csv", {"target": "x"}, DataError, "target: the input has no column 'x'"),
        ("in.csv", "out.csv", {"id": "note"}, DataError, "'note' has no id in row 1 "),
        ("in.csv", "out.csv", {"target": "note"}, DataError, "the target holds 'hi'"),
        ("lacks.csv", "out.csv", {}, DataError, r"lacks the model's columns \['temp'\]"),
        ("clash.csv", "out.csv", {}, DataError, r"has columns \['y_score'\]"),
        ("empty.csv", "out.csv", {}, DataError, "has no rows"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    data, rows, model, monitor, file, out, columns, error, message
):
    """What is wrong is said, the output is not made, and nothing is left beside it."""
    (data / "in.txt").write_text("a")
    small = rows.head(20).replace({'say "hi", \n twice': "hi"})
    small.to_csv(data / "in.csv", index=False)
    small.drop(columns="temp").to_csv(data / "lacks.csv", index=False)
    small.assign(y_score=1).to_csv(data / "clash.csv", index=False)
    small.head(0).to_csv(data / "empty.csv", index=False)
    there = set(data.iterdir())
    with pytest.raises(error, match=message):
        score(model, monitor, data / file, data / out, columns=Columns(**columns))
    assert set(data.iterdir()) == there


def test_types_that_a_csv_file_cannot_hold_are_refused(data, rows, model, monitor):
    """A list in a column fits into Parquet, and is an error that names the CSV file."""
    many = rows.head(20).assign(many=[[1, 2]] * 20)
    many.to_parquet(data / "many.parquet")
    score(model, monitor, data / "many.parquet", data / "out.parquet")
    assert read(data / "out.parquet")["many"][3].as_py() == [1, 2]
    with pytest.raises(DataError, match=r"out\.csv' cannot hold these columns"):
        score(model, monitor, data / "many.parquet", data / "out.csv")
    assert not (data / "out.csv").exists()


class Tiring:
    """A model that fails from its third batch on."""

    def __init__(self, model):
        self.model, self.calls = model, 0

    def predict(self, X):
        self.calls += 1
        if self.calls > 2:
            raise RuntimeError("tired")
        return self.model.predict(X)

    def predict_proba(self, X):
        return self.model.predict_proba(X)


def test_a_model_that_fails_leaves_what_was_there(data, model, monitor):
    """An error names the rows; the output of the last time stays, and no half file is left."""
    (data / "out.parquet").write_bytes(b"yesterday")
    there = set(data.iterdir())
    with pytest.raises(ModelError, match="failed on rows 600 to 899 of the data: tired"):
        score(Tiring(model), monitor, data / "in.parquet", data / "out.parquet", batch_rows=300)
    assert (data / "out.parquet").read_bytes() == b"yesterday"
    assert set(data.iterdir()) == there
    ok, error = (counts(monitor, names.PREDICTIONS)["flights", "3", one] for one in ("ok", "error"))
    assert (ok, error) == (600, 300)


def test_others_may_read_the_output(data, model, monitor):
    """The file has the rights that any new file has."""
    score(model, monitor, data / "in.parquet", data / "out.parquet")
    (data / "any").touch()
    assert (data / "out.parquet").stat().st_mode == (data / "any").stat().st_mode


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_large_file_needs_little_memory(tmp_path, monkeypatch, kind):
    """A file of some million cells takes no more memory than one of a third of its size."""
    # Arrow reads 32 blocks ahead: the smaller file must have more of them.
    monkeypatch.setattr(files, "_CSV_BLOCK", 1 << 17)
    random = np.random.default_rng(0)
    part = pd.DataFrame(random.normal(size=(65_536, 6)), columns=[f"x{i}" for i in range(6)])
    table = pyarrow.Table.from_pandas(part)
    path = tmp_path / f"large.{kind}"
    writer = pyarrow.parquet.ParquetWriter if kind == "parquet" else pyarrow.csv.CSVWriter

    def double(X):
        return 2 * X["x0"]

    profile = mm.Profile.build(double, part, name="large", version="1")
    peaks = []
    for parts in (2, 6):
        with writer(path, table.schema) as opened:
            for _ in range(parts):
                opened.write_table(table)
        held = [0]
        tracemalloc.start()
        score(
            double,
            mm.Monitor(profile, store=None),
            path,
            tmp_path / "out.parquet",
            on_rows=lambda _, held=held: held.append(pyarrow.total_allocated_bytes()),
        )
        peaks.append(tracemalloc.get_traced_memory()[1] + max(held))
        tracemalloc.stop()
        rows = pyarrow.parquet.read_metadata(tmp_path / "out.parquet").num_rows
        assert rows == parts * 65_536
    assert peaks[1] < 1.3 * peaks[0]


@pytest.fixture
def job(data, model, profile, monkeypatch):
    """A folder with everything that the command line needs."""
    joblib.dump(model, data / "model.joblib")
    profile.save(data / "flights.profile.json")
    monkeypatch.chdir(data)
    return ["score", "model.joblib", "--profile", "flights.profile.json"]


def test_the_command_line_scores_and_pushes(job, data, rows, late, profile):
    """The gateway shows the batch's bins, rows and labels; people are told what has changed."""
    rows.assign(late=late, hour=rows["hour"] + 30).to_parquet(data / "in.parquet")
    with Pushgateway() as gateway:
        where = ["--data", "in.parquet", "--out", "out.csv", "--target", "late"]
        push = ["--pushgateway", gateway.url, "--job", "nightly", "--push-label", "region=eu"]
        done = CliRunner().invoke(app, [*job, *where, *push])
        assert done.exit_code == 0, done.output
        group = {"job": "nightly", "region": "eu", "model": "flights", "version": "3"}
        assert gateway.value(names.BATCH_ROWS.name, **group) == 2000
        hour = gateway.shown(names.BATCH_FEATURE_ROWS.name, feature="hour", kind="above", **group)
        assert [one.value for one in hour] == [2000]
        confusion = gateway.shown(names.BATCH_CONFUSION_ROWS.name, segment="", **group)
        assert sum(one.value for one in confusion) == 2000
    assert "2,000 rows in" in done.output
    assert "hour" in done.output
    assert "accuracy" in done.output
    assert len(read(data / "out.csv")) == 2000


def test_a_gateway_that_is_down_loses_no_scores(job, data, monkeypatch, capsys):
    """Everything is scored and written first; then a line and the exit status say the rest."""
    where = ["--data", "in.parquet", "--out", "out.parquet"]
    push = ["--pushgateway", f"127.0.0.1:{free_port()}", "--push-patience", "0"]
    monkeypatch.setattr(sys, "argv", ["modelmeter", *job, *where, *push])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "error: out.parquet is complete, but the Pushgateway" in capsys.readouterr().err
    assert pyarrow.parquet.read_metadata(data / "out.parquet").num_rows == 2000


def test_a_batch_that_fails_is_told(job, data, rows):
    """The gateway goes on to show the last good batch, and when one failed."""
    rows.drop(columns="temp").to_parquet(data / "bad.parquet")
    (data / "token").write_text("secret\n")
    with Pushgateway() as gateway:
        push = ["--out", "out.parquet", "--pushgateway", gateway.url, "--push-token-file", "token"]
        done = CliRunner().invoke(app, [*job, "--data", "in.parquet", *push])
        assert done.exit_code == 0, done.output
        failure = names.BATCH_LAST_FAILURE.name
        assert gateway.value(failure) == 0
        done = CliRunner().invoke(app, [*job, "--data", "bad.parquet", *push])
        assert isinstance(done.exception, DataError)
        assert gateway.value(failure) > gateway.value(names.BATCH_LAST_SUCCESS.name)
        assert gateway.value(names.BATCH_ROWS.name) == 2000
        done = CliRunner().invoke(app, ["score", "no.joblib", *job[2:], "--data", "in.csv", *push])
        assert isinstance(done.exception, ModelError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--push-user", "a"], "give --push-user and --push-password-file together"),
        (["--push-label", "a"], "--push-label is name=value"),
        (["--push-label", "bin=a"], "'bin'"),
        (["--batch-rows", "0"], "batch_rows must be 1 to 65536, not 0"),
        (["--push-token-file", "no"], "'no' cannot be read"),
    ],
)
def test_options_that_cannot_work_are_refused(job, data, monkeypatch, capsys, options, message):
    """What is wrong is said before anything is scored, with exit status 2."""
    where = ["--data", "in.parquet", "--out", "out.parquet", "--pushgateway", "localhost:1"]
    monkeypatch.setattr(sys, "argv", ["modelmeter", *job, *where, *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (data / "out.parquet").exists()


SLOW = """
import threading
from pathlib import Path

calls = []

def predict(X):
    calls.append(len(X))
    if len(calls) == 3:
        Path("reached").touch()
        threading.Event().wait(60)
    return [1.0] * len(X)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_job_that_is_ended_leaves_no_half_file(data, flights, monkeypatch, how):
    """Ended by a scheduler it leaves nothing; killed, a hidden file, never the output's name."""
    monkeypatch.chdir(data)
    (data / "slow.py").write_text(SLOW)
    profile = mm.Profile.build(lambda X: np.ones(len(X)) * 1.5, flights, name="slow", version="1")
    profile.save(data / "slow.json")
    there = {one.name for one in data.iterdir()}
    command = [Path(sys.executable).parent / "modelmeter", "score", "slow:predict"]
    where = ["--profile", "slow.json", "--data", "in.parquet", "--out", "out.parquet"]
    where += ["--batch-rows", "300"]
    job = subprocess.Popen([*command, *where], env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        until(lambda: (data / "reached").exists() or job.poll() is not None)
        assert job.poll() is None
        job.send_signal(how)
        status = job.wait(20)
    finally:
        job.kill()
        job.wait()
    assert status == {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[how]
    left = {one.name for one in data.iterdir()} - there - {"reached"}
    if how is signal.SIGKILL:
        (name,) = left
        assert name.startswith(".out.parquet.")
    else:
        assert left == set()
