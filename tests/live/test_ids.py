"""Ids of predictions: made, given, shared, told, and those that predictions are kept under."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID, uuid4

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

import modelmeter as mm
from live.answering import built, counted, rows
from live.labels.common import now, read
from modelmeter import names
from modelmeter.live.counts import merged
from modelmeter.live.ids import (
    header_value,
    identified,
    last_ids,
    new_id,
    next_ids,
    note_ids,
    settled_ids,
    time_of_id,
)
from modelmeter.live.labels.schema import predictions
from modelmeter.live.request import RequestRecord, current_request


def test_new_ids_are_uuids_in_the_order_of_time():
    """An id is a UUID of version 8, no two are alike, and later ones sort later."""
    ids = [new_id(1.7e9 + i / 1000) for i in range(1000)]
    assert ids == sorted(set(ids))
    assert {(UUID(id_).version, UUID(id_).variant) for id_ in ids} == {(8, "specified in RFC 4122")}
    assert len({new_id(5) for _ in range(1000)}) == 1000


@given(st.floats(0, 2**47 / 1000))
def test_an_id_tells_its_time(moment):
    """The time of an id that was made here is known to the millisecond."""
    assert 0 <= moment - time_of_id(new_id(moment)) < 0.00101 + moment * 1e-15


def test_the_time_is_now_by_default():
    """Without a time, an id is of now."""
    assert abs(time_of_id(new_id()) - now()) < 10


def test_other_ids_tell_nothing():
    """Ids of other people tell no time, whatever they look like."""
    mine = new_id()
    others = [str(uuid4()), mine.upper()[:-1], mine[:14] + "7" + mine[15:], "", "x" * 36]
    assert [time_of_id(other) for other in others] == [None] * 5
    assert time_of_id(mine[:-1] + "x") is None


MODEL, OTHER = ("late", "1"), ("late", "2")


class Record(RequestRecord):
    """A request whose client gave an id to its prediction."""

    def given_id(self):
        return "mine"


@contextmanager
def request(record):
    token = current_request.set(record)
    try:
        yield record
    finally:
        current_request.reset(token)


def predict(rows=1, model=MODEL):
    """Do what a prediction that is kept does about its ids."""
    ids = next_ids(model)
    note_ids(ids, rows, model)
    return ids


def test_rows_of_a_call_are_numbered():
    """A single row has the call's id; of several, each has its number added."""
    with request(RequestRecord()) as record:
        one = predict()
        assert last_ids() == [one]
        assert header_value(record) == one.encode()
        many = predict(rows=3)
        assert last_ids() == [f"{many}-0", f"{many}-1", f"{many}-2"]
        assert header_value(record) == f"{one}, {many}; rows=3".encode()


def test_a_request_may_give_the_id():
    """The id in the request is that of its first prediction, of every model."""
    with request(Record()) as record:
        assert predict() == "mine"
        assert predict(model=OTHER) == "mine"
        assert header_value(record) == b"mine"
        assert last_ids() == ["mine"]


@pytest.mark.parametrize("record", [RequestRecord, Record])
def test_models_that_answer_one_request_share_its_id(record):
    """A challenger's prediction has the champion's id, in whatever order they are called."""
    with request(record()):
        assert predict() == predict(model=OTHER) == predict(model=("early", "1"))


def test_a_model_that_is_called_twice_gets_another_id():
    """Two predictions of one model are told apart, be it the first to answer or not."""
    with request(Record()) as record:
        first, challenged = predict(), predict(model=OTHER)
        second, again = predict(), predict(model=OTHER)
        assert first == challenged == "mine"
        assert len({first, second, again}) == 3
        assert header_value(record) == f"mine, {second}, {again}".encode()


def test_requests_do_not_mix():
    """Another request begins anew."""
    with request(RequestRecord()):
        one = predict()
    with request(RequestRecord()) as record:
        assert header_value(record) is None
        assert predict() != one


