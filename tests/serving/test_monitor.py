"""The monitor's label store: opened when it is needed, and labels from Python."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from fastapi import FastAPI
from sklearn.linear_model import LinearRegression, LogisticRegression

import modelmeter as mm
from modelmeter import names
from modelmeter._errors import StoreUnavailableError
from real.prometheus import free_port
from real.web import call, samples


def kinds(outcomes):
    """Return what became of labels, as text."""
    return [str(outcome.kind) for outcome in outcomes]


def totals(monitor, metric):
    """Return the totals that are not at zero, without model, version and store."""
    found = {}
    for family in monitor.label_families():
        if family.metric is metric:
            found = dict(zip((row[3:] for row in family.rows), family.values.tolist(), strict=True))
    return {row: value for row, value in found.items() if value}


def writing():
    return {thread for thread in threading.enumerate() if thread.name == "modelmeter-labels"}


@pytest.fixture
def monitor(profile, tmp_path):
    """A monitor with a store."""
    monitor = mm.Monitor(profile, store=tmp_path / "labels.db")
    yield monitor
    monitor.close()


def test_by_default_nothing_is_opened_until_it_is_needed(profile, tmp_path):
    """Making a monitor makes no file and no thread; the first label makes both."""
    before = writing()
    monitor = mm.Monitor(profile)
    monitor.observe({"hour": 7}, y_pred=[1])
    assert (list(tmp_path.iterdir()), writing(), monitor.store) == ([], before, None)
    assert monitor.prediction_ids() == []
    assert kinds(monitor.feedback(1, y_pred=0)) == ["counted"]
    assert (tmp_path / "flights.labels.db").is_file()
    assert monitor.store == f"sqlite:///{tmp_path}/flights.labels.db"
    assert len(writing() - before) == 1
    monitor.close()


def test_instrumenting_opens_the_default_store(profile, tmp_path):
    """From `instrument` on predictions are kept, before any label has come."""
    monitor = mm.Monitor(profile)
    monitor.instrument(FastAPI())
    assert (tmp_path / "flights.labels.db").is_file()
    monitor.observe({"hour": 7}, y_pred=[1])
    assert kinds(monitor.feedback(1, monitor.prediction_ids())) == ["counted"]
    monitor.close()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("late flights/NYC", "late-flights-NYC.labels.db"),
        ("../../etc/passwd", "etc-passwd.labels.db"),
        ("Flüge", "Flüge.labels.db"),
        ("...", "model.labels.db"),
        ("x" * 300, "x" * 60 + ".labels.db"),
    ],
)
def test_the_file_has_a_safe_name(name, file, tmp_path):
    """Whatever a model is called, its file is one in the working directory."""
    X = np.arange(20.0).reshape(-1, 1)
    monitor = mm.Monitor(mm.Profile.build(lambda X: X[:, 0], X, name=name, version="1"))
    assert monitor.open()
    monitor.close()
    assert file in {path.name for path in tmp_path.iterdir()}


def test_a_store_that_is_given_is_opened_at_once(profile, tmp_path):
    """A path, a Path and a URL open their file in the constructor."""
    for store in ("a.db", tmp_path / "b.db", "sqlite:///c.db"):
        mm.Monitor(profile, store=store).close()
    assert {path.name for path in tmp_path.glob("*.db")} == {"a.db", "b.db", "c.db"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"store": "mysql://host/labels"}, "not in mysql"),
        ({"store": "sqlite://"}, "must outlive the process"),
        ({"store": "/proc/nowhere/labels.db"}, "cannot make the folder"),
        ({"retention_days": 0}, "retention_days must be above 0"),
        ({"retention_days": float("nan")}, "retention_days must be above 0"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(profile, options, words):
    """A bad store or retention is an error where the monitor is made."""
    with pytest.raises(mm.ConfigurationError, match=words):
        mm.Monitor(profile, **options)


def test_a_store_that_does_not_answer_is_tried_again(profile, caplog):
    """A database that is away at the start stops nothing; labels are refused meanwhile."""
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/labels"
    monitor = mm.Monitor(profile, store=url)
    monitor.observe({"hour": 7}, y_pred=[1])
    assert len(monitor.prediction_ids()) == 1
    with pytest.raises(StoreUnavailableError):
        monitor.feedback(1, monitor.prediction_ids())
    assert monitor.label_families() == []
    assert not monitor.close(0.1)
    assert "it is tried again" in caplog.text


def test_without_a_folder_to_write_to_monitoring_goes_on(profile, tmp_path, caplog):
    """A default store that cannot be opened is one warning that says what to do."""
    monitor = mm.Monitor(profile)
    (tmp_path / "flights.labels.db").mkdir()  # root may write to a read-only folder
    app = FastAPI()
    for _ in range(2):
        monitor.instrument(app)
    [warning] = [record.getMessage() for record in caplog.records]
    assert "no labels are kept for flights/3" in warning
    assert "store=..." in warning
    monitor.observe({"hour": 7}, y_pred=[1])
    text = call(app, "/metrics").body
    assert samples(text, names.PREDICTIONS.name)["flights", "3", "ok"] == 1
    assert samples(text, names.LABELS.name) == {}
    assert call(app, "/feedback", "POST").status == 404
    with pytest.raises(mm.ConfigurationError, match="cannot keep labels in"):
        monitor.feedback(1, "a")


def test_a_model_that_does_not_predict_has_no_labels(flights, caplog):
    """A profile of features alone is monitored without labels; asking for a store is an error."""
    profile = mm.Profile.build(None, flights, name="rows", version="1")
    monitor = mm.Monitor(profile)
    monitor.instrument(FastAPI())
    assert "predicts neither classes nor numbers" in caplog.text
    with pytest.raises(mm.ConfigurationError, match="predicts neither"):
        mm.Monitor(profile, store="labels.db")


def test_without_sqlalchemy_monitoring_goes_on(profile, tmp_path):
    """Where SQLAlchemy is not installed there is one warning; a given store names the extra."""
    profile.save(tmp_path / "p.json")
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "import fastapi, modelmeter as mm\n"
        "profile = mm.Profile.load('p.json')\n"
        "mm.Monitor(profile).instrument(fastapi.FastAPI())\n"
        "try: mm.Monitor(profile, store='labels.db')\n"
        "except mm.MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "modelmeter[serve]" in done.stdout
    assert "no labels are kept for flights/3" in done.stderr
    assert not list(Path.cwd().glob("*.db"))


def test_without_a_store_no_labels_are_taken(profile, tmp_path):
    """store=None keeps nothing, and says so to whoever brings a label."""
    monitor = mm.Monitor(profile, store=None)
    monitor.instrument(FastAPI())
    monitor.observe({"hour": 7}, y_pred=[1])
    assert (monitor.prediction_ids(), monitor.open(), monitor.close()) == ([], False, True)
    with pytest.raises(mm.ConfigurationError, match="store=None"):
        monitor.feedback(1, "a")
    assert list(tmp_path.iterdir()) == []


def test_one_label_and_many(monitor, model, flights):
    """A scalar is one label; lists, arrays and series of any library are many, in order."""
    watched = monitor.watch(model)
    watched.predict(flights[:1])
    [id_] = monitor.prediction_ids()
    assert kinds(monitor.feedback(np.int64(1), id_)) == ["counted"]
    watched.predict(flights[:5])
    ids = monitor.prediction_ids()
    assert len(set(ids)) == 5
    truths = [1, 0, 1, 0, 1]
    assert kinds(monitor.feedback(truths, ids)) == ["counted"] * 5
    kept_as = (tuple, np.array, pd.Series, pl.Series, pa.array, lambda v: pa.chunked_array([v]))
    for make in kept_as:
        assert kinds(monitor.feedback(make(truths), make(ids))) == ["duplicate"] * 5
    # The id of the call stands for its rows.
    assert kinds(monitor.feedback(truths, ids[0].removesuffix("-0"))) == ["duplicate"] * 5
    assert monitor.feedback([], []) == []


def test_ids_can_be_given(monitor, model, flights):
    """Predictions in an `identified` block have the caller's ids, by row or by call."""
    watched = monitor.watch(model)
    with monitor.identified(["a", "b"]):
        watched.predict(flights[:2])
    assert monitor.prediction_ids() == ["a", "b"]
    with monitor.identified("call"):
        watched.predict(flights[:2])
    assert monitor.prediction_ids() == ["call-0", "call-1"]
    monitor.observe(flights[:1], y_pred=[1], prediction_id="mine")
    assert kinds(monitor.feedback([1, 0, 1], ["a", "call-1", "mine"])) == ["counted"] * 3


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (([1, 0], ["a"]), {}, "prediction_id has 1 values for 2"),
        ((1, ["a", "b"]), {}, "prediction_id has 2 values for 1"),
        (([1, 0],), {"y_pred": [1]}, "y_pred has 1 values for 2"),
        (([1, 0],), {"y_pred": 1}, "y_pred has 1 values for 2"),
        (([1, 0],), {"y_score": [0.5, 0.5, 0.5]}, "y_score has 3 values for 2"),
        (([1, 0], ["a", "b"]), {"time": [1.7e9]}, "time has 1 values for 2"),
        (([1, 0],), {"y_pred": [1, 0], "X": {"hour": 7}}, "X has 1 values for 2"),
        ((1,), {}, "needs prediction_id"),
        (([1, 0],), {"X": [{}, {}]}, "needs prediction_id"),
    ],
)
def test_wrong_lengths_are_errors_that_name_the_argument(monitor, arguments, options, words):
    """What does not fit together is an error of the caller's, before anything is counted."""
    with pytest.raises(ValueError, match=words):
        monitor.feedback(*arguments, **options)
    assert totals(monitor, names.LABELS) == {}


