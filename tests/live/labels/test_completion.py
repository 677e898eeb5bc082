"""Predictions that come in two parts, the class from one call of the model, the score later."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from live.labels.common import CHECK, MODEL, item, label, open_store, outcomes, read, tally
from modelmeter.live.labels import LabelStore, Prediction, Tally, new_id
from modelmeter.live.labels.schema import predictions

CLASS = {"y_pred": "1"}
SCORE = {"ord": "03", "bin": "[0.2, 0.3)"}
WHOLE = ("1", "03", "[0.2, 0.3)", None)


def part(id_="a", /, **kept):
    return Prediction(id_, kept.pop("time", 1.7e9), "late", "1", **kept)


def kept(url, id_="a"):
    """Return what is kept of a prediction."""
    columns = [predictions.c[name] for name in ("y_pred", "ord", "bin", "value")]
    [row] = read(url, select(*columns).where(predictions.c.id == id_))
    return tuple(row)


def store_of(url, **more):
    """Open a store whose retention holds what is long ago."""
    return open_store(url, retention_days=10_000, **more)


PARTS = {
    "class first": [CLASS, SCORE],
    "score first": [SCORE, CLASS],
    "both, then either": [CLASS | SCORE, CLASS, SCORE],
    "the class twice": [CLASS, CLASS, SCORE],
    "nothing first": [{}, SCORE, CLASS],
}
REPEATED = {"both, then either": 2, "the class twice": 1}


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("together", ["one call", "one batch", "apart", "two processes"])
def test_a_prediction_is_completed(parts, together, url):
    """Whatever comes first, in one transaction or several, in the end all is there."""
    records = [part(**kept) for kept in PARTS[parts]]
    with store_of(url) as store, store_of(url) as other:
        if together == "one call":
            store.remember(records)
        for i, record in enumerate(records if together != "one call" else []):
            chosen = other if together == "two processes" and i else store
            chosen.remember([record])
            if together != "one batch":
                assert chosen.flush()
        assert store.flush()
        assert other.flush()
        assert kept(url) == WHOLE
        dropped = store.dropped.get("repeated", 0) + other.dropped.get("repeated", 0)
        assert dropped == REPEATED.get(parts, 0)
        assert [p.pending for p in store.snapshot().progress] == [1]
        assert label(store, item("a")) == ["counted"]


def test_what_is_known_stays(url):
    """A second record of an id changes nothing of what the first said."""
    with store_of(url) as store:
        store.remember([part(**CLASS, time=1.7e9, segments=("city=Ulm",))])
        store.flush()
        other = {"y_pred": "0", "segments": ("city=Bonn",), "center": 3.0, "time": 1.8e9}
        store.remember([part(**SCORE, **other)])
        store.flush()
        assert kept(url) == WHOLE
        rest = [predictions.c[name] for name in ("time", "segments", "center")]
        assert read(url, select(*rest)) == [(1.7e9, '["city=Ulm"]', None)]


def test_parts_of_many_predictions_find_each_other(url):
    """A batch of classes and then the batch of their scores are each one transaction's work."""
    with store_of(url) as store:
        ids = [new_id() for _ in range(300)]
        for kept_ in (CLASS, SCORE):
            store.remember([part(id_, **kept_) for id_ in ids])
            store.flush()
        assert {kept(url, id_) for id_ in ids[::50]} == {WHOLE}
        assert not store.dropped
        assert label(store, *map(item, ids)) == ["counted"] * 300


def parted(prediction, y_true, lag):
    """Count which parts a label found."""
    there = [str(prediction.y_pred), str(prediction.ord)]
    return [Tally("parts", (*there, y_true))]


def parts_found(store):
    return {t.labels: t.value for t in store.snapshot().totals if t.metric == "parts" and t.value}


def test_a_part_that_comes_after_the_label_changes_nothing(url):
    """A label counts what is there when it comes; what comes later is counted as repeated."""
    with LabelStore(url, tally=parted, retention_days=10_000) as store:
        store.remember([part(**CLASS)])
        assert label(store, item("a")) == ["counted"]
        store.remember([part(**SCORE)])
        store.flush()
        assert kept(url) == ("1", None, None, None)
        assert store.dropped == {"repeated": 1}
        assert parts_found(store) == {("1", "None", "1"): 1}
        assert label(store, item("a")) == ["duplicate"]


def test_a_label_waits_for_the_parts_that_are_queued(url):
    """A label right after its prediction finds the score too, though it is being written."""
    with LabelStore(url, tally=parted, retention_days=10_000) as store:
        for i in range(5):
            store.remember([part(f"{i}", **CLASS)])
            store.flush()
            store.remember([part(f"{i}", **SCORE)])
            assert label(store, item(f"{i}")) == ["counted"]
        assert parts_found(store) == {("1", "03", "1"): 5}


def test_a_label_that_waited_counts_the_parts_of_one_batch(url):
    """A label that came first finds both parts, where these are written together."""
    with LabelStore(url, tally=parted, retention_days=10_000) as store:
        assert label(store, item("a")) == ["waiting"]
        store.remember([part(**SCORE), part(**CLASS)])
        store.flush()
        assert parts_found(store) == {("1", "03", "1"): 1}
        assert outcomes(store) == {"counted": 1}


def test_answers_of_two_versions_are_completed_apart(url):
    """Of a champion and its challenger under one id, each keeps its own parts."""
    with store_of(url) as store:
        records = [part(**CLASS), part(**CLASS | {"y_pred": "0"})._replace(version="2")]
        store.remember(records)
        store.flush()
        store.remember([part(**SCORE)._replace(version="2")])
        store.flush()
        columns = [predictions.c.y_pred, predictions.c.ord]
        rows = read(url, select(*columns).order_by(predictions.c.model_key))
        assert rows == [("1", None), ("0", "03")]
        assert not store.dropped


def test_predictions_that_come_with_their_label_are_completed(url):
    """A label may bring the missing part along."""
    with LabelStore(url, tally=parted, retention_days=10_000) as store:
        store.remember([part(**CLASS)])
        store.flush()
        store.label([item("a")], check=CHECK, predictions=[part(**SCORE)], **MODEL)
        assert parts_found(store) == {("1", "03", "1"): 1}


def test_a_part_and_a_label_at_the_same_moment(postgres):
    """A part that meets a label under way waits for it, and then changes nothing."""
    url = postgres.new_schema()
    inside, go_on = threading.Event(), threading.Event()

    def slow(prediction, y_true, lag):
        inside.set()
        assert go_on.wait(20)
        return parted(prediction, y_true, lag)

    with (
        LabelStore(url, tally=slow, retention_days=10_000) as labelling,
        LabelStore(url, tally=tally, retention_days=10_000, timeout_seconds=20) as writing,
    ):
        writing.remember([part(**CLASS)])
        writing.flush()
        thread = threading.Thread(target=label, args=(labelling, item("a")))
        thread.start()
        assert inside.wait(20)
        writing.remember([part(**SCORE)])
        assert not writing.flush(0.5)
        go_on.set()
        thread.join()
        assert writing.flush()
        assert kept(url) == ("1", None, None, None)
        assert writing.dropped == {"repeated": 1}
        assert parts_found(labelling) == {("1", "None", "1"): 1}
