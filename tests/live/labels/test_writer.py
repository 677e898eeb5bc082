"""The queue and the thread behind it, with a database that the test plays."""

from __future__ import annotations

import logging
import threading

import pytest
from sqlalchemy.exc import DataError

from live.labels.common import made
from modelmeter._errors import StoreUnavailableError
from modelmeter.live.labels.writer import BATCH, Writer
from real.server import wait_for


class FakeDatabase:
    """Keeps what is written; fails as it is told to."""

    def __init__(self):
        self.batches = []
        self.failures = []
        self.refuses = set()
        self.breaks = set()
        self.tidied = 0
        self.open = threading.Event()
        self.open.set()

    @property
    def ids(self):
        return [record.id for batch in self.batches for record in batch]

    def write(self, records):
        self.open.wait(30)
        if self.failures:
            raise self.failures.pop(0)
        if any(record.id in self.refuses for record in records):
            raise DataError("INSERT", {}, ValueError("bad value"))
        if any(record.id in self.breaks for record in records):
            raise TypeError("a bug")
        known = set(self.ids)
        self.batches.append([record for record in records if record.id not in known])
        return len(records) - len(self.batches[-1])

    def tidy(self):
        self.tidied += 1
        return 0.05


@pytest.fixture
def database():
    """A database that works."""
    return FakeDatabase()


@pytest.fixture
def make(database):
    """Make writers to the database, closed at the end."""
    made_ = []

    def make(capacity=10_000, **more):
        made_.append(Writer(database.write, database.tidy, capacity=capacity, **more))
        return made_[-1]

    yield make
    database.open.set()
    for writer in made_:
        writer.close(1)


def test_what_is_put_is_written_in_order(make, database):
    """Predictions are written in the order in which they came, in batches."""
    writer = make()
    ids = [f"{i}" for i in range(5 * BATCH)]
    for i in range(0, len(ids), 50):
        assert writer.put(made(*ids[i : i + 50])) == 0
    assert writer.flush(20)
    assert database.ids == ids
    assert max(map(len, database.batches)) <= BATCH


def test_a_call_stays_together(make, database):
    """Predictions of one call are in one transaction, up to the size of a batch."""
    database.open.clear()
    writer = make()
    calls = [made(*(f"{c}-{i}" for i in range(n))) for c, n in enumerate([1, 700, 700, 2500])]
    for call in calls:
        writer.put(call)
    database.open.set()
    assert writer.flush(20)
    sizes = [len(batch) for batch in database.batches]
    assert sizes in ([1, 700, 700, 1000, 1000, 500], [701, 700, 1000, 1000, 500])


def test_a_stuck_database_blocks_nobody(make, database):
    """While the database does not answer, putting returns at once and counts what it drops."""
    told = []
    writer = make(capacity=100, on_drop=lambda reason, n: told.append((reason, n)))
    database.open.clear()
    left = [writer.put(made(f"{i}", f"{i}'")) for i in range(60)]
    assert left == [0] * 50 + [2] * 10
    assert told == [("full", 2)] * 10
    assert writer.dropped == {"full": 20}
    assert writer.flush(0.01) is False
    database.open.set()
    assert writer.flush(20)
    assert len(database.ids) == 100
    assert writer.put(made("again")) == 0


def test_a_call_larger_than_the_room_is_cut(make, database):
    """Of a call that does not fit, what fits is kept."""
    database.open.clear()
    writer = make(capacity=10)
    assert writer.put(made(*"abcdefghijkl")) == 2
    database.open.set()
    assert writer.flush(20)
    assert "".join(database.ids) == "abcdefghij"


def test_failures_are_outlived(make, database, caplog):
    """After a failure of any kind the same predictions are tried again; it is logged once."""
    caplog.set_level(logging.INFO, "modelmeter")
    database.failures = [StoreUnavailableError("the store is away"), ZeroDivisionError("a bug")]
    failures = []
    writer = make(on_failure=failures.append)
    writer.put(made("a"))
    assert writer.flush(20)
    assert database.ids == ["a"]
    assert [str(failure) for failure in failures] == ["the store is away", "a bug"]
    assert [r.getMessage().partition(";")[0] for r in caplog.records] == [
        "the store is away",
        "the label store can be used again",
    ]


def test_what_the_database_refuses_is_found(make, database):
    """One prediction that the database refuses does not keep the others from being written."""
    database.refuses = {"3", "77"}
    writer = make()
    writer.put(made(*map(str, range(100))))
    assert writer.flush(20)
    assert set(database.ids) == set(map(str, range(100))) - {"3", "77"}
    assert writer.dropped == {"refused": 2}