def test_answers_at_hand_are_counted_as_kept_ones_are(monitor, model, flights, late):
    """Predictions that were not kept give the same totals as those that were."""
    rows, truths = flights[:300], late[:300]
    labels, scores = model.predict(rows), model.predict_proba(rows)
    kept = mm.Monitor(monitor.profile, store="kept.db")
    kept.observe(rows, labels, scores)
    assert kinds(kept.feedback(truths, kept.prediction_ids())) == ["counted"] * 300
    assert kinds(monitor.feedback(truths, y_pred=labels, y_score=scores)) == ["counted"] * 300
    for metric in (names.CONFUSION, names.LABEL_BIN, names.LABELS):
        assert totals(monitor, metric) == totals(kept, metric) != {}
    # Of one answer, the scores may be those of its classes.
    one = model.predict_proba(rows[:1])
    for score in (one, one[0], one[0, 1]):
        assert kinds(monitor.feedback(1, y_score=score)) == ["counted"]
    kept.close()


def test_segments_come_from_the_rows(model, flights, late):
    """With X, answers at hand are counted by segment as well."""
    profile = mm.Profile.build(
        model, flights, late, name="flights", version="3", segments=["origin"]
    )
    monitor = mm.Monitor(profile, store="labels.db")
    rows = flights[:20]
    monitor.feedback(late[:20], y_pred=model.predict(rows), X=rows)
    monitor.feedback(1, y_pred=1, X={"origin": "JFK"})
    by_segment = {}
    for (segment, *_), value in totals(monitor, names.CONFUSION).items():
        by_segment[segment] = by_segment.get(segment, 0) + value
    expected = rows["origin"].value_counts().to_dict()
    expected["JFK"] += 1
    assert by_segment == {"": 21} | {f"origin={name}": n for name, n in expected.items()}
    monitor.close()


