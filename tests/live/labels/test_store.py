"""The store as its users see it, over both real databases."""

from __future__ import annotations

import math
import threading

import pytest
from sqlalchemy import select

from live.labels.common import CHECK, check_books, item, label, made, now, outcomes, read, values
from modelmeter._errors import ConfigurationError
from modelmeter.live.labels import OutcomeKind, new_id, number_check
from modelmeter.live.labels.schema import predictions

DAY = 86_400.0


class Clock:
    """A time that the test sets."""

    def __init__(self):
        self.time = now()

    def __call__(self):
        return self.time


def by_hand(store):
    """Leave the upkeep to the test."""
    store._writer._tidy = lambda: 60.0
    return store


def tidy(store):
    """Do all the upkeep that is due, as the thread would in time."""
    store._next_prune = 0.0
    while store._tidy() < 1:
        pass


def test_a_label_is_counted(store, url):
    """A label of a remembered prediction is counted in every segment, with its lag."""
    made_at = now() - 3600
    [record] = made("a", time=made_at, segments=("origin=JFK",))
    assert store.remember([record]) == 0
    assert store.flush()
    assert label(store, item("a", 1, time=made_at + 60)) == ["counted"]
    assert values(store, "bin") == {("", "03", "1"): 1, ("origin=JFK", "03", "1"): 1}
    assert values(store, "lag") == {(): pytest.approx(60)}
    assert outcomes(store) == {"counted": 1}
    [row] = read(url, select(predictions))
    assert (row.id, row.time, row.y_pred, row.ord, row.y_true) == ("a", made_at, "1", "03", "1")


def test_a_label_finds_its_prediction_in_the_queue(store):
    """A label that comes at once, before its prediction was written, is counted."""
    for i in range(20):
        store.remember(made(f"id{i}"))
        assert label(store, item(f"id{i}")) == ["counted"]


def test_every_outcome_is_told(store):
    """Each label is answered in its place: counted, duplicate, contradiction, invalid, waiting."""
    store.remember(made("a", "b"))
    items = [
        item("a"),
        item("a"),
        item("a", 0),
        item("b", 7),
        {"y_true": 1},
        item("?"),
        item("b", 0),
    ]
    assert label(store, *items) == [
        "counted",
        "duplicate",
        "contradiction",
        "invalid",
        "invalid",
        "waiting",
        "counted",
    ]
    assert label(store, item("a"), item("a", 0)) == ["duplicate", "contradiction"]
    assert outcomes(store) == {"counted": 2, "duplicate": 2, "contradiction": 2, "invalid": 2}
    assert values(store, "bin") == {("", "03", "1"): 1, ("", "03", "0"): 1}


def test_outcomes_say_why(store):
    """An answer echoes the id as it was given and says in words what became of the label."""
    store.remember(made("a"))
    given = [item("a", 1), item("a", 0), item("a", "x"), item("b\0")]
    found = store.label(given, model="late", version="1", check=CHECK)
    assert [outcome.prediction_id for outcome in found] == ["a", "a", "a", "b\0"]
    assert found[0].kind is OutcomeKind.COUNTED
    assert found[1].reason == "the label '0' contradicts the earlier one, '1', which stays"
    assert found[2].reason == "y_true is one of the classes '0', '1', not 'x'"
    assert found[3].reason == "an id has no control characters: 'b\\x00'"


def test_nothing_is_labelled_by_an_empty_call(store):
    """No labels, no answers; no predictions, nothing dropped."""
    assert label(store) == []
    assert store.remember([]) == 0


def test_unusual_ids_are_kept_or_refused(store):
    """Ids of any script work; what no database holds is refused at both doors and counted."""
    good = ["Ærø-1 ✈", "x" * 200, "a b", "'; --", "%s", "\\", "nul", '{"a": 1}']
    bad = ["", "x" * 201, "a\0b", "a\nb", "\ud800", "\x7f"]
    assert store.remember(made(*good, *bad)) == 0
    assert store.flush()
    assert store.dropped == {"invalid": len(bad)}
    assert label(store, *map(item, good)) == ["counted"] * len(good)
    assert label(store, *map(item, bad)) == ["invalid"] * len(bad)


