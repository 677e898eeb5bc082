"""Several processes on one store, killed at any moment: each label is counted once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from live.labels import crashing
from live.labels.common import check_books, item, label, open_store
from modelmeter._errors import StoreUnavailableError
from real.postgres import Postgres
from real.server import wait_for

SEED = int(os.environ.get("MODELMETER_SEED", random.randrange(10**6)))


def start(task, url, number):
    return subprocess.Popen(
        [sys.executable, "-W", "error", crashing.__file__, task, url, str(number), str(SEED)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


def run(task, url, number):
    """Run a task of crashing.py and return what it found."""
    process = start(task, url, number)
    printed, _ = process.communicate(timeout=100)
    assert process.returncode == 0, f"seed {SEED}"
    return json.loads(printed.splitlines()[-1])


def test_labels_are_counted_once_whatever_is_killed(url):
    """Labels answered 'counted' before a kill -9 are counted, once, and no other twice."""
    found = run("kill_labellers", url, 15)
    answers = Counter(found["answers"])
    counted = {line.split()[1] for line in answers if line.startswith("counted")}
    assert len(found["growth"]) > 3, "the rounds did not get to kill anything"
    assert found["growth"] == sorted(found["growth"])
    assert all(answers[f"counted {id_}"] == 1 for id_ in counted), f"seed {SEED}"
    assert {found["last"][id_] for id_ in counted} == {"duplicate"}, f"seed {SEED}"
    assert set(found["last"].values()) <= {"counted", "duplicate"}
    assert found["labels"] == crashing.IDS


def test_predictions_that_were_flushed_survive(url):
    """Predictions written before a kill -9 find their labels, and the books agree."""
    found = run("kill_writers", url, 6)
    assert found["told"] > 0
    assert found["told"] == found["counted"] == found["labels"], f"seed {SEED}"


def test_a_label_that_comes_to_all_counts_once(url):
    """Of several processes that bring the same label at once, one counts it."""
    found = run("race_labellers", url, 4)
    kinds = Counter(line.split()[0] for line in found["answers"])
    assert kinds == {"counted": crashing.IDS, "duplicate": 3 * crashing.IDS}
    assert len({line for line in found["answers"] if line.startswith("counted")}) == crashing.IDS
    assert found["labels"] == crashing.IDS


def test_labels_race_their_predictions(url):
    """Labels that arrive while other processes write the predictions are all counted."""
    found = run("race_predictions", url, 2)
    kinds = Counter(line.split()[0] for line in found["answers"])
    assert set(kinds) <= {"counted", "waiting"}
    assert kinds["waiting"] > 0, "no label came before its prediction"
    assert (found["left"], found["labels"]) == (0, 150), f"seed {SEED}"


def test_a_new_file_is_opened_by_several_at_once(tmp_path):
    """Workers that start together on an SQLite file that is new can all use it at once."""
    found = run("open_together", str(tmp_path), 4)
    assert found["answers"] == ["waiting"] * 40


def test_labels_survive_the_servers_death():
    """Labels answered 'counted' are there after PostgreSQL was killed and has recovered."""
    with Postgres() as server:
        url = server.new_database()
        process = start("label_until_down", url, 1)
        assert process.stdout.readline() == "started\n"
        with open_store(url) as store:
            wait_for(lambda: store.snapshot().progress[0].pending < 280, seconds=30, what="labels")
        server.kill()
        answers = json.loads(process.communicate(timeout=60)[0])["answers"]
        server.start()
        assert answers[-1] == "down"
        counted = [line.split()[1] for line in answers if line.startswith("counted")]
        assert len(counted) in (check_books(url), check_books(url) - 1)
        with open_store(url) as store:
            again = label(store, *(item(id_, crashing.truth(id_)) for id_ in counted))
        assert again == ["duplicate"] * len(counted)


@pytest.mark.parametrize("busy", [False, True])
def test_a_forked_worker_begins_anew(make_store, busy):
    """A child has a thread, queue and connection of its own; the parent's queue is the parent's."""
    store = make_store()
    store.remember(crashing.made("parent"))
    if not busy:
        store.flush()

    def work(tell):
        tell(f"{len(store.dropped)} {store._writer._thread} {store._writer.idle}")
        store.remember(crashing.made("child"))
        tell(str(store.flush(20)))
        tell(" ".join(label(store, item("child"), item("early"))))
        store.close()

    child = crashing.Child(work)
    assert child.join() == ["0 None True", "True", "counted waiting"]
    store.remember(crashing.made("parent2"))
    assert store.flush()
    assert label(store, item("parent"), item("parent2"), item("child")) == [
        "counted",
        "counted",
        "duplicate",
    ]


def test_a_worker_forked_in_the_middle_refuses(tmp_path):
    """A child forked while an SQLite transaction would not end does not touch the file."""
    with open_store(tmp_path / "labels.db", timeout_seconds=0.1) as store:
        with store._database.transaction():

            def work(tell):
                try:
                    label(store, item("a"))
                except StoreUnavailableError as error:
                    tell(str(error))

            child = crashing.Child(work)
        assert "was forked while" in child.join()[0]
        assert label(store, item("a"), predictions=crashing.made("a")) == ["counted"]