def test_other_tasks(flights):
    """Regressions add up errors, models of many classes are counted by class."""
    X = flights[["hour"]]
    built = {
        "numbers": LinearRegression().fit(X, X["hour"] * 2.0),
        "names": LogisticRegression(max_iter=1000).fit(X, flights["origin"]),
    }
    profiles = {n: mm.Profile.build(m, X, name=n, version="1") for n, m in built.items()}
    with_numbers = mm.Monitor(profiles["numbers"], store="labels.db")
    outcomes = with_numbers.feedback([10.0, 12.0, 9.0], y_pred=np.array([11.0, 12.0, np.nan]))
    assert kinds(outcomes) == ["counted", "counted", "invalid"]
    assert "y_pred is a finite number, not nan" in outcomes[2].reason
    sums = {}
    for (*_, statistic), value in totals(with_numbers, names.ERROR_SUM).items():
        sums[statistic] = sums.get(statistic, 0) + value
    assert sums == {"rows": 2, "over": 1, "squared": 1, "fourth": 1}
    with_names = mm.Monitor(profiles["names"], store="labels.db")  # models may share a store
    scores = built["names"].predict_proba(X[:4])
    assert kinds(with_names.feedback(["JFK"] * 4, y_score=scores)) == ["counted"] * 4
    said = built["names"].predict(X[:4])
    assert totals(with_names, names.CONFUSION) == {
        ("", "JFK", name): (said == name).sum() for name in set(said)
    }
    outcome = with_names.feedback("JFK", y_score=0.4)[0]
    assert (outcome.kind, outcome.reason) == (
        "invalid",
        "y_pred is missing, and y_score does not say it",
    )
    for monitor in (with_numbers, with_names):
        monitor.close()