def test_what_no_database_holds_is_left_out(make, database):
    """Predictions with impossible texts or times are dropped before they are written."""
    bad = [
        *made("a\0", "", None, 1.5, ["x"]),
        *made("b", time=float("nan")),
        *made("c", value="x"),
        *made("d", bin="\0"),
        *made("e", segments=("ok", "\ud800")),
        *made("f", y_pred=1),
    ]
    writer = make()
    writer.put([*bad, *made("good")])
    assert writer.flush(20)
    assert database.ids == ["good"]
    assert writer.dropped == {"invalid": len(bad)}


def test_a_bug_does_not_stand_in_the_way_for_ever(make, database, caplog):
    """A prediction that nothing can write is left out after a few tries."""
    database.breaks = {"a"}
    writer = make()
    writer._rest = lambda _: True
    writer.put(made("a"))
    writer.put(made("b"))
    assert writer.flush(20)
    assert database.ids == ["b"]
    assert writer.dropped == {"refused": 1}


def test_repeated_ids_are_counted_once(make, database):
    """An id that was there is counted as repeated, but not where the first try was committed."""
    writer = make()
    writer.put(made("a", "b"))
    writer.flush(20)
    writer.put(made("b", "c"))
    writer.flush(20)
    assert writer.dropped == {"repeated": 1}
    database.batches.append(made("d"))
    database.failures = [StoreUnavailableError("the answer to the commit was lost")]
    writer.put(made("d"))
    assert writer.flush(20)
    assert writer.dropped == {"repeated": 1}


def test_upkeep_is_called_as_often_as_it_wants(make, database):
    """Once started, the thread does the upkeep, whether or not there are predictions."""
    writer = make()
    writer.start()
    wait_for(lambda: database.tidied > 2, seconds=20, what="upkeep")


def test_closing_writes_what_waits(make, database):
    """Closing drains the queue, and then drops what comes."""
    database.open.clear()
    writer = make()
    writer.put(made(*map(str, range(3000))))
    database.open.set()
    assert writer.close(20) is True
    assert len(database.ids) == 3000
    assert writer.put(made("late")) == 1
    assert writer.dropped == {"closed": 1}
    assert writer.close(1) is True


def test_closing_gives_up_in_time(make, database):
    """What a dead database does not take before the time is over is dropped and counted."""
    database.failures = [StoreUnavailableError("away")] * 100
    writer = make()
    writer.put(made("a", "b"))
    assert writer.close(0.2) is False
    assert writer.dropped == {"closed": 2}


def test_closing_unused_starts_nothing(make, database):
    """A writer that was never used has no thread to end."""
    writer = make()
    assert writer.close(1) is True
    assert writer._thread is None


def test_no_thread_is_no_error(make, monkeypatch):
    """Where no thread can be started, predictions are dropped and counted."""

    def refuse(_):
        raise RuntimeError("can't start new thread")

    writer = make()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert writer.put(made("a")) == 1
    assert writer.dropped == {"full": 1}


class Broken(list):
    """A call whose records cannot be made."""

    def __iter__(self):
        raise KeyError("a bug")


def test_a_call_that_cannot_be_read_is_dropped(make, database):
    """Records are made on the writing thread, which outlives one that cannot be made."""
    failures = []
    writer = make(on_failure=failures.append)
    writer.put(made("a"))
    writer.put(Broken(made("b", "c")))
    writer.put(made("d"))
    assert writer.flush(20)
    assert database.ids == ["a", "d"]
    assert writer.dropped == {"invalid": 2}
    assert [type(failure) for failure in failures] == [KeyError]


class Waiting(list):
    """A call whose records take their time to make."""

    def __init__(self, records, begun, go_on):
        super().__init__(records)
        self.begun, self.go_on = begun, go_on

    def __iter__(self):
        self.begun.set()
        assert self.go_on.wait(20)
        return super().__iter__()


def test_making_records_blocks_nobody(make, database):
    """While the writing thread makes records, others go on putting."""
    writer = make()
    begun, go_on = threading.Event(), threading.Event()
    writer.put(Waiting(made("a"), begun, go_on))
    assert begun.wait(20)
    putting = threading.Thread(target=writer.put, args=(made("b"),), daemon=True)
    putting.start()
    putting.join(10)
    assert not putting.is_alive()
    go_on.set()
    assert writer.flush(20)
    assert database.ids == ["a", "b"]