def test_an_id_may_be_a_number(store):
    """An id given as a number is its text."""
    store.remember(made("42"))
    assert label(store, item(42), item("42")) == ["counted", "duplicate"]


def test_the_first_prediction_of_an_id_stays(store, url):
    """A second prediction under an id that is taken is dropped and counted."""
    store.remember(made("a", ord="01"))
    store.flush()
    store.remember([*made("b", "a", ord="02"), *made("b", ord="05")])
    store.flush()
    assert store.dropped == {"repeated": 2}
    assert label(store, item("a"), item("b")) == ["counted", "counted"]
    assert values(store, "bin") == {("", "01", "1"): 1, ("", "02", "1"): 1}
    assert store.snapshot().coverage[0][3:] == (2, 2)


def test_models_have_their_own_ids(store):
    """One id in two models is two predictions with a label each."""
    store.remember([*made("a"), *made("a", model="fraud", ord="07")])
    assert label(store, item("a", 1)) == ["counted"]
    assert label(store, item("a", 0), model="fraud") == ["counted"]
    assert values(store, "bin") == {("", "03", "1"): 1, ("", "07", "0"): 1}


def test_versions_share_a_label(store):
    """A label counts for every version that answered under its id, whichever was asked."""
    store.remember([*made("a"), *made("a", version="2", ord="04"), *made("b", version="2")])
    assert label(store, item("a"), item("b"), version="2") == ["counted", "counted"]
    totals = {(t.version, *t.labels): t.value for t in store.snapshot().totals if t.metric == "bin"}
    assert totals == {("1", "", "03", "1"): 1, ("2", "", "04", "1"): 1, ("2", "", "03", "1"): 1}
    assert label(store, item("a")) == ["duplicate"]


def test_regression_labels_are_exact(store):
    """A regression's label and predicted value reach the tally as they were."""
    seen = []
    store._policy = type(store._policy)(
        lambda p, y, lag: seen.append((p.value, float(y))) or [], DAY, 60.0
    )
    values_in = [0.1 + 0.2, -1e300, None, math.nan, math.inf]
    store.remember([r for i, v in enumerate(values_in) for r in made(f"{i}", value=v, ord=None)])
    labels = [item(f"{i}", y) for i, y in enumerate([1 / 3, 2, -0.0, 1, 1])]
    assert label(store, *labels, check=number_check) == ["counted"] * 5
    assert seen == [(0.1 + 0.2, 1 / 3), (-1e300, 2.0), (None, 0.0), (None, 1.0), (None, 1.0)]
    assert label(store, item("2", 0.0), item("0", 0.333), check=number_check) == [
        "duplicate",
        "contradiction",
    ]


def test_predictions_may_come_with_their_labels(store):
    """A caller that still holds a prediction hands it in with its label."""
    assert label(store, item("a", 0), predictions=made("a")) == ["counted"]
    with pytest.raises(ValueError, match="cannot be kept"):
        label(store, item("b"), predictions=made("b\0"))


def test_an_early_label_waits_for_its_prediction(make_store):
    """A label that comes before another replica wrote its prediction is counted with it."""
    first, other = make_store(), make_store()
    assert label(first, item("a"), item("a"), item("a", 0)) == [
        "waiting",
        "waiting",
        "contradiction",
    ]
    assert label(first, item("a"), item("a", 0)) == ["waiting", "contradiction"]
    assert first.snapshot().waiting == 1
    other.remember(made("a"))
    other.flush()
    assert outcomes(first) == {"counted": 1, "contradiction": 2}
    assert label(first, item("a"), item("a", 0)) == ["duplicate", "contradiction"]
    assert first.snapshot().waiting == 0
    assert values(first, "bin") == {("", "03", "1"): 1}