@pytest.mark.parametrize(
    ("time", "kind"),
    [
        (1_700_000_000.0, "counted"),
        ("2023-11-14T22:13:20+00:00", "counted"),
        (datetime(2023, 11, 14, tzinfo=UTC), "counted"),
        (pd.Series(pd.to_datetime(["2023-11-14"])), "counted"),
        (pd.Series(pd.to_datetime(["2023-11-14"], utc=True)), "counted"),
        (np.array(["2023-11-14"], dtype="datetime64[ns]"), "counted"),
        (np.array(["NaT"], dtype="datetime64[s]"), "counted"),
        (datetime(2023, 11, 14), "invalid"),
        ("2023-11-14T22:13:20", "invalid"),
    ],
)
def test_the_time_of_a_label(profile, time, kind):
    """The time is Unix time or has a zone; points in time of arrays are in UTC."""
    monitor = mm.Monitor(profile, store="labels.db", retention_days=10_000)
    [outcome] = monitor.feedback([1], y_pred=[1], time=time)
    assert outcome.kind == kind, outcome
    assert "time zone" in outcome.reason or kind == "counted"
    monitor.close()


def test_answers_of_long_ago_are_expired(monitor):
    """A prediction that is written along with its label is of the label's time."""
    [outcome] = monitor.feedback(1, y_pred=1, time=1_600_000_000)
    assert outcome.kind == "expired"


def test_one_bad_label_does_not_keep_the_others_from_being_counted(monitor):
    """Among ten thousand labels, each has its own outcome, across the store's transactions."""
    truths = [0, 1] * 5_000
    truths[7_001] = "maybe"
    outcomes = monitor.feedback(truths, y_pred=[1] * 10_000)
    assert [i for i, outcome in enumerate(outcomes) if outcome.kind != "counted"] == [7_001]
    assert totals(monitor, names.CONFUSION) == {("", "0", "1"): 5_000, ("", "1", "1"): 4_999}
    assert totals(monitor, names.LABELS) == {("counted",): 9_999, ("invalid",): 1}


def test_a_closed_monitor_opens_again(monitor):
    """After `close` predictions are not kept; the next label opens the store again."""
    monitor.observe({"hour": 7}, y_pred=[1], prediction_id="a")
    assert monitor.close()
    monitor.observe({"hour": 7}, y_pred=[1], prediction_id="b")
    assert monitor.prediction_ids() == []
    assert kinds(monitor.feedback([1, 1], ["a", "b"])) == ["counted", "waiting"]
    monitor.observe({"hour": 7}, y_pred=[1], prediction_id="c")
    assert kinds(monitor.feedback(1, "c")) == ["counted"]


def test_threads_that_come_first_open_one_store(profile):
    """When several threads bring the first label, the store is opened once for all."""
    monitor = mm.Monitor(profile)
    before = writing()
    barrier = threading.Barrier(8)
    found = []

    def first(i):
        barrier.wait(20)
        found.extend(kinds(monitor.feedback(1, y_pred=i % 2)))

    threads = [threading.Thread(target=first, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["counted"] * 8
    assert len(writing() - before) == 1
    monitor.close()


def test_a_broken_store_does_not_lose_the_scrape(monitor, monkeypatch, caplog):
    """A fault in reading the totals is counted; everything else is on /metrics."""
    app = FastAPI()
    monitor.instrument(app)
    monkeypatch.setattr(monitor._feedback, "families", lambda: 1 / 0)
    text = call(app, "/metrics").body
    assert samples(text, names.LABELS.name) == {}
    assert samples(call(app, "/metrics").body, names.FAILURES.name)["labels",] == 1
    assert "failed in labels" in caplog.text


def test_a_forked_worker_keeps_labels_of_its_own(profile, tmp_path):
    """A worker that is forked after the store was opened counts into the same store."""
    profile.save(tmp_path / "p.json")
    code = (
        "import os, sys, fastapi, modelmeter as mm\n"
        "monitor = mm.Monitor(mm.Profile.load('p.json'))\n"
        "monitor.instrument(fastapi.FastAPI())\n"  # before the workers are forked
        "children = [os.fork() for _ in range(2)]\n"
        "outcomes = monitor.feedback(1, y_pred=1)\n"
        "assert [str(o.kind) for o in outcomes] == ['counted'], outcomes\n"
        "assert monitor.close()\n"
        "assert all(os.waitpid(pid, 0)[1] == 0 for pid in children if 0 not in children)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    monitor = mm.Monitor(profile, store="flights.labels.db")
    assert totals(monitor, names.LABELS) == {("counted",): 4}  # 2 x 2 processes
    monitor.close()