def test_the_second_part_of_an_answer_is_told_once():
    """Classes and then scores of one prediction are one id in the response."""
    with request(RequestRecord()) as record:
        ids = predict()
        predict(model=OTHER)
        for model in (MODEL, OTHER, OTHER):
            note_ids(ids, 1, model)
        assert header_value(record) == ids.encode()


def test_given_ids_come_before_all_others():
    """Within `identified` every prediction has the ids that were given, then no more."""
    with request(Record()) as record:
        with identified(["a", 7]):
            assert predict(rows=2) == ["a", 7]
            assert last_ids() == ["a", "7"]
            with identified("b"):
                assert predict(rows=2) == "b"
                assert last_ids() == ["b-0", "b-1"]
        assert header_value(record) is None  # ids of single rows are no short header
        assert time_of_id(predict()) is not None


@pytest.mark.parametrize("ids", ["ä", "a\r\nSet-Cookie: b", "a\x00", "\ud800"])
def test_ids_that_no_header_can_hold_are_not_told(ids):
    """An id with line breaks or beyond ASCII stays out of the response's header."""
    with request(RequestRecord()) as record, identified(ids):
        predict()
        assert header_value(record) is None


def test_ids_of_single_rows_are_not_shared():
    """Ids that one model's rows were given do not fit another model's."""
    with request(RequestRecord()):
        note_ids(["a", "b"], 2, MODEL)
        assert time_of_id(next_ids(OTHER)) is not None


def test_threads_know_their_own_last_ids():
    """Outside of a request each thread knows the ids of its own predictions."""
    predict(rows=2)
    mine = last_ids()

    def work(barrier):
        before = last_ids()
        ids = predict()
        barrier.wait(10)
        return before, last_ids() == [ids]

    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, [barrier] * 4))
    assert found == [([], True)] * 4
    assert last_ids() == mine


def test_tasks_know_their_own_last_ids():
    """Outside of a request each task knows the ids of its own predictions."""

    async def work():
        ids = predict()
        await asyncio.sleep(0)
        return last_ids() == [ids]

    async def main():
        return await asyncio.gather(*(work() for _ in range(5)))

    assert asyncio.run(main()) == [True] * 5


def test_a_requests_threads_tell_it_their_ids():
    """What a worker thread predicts for a request is told in its response."""

    async def main():
        with request(RequestRecord()) as record:
            ids = await asyncio.to_thread(predict)
            return ids, last_ids(), header_value(record)

    ids, last, header = asyncio.run(main())
    assert (last, header) == ([ids], ids.encode())


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        ("a", "a"), (17, "17"), (np.int64(17), "17"), (["a"], ["a"]), (("a",), ["a"]),
        (np.array(["a"]), ["a"]), (pd.Series(["a"], index=[9]), ["a"]),
        (pl.Series(["a"]), ["a"]),
    ],
)  # fmt: skip
def test_given_ids_may_be_in_any_sequence(ids, kept):
    """A text, a whole number, or one id for every row as list, array or series."""
    assert settled_ids(ids, 1) == kept


@pytest.mark.parametrize("ids", [["a"], ["a", "b", "c"], (), np.array(["a"])])
def test_ids_must_be_as_many_as_rows(ids):
    """There is one id for every row, or one for the call."""
    with pytest.raises(ValueError, match=rf"there are {len(ids)} ids for 2 predictions"):
        settled_ids(ids, 2)


# With models.


@pytest.fixture
def kept(tmp_path):
    """A monitor that keeps predictions, and the ids in its store."""
    monitor = mm.Monitor(built("bare")[1], store=tmp_path / "labels.db")

    def ids():
        monitor.feedback_store.store.flush()
        found = read(tmp_path / "labels.db", select(predictions.c.id).order_by(predictions.c.id))
        return [row.id for row in found]

    yield monitor, ids
    monitor.close()


