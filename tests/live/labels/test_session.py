"""Transactions that pass each other by, which needs PostgreSQL: SQLite has one at a time."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress

import pytest

from live.labels.common import check_books, label, made, now, open_store, tally
from modelmeter.live.labels.database import Database
from modelmeter.live.labels.records import Label
from modelmeter.live.labels.session import CollisionError, Policy, Session

POLICY = Policy(tally, 90 * 86_400.0, 600.0)


@pytest.fixture
def begin(postgres):
    """Begin sessions on one PostgreSQL database; what is labelled there is checked by its url."""
    url = postgres.new_schema()
    database = Database(url)

    @contextmanager
    def begin(later=0.0):
        with database.transaction() as connection:
            session = Session(connection, database, POLICY, now() + later)
            yield session
            session.finish()

    with begin() as session:
        session.key("late", "1")
    begin.url = url
    yield begin
    database.close()


def kinds(outcomes):
    return [outcome and str(outcome.kind) for outcome in outcomes]


def test_a_label_and_its_prediction_that_miss_each_other_are_matched(begin):
    """Neither transaction sees the other's row; the last look before the orphan finds it."""
    with begin() as writing:
        writing.add(made("a"))
        with begin() as labelling:
            labels = [Label("a", "1", now())]
            assert labelling.label(labels, "late", "1") == [None]
            assert kinds(labelling.wait(labels, "late", "1")) == ["waiting"]
    assert check_books(begin.url) == 0
    with begin(later=599) as early:
        assert early.settle_overdue() == 0
    with begin(later=601) as late:
        assert late.settle_overdue() == 1
    assert check_books(begin.url) == 1


def test_a_label_after_a_missed_one_obeys_it(begin):
    """The first label of an id stays, even where it still waits beside its prediction."""
    with begin() as writing:
        writing.add(made("a"))
        with begin() as labelling:
            labelling.wait([Label("a", "1", now())], "late", "1")
    with begin() as later:
        assert kinds(later.label([Label("a", "0", now())], "late", "1")) == ["contradiction"]
    assert check_books(begin.url) == 1


def test_a_label_waits_for_the_one_who_holds_the_row(begin):
    """The second to bring a label waits for the first's commit, and is told 'duplicate'."""
    with begin() as writing:
        writing.add(made("a"))
    second = []

    def work():
        with begin() as session:
            waits.set()
            second.extend(kinds(session.label([Label("a", "1", now())], "late", "1")))

    waits = threading.Event()
    thread = threading.Thread(target=work)
    with begin() as session:
        assert kinds(session.label([Label("a", "1", now())], "late", "1")) == ["counted"]
        thread.start()
        assert waits.wait(10)
        thread.join(0.1)
        assert second == []
    thread.join()
    assert second == ["duplicate"]
    assert check_books(begin.url) == 1


def test_ids_that_two_write_at_once_are_counted_once(begin):
    """The later of two transactions that write one id is told to try again, and then leaves it."""
    collided = []

    def work():
        try:
            with begin() as session:
                session.add(made("a", "c"))
        except CollisionError as error:
            collided.append(error)

    with begin() as session:
        session.add(made("a", "b"))
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(0.2)
    thread.join()
    assert len(collided) == 1
    with begin() as session:
        assert session.add(made("a", "c", "c")) == 2
    check_books(begin.url)


def test_upkeep_leaves_what_another_works_on(begin):
    """Two processes that tidy at once do not wait for each other."""
    with begin() as session:
        session.wait([Label(f"{i}", "1", now()) for i in range(5)], "late", "1")
    with begin(later=601) as first:
        assert first.settle_overdue() == 5
        with begin(later=601) as second:
            assert second.settle_overdue() == 0


def test_a_rollback_takes_the_count_with_it(begin):
    """When a transaction fails after counting, neither label nor count is there."""
    with begin() as session:
        session.add(made("a"))
    with suppress(ZeroDivisionError), begin() as session:
        session.label([Label("a", "1", now())], "late", "1")
        session.finish()
        raise ZeroDivisionError
    assert check_books(begin.url) == 0
    with open_store(begin.url) as store:
        assert label(store, {"prediction_id": "a", "y_true": 1}) == ["counted"]
