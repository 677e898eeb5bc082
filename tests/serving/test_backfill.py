"""Labels from files: every kind of column, in batches, each counted once."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import modelmeter as mm
from modelmeter import names
from modelmeter.live.labels import OutcomeKind, Prediction
from modelmeter.serving import backfill as module
from modelmeter.serving.backfill import MEANINGS, Columns, backfill

STORE = "flights.labels.db"


@pytest.fixture
def ids(profile):
    """Ids of 300 predictions that wait in the store in the working directory."""
    return predicted(profile, [f"{i:04}" for i in range(300)])


def predicted(profile, ids, y_pred=1, store=STORE):
    monitor = mm.Monitor(profile, store=store)
    with monitor.identified(ids):
        monitor.observe(None, y_pred=[y_pred] * len(ids))
    assert monitor.close()
    return ids


def run(path, profile, **options):
    """Count the labels in a file, and return the end of the progress."""
    *_, last = backfill(path, profile, **options)
    return last


def totals(profile, metric, store=STORE):
    monitor = mm.Monitor(profile, store=store)
    try:
        [family] = [family for family in monitor.label_families() if family.metric is metric]
        return dict(zip((row[3:] for row in family.rows), family.values.tolist(), strict=True))
    finally:
        monitor.close()


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz"])
def test_labels_of_a_file_are_counted_once(profile, ids, tmp_path, kind):
    """Each label in a file counts, and the same file again counts nothing."""
    frame = pd.DataFrame({"prediction_id": ids, "y_true": [0, 1, 1] * 100, "note": "x"})
    path = tmp_path / f"labels.{kind}"
    frame.to_parquet(path) if kind == "parquet" else frame.to_csv(path, index=False)
    last = run(path, profile)
    assert (last.rows, last.outcomes, last.examples) == (300, {"counted": 300}, [])
    assert run(path, profile).outcomes == {"duplicate": 300}
    confusion = totals(profile, names.CONFUSION)
    assert {key: n for key, n in confusion.items() if n} == {
        ("", "0", "1"): 100,
        ("", "1", "1"): 200,
    }


def test_progress_is_told_batch_by_batch(profile, ids, tmp_path, monkeypatch):
    """A file is read in batches, and after each there is something to show."""
    monkeypatch.setattr(module, "BATCH", 100)
    frame = pd.DataFrame({"prediction_id": ids, "y_true": 1})
    frame.to_parquet(tmp_path / "labels.parquet")
    steps = [
        (step.rows, step.total, step.outcomes["counted"])
        for step in backfill(tmp_path / "labels.parquet", profile)
    ]
    assert steps == [(0, 300, 0), (100, 300, 100), (200, 300, 200), (300, 300, 300)]
    frame.to_csv(tmp_path / "labels.csv", index=False)
    steps = [(step.rows, step.total) for step in backfill(tmp_path / "labels.csv", profile)]
    assert steps == [(0, None), (100, None), (200, None), (300, None)]


def test_an_empty_file_is_no_error(profile, ids, tmp_path):
    """A file with no rows counts nothing."""
    frame = pd.DataFrame({"prediction_id": ids, "y_true": 1})[:0]
    frame.to_parquet(tmp_path / "labels.parquet")
    frame.to_csv(tmp_path / "labels.csv", index=False)
    assert run(tmp_path / "labels.parquet", profile).rows == 0
    assert run(tmp_path / "labels.csv", profile).rows == 0


def test_rows_that_do_not_count_are_told(profile, ids, tmp_path):
    """Rows without truth are passed over; of the others that fail the first five are named."""
    frame = pd.DataFrame({"prediction_id": [*ids[:8], "nobody"], "y_true": [1.0] * 9})
    frame.loc[0, "y_true"] = None
    frame.loc[1:6, "y_true"] = 7.0
    frame.to_parquet(tmp_path / "labels.parquet")
    frame.to_csv(tmp_path / "labels.csv", index=False)
    last = run(tmp_path / "labels.parquet", profile)
    assert (last.rows, last.empty) == (9, 1)
    assert last.outcomes == {"invalid": 6, "counted": 1, "waiting": 1}
    assert last.examples == [
        (row, "y_true is one of the classes '0', '1', not 7") for row in range(2, 7)
    ]
    assert run(tmp_path / "labels.csv", profile).outcomes == {
        **{"invalid": 6, "duplicate": 1, "waiting": 1}
    }


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("classes", "written"),
    [
        ([False, True], [False, True]),
        ([0, 1], [0.0, 1.0]),
        (["1", "2"], ["1", "2"]),
        (["no", "yes"], ["no", "yes"]),
        ([0.5, 1.5], [0.5, 1.5]),
    ],
)
def test_classes_of_any_type(tmp_path, kind, classes, written):
    """Truths are the model's classes as either file writes them."""
    X = pd.DataFrame({"a": np.arange(40.0)})
    y = np.array(classes)[(X["a"] > 20).astype(int)]
    if classes[0] == 0.5:
        y = y.astype(object).astype(str)
        classes = written = ["0.5", "1.5"]
    model = LogisticRegression().fit(X, y)
    profile = mm.Profile.build(model, X, name="any", version="1")
    predicted(profile, ["a", "b"], y_pred=model.classes_[1], store="any.labels.db")
    frame = pd.DataFrame({"prediction_id": ["a", "b"], "y_true": written})
    path = tmp_path / f"labels.{kind}"
    frame.to_parquet(path) if kind == "parquet" else frame.to_csv(path, index=False)
    last = run(path, profile)
    assert last.outcomes == {"counted": 2}, last.examples


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_numbers(tmp_path, kind):
    """The truths of a regression are numbers, whatever the first rows look like."""
    X = pd.DataFrame({"a": np.arange(40.0)})
    profile = mm.Profile.build(LinearRegression().fit(X, X["a"]), X, name="n", version="1")
    predicted(profile, ["a", "b", "c"], y_pred=3.0, store="n.labels.db")
    frame = pd.DataFrame({"prediction_id": list("abc"), "y_true": [1, 2.5, np.nan]})
    path = tmp_path / f"labels.{kind}"
    frame.to_parquet(path) if kind == "parquet" else frame.to_csv(path, index=False)
    last = run(path, profile)
    assert (last.outcomes, last.empty) == ({"counted": 2}, 1)