def dropped(monitor):
    found = counted_whole(monitor, names.DROPPED)
    return {reason: n for (where, reason), n in found.items() if n and where == "labels"}


def counted_whole(monitor, metric):
    """Return the values of a metric without labels of the model."""
    for found in merged([monitor.counts]):
        if found.metric is metric:
            return dict(zip(found.rows, found.values, strict=True))
    return {}


def test_predictions_are_kept_under_the_ids_that_are_told(kept):
    """What `prediction_ids` names is what a label finds, of one row and of several."""
    monitor, ids = kept
    watched = monitor.watch(built("bare")[0])
    watched.predict(rows(1))
    told = monitor.prediction_ids()
    watched.predict(rows(40))
    told += monitor.prediction_ids()
    assert ids() == sorted(told)
    assert len(set(told)) == 41


def test_predictions_are_kept_under_given_ids(kept):
    """Ids come by a `with` block, by the call, or by the request."""
    monitor, ids = kept
    model, X = monitor.watch(built("bare")[0]), rows(2)
    with monitor.identified(["a", "b"]):
        model.predict(X)
    with monitor.identified("c"):
        model.predict(X)
    monitor.observe(X, ["no", "no"], prediction_id=np.array(["d", "e"]))
    monitor.observe(X[:1], ["no"], prediction_id=5)
    with request(Record()):
        model.predict(X[:1])
    assert ids() == ["5", "a", "b", "c-0", "c-1", "d", "e", "mine"]


def test_ids_that_change_afterwards_are_kept_as_they_were(kept):
    """A caller may fill his list of ids anew as soon as the model has answered."""
    monitor, ids = kept
    given = ["a", "b"]
    monitor.observe(rows(2), ["no", "no"], prediction_id=given)
    given.clear()
    assert ids() == ["a", "b"]


def test_ids_that_cannot_be_kept_do_not_break_predictions(kept):
    """A prediction with such an id is counted and answered, and its loss is counted."""
    monitor, ids = kept
    model, X = monitor.watch(built("bare")[0]), rows(4)
    with monitor.identified(["a", None, "x" * 201, "nul\x00"]):
        assert len(model.predict(X)) == 4
    monitor.observe(X[:1], ["no"], prediction_id="")
    assert ids() == ["a"]
    assert dropped(monitor) == {"invalid": 4}
    assert counted_whole(monitor, names.FAILURES) == {("observe",): 0, ("labels",): 0}
    assert counted(monitor, names.PREDICTIONS)["ok",] == 5


@pytest.mark.parametrize("given", [["a"], object(), [["a"], ["b"]], 2.5, {"a": 1, "b": 2, "c": 3}])
def test_ids_that_do_not_fit_do_not_break_predictions(kept, given):
    """The wrong number of ids, or none at all, is a failure of monitoring and no more."""
    monitor, ids = kept
    with monitor.identified(given):
        assert len(monitor.watch(built("bare")[0]).predict(rows(2))) == 2
    assert ids() == []
    assert counted(monitor, names.PREDICTIONS)["ok",] == 2
    failures = counted_whole(monitor, names.FAILURES)["observe",]
    assert failures + dropped(monitor).get("invalid", 0) in (1, 2)


def test_an_id_that_is_used_twice_is_counted(kept):
    """The second prediction of an id adds nothing, and its loss is counted."""
    monitor, ids = kept
    model = monitor.watch(built("bare")[0])
    for _ in range(2):
        with monitor.identified("a"):
            model.predict(rows(1))
    assert ids() == ["a"]
    assert dropped(monitor) == {"repeated": 1}


def test_without_a_store_there_are_no_ids():
    """While nothing is kept, no ids are made and none are told."""
    monitor = mm.Monitor(built("bare")[1], store=None)
    with request(RequestRecord()) as record:
        monitor.watch(built("bare")[0]).predict(rows(1))
        assert monitor.prediction_ids() == []
        assert monitor.next_ids() is None
        assert record.answers is None