def test_an_early_label_becomes_an_orphan(make_store):
    """A label whose prediction does not come in the time of grace is counted as an orphan."""
    clock = Clock()
    store = by_hand(make_store(clock=clock, grace_seconds=600))
    assert label(store, item("a"), item("b"), version="2") == ["waiting", "waiting"]
    clock.time += 590
    tidy(store)
    assert outcomes(store) == {}
    clock.time += 20
    tidy(store)
    assert outcomes(store) == {"orphan": 2}
    assert store.snapshot().waiting == 0
    store.remember(made("a"))
    assert label(store, item("a")) == ["counted"]


def test_many_orphans_leave_in_steps(make_store):
    """Upkeep comes back at once as long as there is more to do."""
    clock = Clock()
    store = by_hand(make_store(clock=clock))
    label(store, *(item(f"{i}") for i in range(2500)))
    clock.time += 601
    steps = []
    while not steps or steps[-1] < 1:
        steps.append(store._tidy())
    assert steps == [0.05, 0.05, 5.0]
    assert outcomes(store) == {"orphan": 2500}


def test_old_predictions_expire(make_store, url):
    """Past the retention a label is answered expired, before and after the row is pruned."""
    clock = Clock()
    store = by_hand(make_store(clock=clock, retention_days=10))
    old, young, foreign = new_id(clock.time), new_id(clock.time), "foreign"
    store.remember([*made(old, foreign, time=clock.time), *made(young, time=clock.time + DAY)])
    store.flush()
    clock.time += 10.5 * DAY
    assert label(store, item(old), item(young), item(foreign)) == ["expired", "counted", "expired"]
    tidy(store)
    assert [row.id for row in read(url, select(predictions.c.id))] == [young]
    assert label(store, item(old), item(young), item(foreign)) == [
        "expired",
        "duplicate",
        "waiting",
    ]
    clock.time += DAY
    assert outcomes(store)["expired"] == 3


def test_pruning_takes_small_steps_and_spares_the_totals(make_store, url):
    """Old rows go 1,000 at a time; what they counted stays counted."""
    clock = Clock()
    store = by_hand(make_store(clock=clock, retention_days=1))
    ids = [f"{i}" for i in range(2300)]
    store.remember(made(*ids, time=clock.time))
    assert label(store, *map(item, ids[:10])) == ["counted"] * 10
    clock.time += 2 * DAY
    store.remember(made("new", time=clock.time))
    store.flush()
    left = []
    while len(left) < 3:
        store._next_prune = 0.0 if not left else store._next_prune
        store._tidy()
        left.append(len(read(url, select(predictions.c.id))))
    assert left == [1301, 301, 1]
    assert values(store, "bin") == {("", "03", "1"): 10}
    assert [(c.predictions, c.labels) for c in store.snapshot(ages=()).coverage] == [(1, 0)]


def test_the_oldest_go_when_there_are_too_many(make_store, url):
    """Of more predictions than may wait the oldest hours go, the hour that overflows stays."""
    clock = Clock()
    store = by_hand(make_store(clock=clock, max_predictions=5))
    start = clock.time // 3600 * 3600
    for hour in range(4):
        clock.time = start + hour * 3600
        store.remember(made(*(f"{hour}-{i}" for i in range(2)), time=clock.time))
        store.flush()
    store._next_prune = 0.0
    store._tidy()
    assert sorted(row.id[0] for row in read(url, select(predictions.c.id))) == list("112233")
    assert label(store, item("3-0"), item("0-0")) == ["counted", "waiting"]