MOMENT = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([MOMENT.timestamp()]),
        pa.array([int(MOMENT.timestamp())]),
        pa.array([MOMENT], pa.timestamp("us", "UTC")),
        pa.array([int(MOMENT.timestamp()) * 10**9 + 1], pa.timestamp("ns")),
        pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("s")),
        pa.array(["2020-01-02T03:04:05Z"]),
        pa.array(["2020-01-02T05:04:05+02:00"]),
        pa.array(["2020-01-02 03:04:05"]),
        pa.array([MOMENT.date()], pa.date32()),
        pa.array([None], pa.timestamp("s")),
    ],
)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_times(profile, ids, tmp_path, column, kind):
    """Times are read from any column, in UTC where they have no zone; the lag shows them."""
    if kind == "csv" and pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us"), safe=False)
    table = pa.table({"prediction_id": ids[:1], "y_true": [1], "when": column})
    path = tmp_path / f"labels.{kind}"
    write = pyarrow.parquet.write_table if kind == "parquet" else pyarrow.csv.write_csv
    write(table, path)
    last = run(path, profile, columns=Columns(time="when"))
    assert last.outcomes == {"counted": 1}, last.examples


def test_the_column_called_time_is_used_by_itself(profile, ids, tmp_path):
    """A column of that name is the time of the label, without being named."""
    later = pd.Timestamp.now("UTC") + pd.Timedelta(hours=2)
    frame = pd.DataFrame({"prediction_id": ids[:1], "y_true": 1, "time": later})
    frame.to_parquet(tmp_path / "labels.parquet")
    run(tmp_path / "labels.parquet", profile)
    monitor = mm.Monitor(profile, store=STORE)
    [lag] = [f for f in monitor.label_families() if f.metric is names.LABEL_LAG]
    monitor.close()
    assert 7_100 < lag.values[0, -1] < 7_201


def test_other_column_names(profile, ids, tmp_path):
    """Columns can be called anything; one that is not there is named, with those that are."""
    frame = pd.DataFrame({"id": ids, "late": 1})
    frame.to_parquet(tmp_path / "labels.parquet")
    last = run(
        tmp_path / "labels.parquet", profile, columns=Columns(prediction_id="id", y_true="late")
    )
    assert last.outcomes == {"counted": 300}
    with pytest.raises(mm.ModelmeterError, match=r"no column 'y_true'; it has \['id', 'late'\]"):
        run(tmp_path / "labels.parquet", profile, columns=Columns(prediction_id="id"))
    with pytest.raises(mm.ModelmeterError, match="no column 'when'"):
        run(
            tmp_path / "labels.parquet",
            profile,
            columns=Columns(prediction_id="id", y_true="late", time="when"),
        )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("no.parquet", None, "there is no file"),
        ("labels.txt", b"a", r"is no .parquet, .csv or .csv.gz file"),
        ("labels.parquet", b"PAR1 not at all", "cannot be read"),
        ("labels.csv", b"", "cannot be read"),
        ("labels.csv", b"prediction_id,y_true\na,1\nb\n", "cannot be read"),
    ],
)
def test_files_that_cannot_be_read(profile, ids, tmp_path, name, content, words):
    """A file that is none is an error that says which and why."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(mm.ModelmeterError, match=words):
        run(tmp_path / name, profile)


@pytest.mark.parametrize("store", ["default", "no/labels.db", "sqlite:///no.db"])
def test_a_store_that_is_not_there_is_not_made(profile, tmp_path, store):
    """Labels for a service's predictions need its store: a new one would make all orphans."""
    pd.DataFrame({"prediction_id": ["a"], "y_true": [1]}).to_parquet(tmp_path / "l.parquet")
    with pytest.raises(mm.ConfigurationError, match="there is no label store"):
        run(tmp_path / "l.parquet", profile, store=store)
    assert not list(tmp_path.glob("**/*.db"))


def test_predictions_that_a_service_keeps_for_long_are_found(profile, tmp_path):
    """How long predictions wait is for the service to say, not for a backfill."""
    monitor = mm.Monitor(profile, store=STORE, retention_days=300)
    old = Prediction("old", time.time() - 200 * 86_400, "flights", "3", y_pred="1")
    monitor._feedback.store.remember([old])
    monitor.close()
    pd.DataFrame({"prediction_id": ["old"], "y_true": [1]}).to_parquet(tmp_path / "l.parquet")
    assert run(tmp_path / "l.parquet", profile).outcomes == {"counted": 1}


def test_every_outcome_has_a_meaning():
    """What is shown to people covers all that can come of a label."""
    assert list(MEANINGS) == list(map(str, OutcomeKind))