def test_coverage_is_told_by_age(make_store):
    """The snapshot says how many predictions of each age have a label, and what is pending."""
    clock = Clock()
    clock.time = clock.time // 3600 * 3600 + 1800.0
    store = by_hand(make_store(clock=clock))
    ages = {"new": 0.0, "day": 0.6 * DAY, "week": 5 * DAY, "old": 80 * DAY}
    for name, age in ages.items():
        store.remember(made(*(f"{name}{i}" for i in range(3)), time=clock.time - age))
    label(store, item("new0"), item("old0"), item("old1"), item("old2"))
    state = store.snapshot(ages=(3600, DAY, 7 * DAY))
    assert [(c.age, c.predictions, c.labels) for c in state.coverage] == [
        (3600, 3, 1),
        (DAY, 3, 0),
        (7 * DAY, 3, 0),
        (math.inf, 3, 3),
    ]
    [progress] = state.progress
    assert progress[:3] == ("late", "1", 8)
    assert progress.oldest_pending == (clock.time - 5 * DAY) // 3600 * 3600
    assert progress.last_label == pytest.approx(clock.time)
    assert store.snapshot(ages=()).coverage[0][2:] == (math.inf, 12, 4)


def test_an_empty_store_has_a_snapshot(store):
    """A store in which nothing was counted has an id and nothing else."""
    state = store.snapshot()
    assert state.store == store.id != ""
    assert (state.totals, state.coverage, state.progress, state.waiting) == ((), (), (), 0)


def test_declared_series_are_there_at_zero(make_store):
    """Declared series are exported by everybody from the start, and never set back."""
    store = make_store()
    store.declare("late", "1", [("bin", ("", "03", "1")), ("bin", ("", "04", "1"))])
    store.remember(made("a"))
    label(store, item("a"))
    again = make_store()
    again.declare("late", "1", [("bin", ("", "03", "1")), ("bin", ("", "05", "1"))])
    found = {t.labels: t.value for t in again.snapshot().totals if t.metric == "bin"}
    assert found == {("", "03", "1"): 1, ("", "04", "1"): 0, ("", "05", "1"): 0}
    assert again.id == store.id


def test_one_call_labels_ten_thousand(store, url):
    """A batch of 10,000 labels is answered in order, over several transactions."""
    ids = [new_id() for _ in range(10_000)]
    assert store.remember(made(*ids)) == 0
    found = label(store, *(item(id_, i % 2) for i, id_ in enumerate(ids)), item("?"))
    assert found == ["counted"] * 10_000 + ["waiting"]
    assert check_books(url) == 10_000


def test_threads_count_each_label_once(store, url):
    """Several threads that bring the same labels count each of them once."""
    ids = [new_id() for _ in range(300)]
    store.remember(made(*ids))
    found = []

    def work(order):
        for start in range(0, len(order), 30):
            found.extend(label(store, *map(item, order[start : start + 30])))

    threads = [threading.Thread(target=work, args=(ids[i:] + ids[:i],)) for i in (0, 50, 150, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count("counted") == 300
    assert found.count("duplicate") == 900
    assert check_books(url) == 300


def test_a_closed_store_drops_what_comes_later(store):
    """Closing writes what waits; what is remembered later is dropped and counted."""
    store.remember(made("a"))
    assert store.close() is True
    assert store.remember(made("b", "c")) == 2
    assert store.dropped == {"closed": 2}


def test_another_process_finds_what_was_closed(make_store):
    """What was remembered before closing is there for the next process."""
    first = make_store()
    first.remember(made("a"))
    first.close()
    second = make_store()
    assert label(second, item("a")) == ["counted"]
    assert second.id == first.id


@pytest.mark.parametrize("name", ["retention_days", "grace_seconds", "capacity", "timeout_seconds"])
def test_settings_are_checked(make_store, name):
    """A setting that cannot work is refused with its name and value."""
    with pytest.raises(ConfigurationError, match=f"{name} must be above 0, not 0"):
        make_store(**{name: 0})


def test_a_store_starts_no_thread_until_it_is_used(make_store):
    """Opening a store starts nothing; the first prediction starts the thread."""
    before = threading.active_count()
    store = make_store()
    assert threading.active_count() == before
    store.remember(made("a"))
    assert threading.active_count() == before + 1
    store.close()
    assert threading.active_count() == before
