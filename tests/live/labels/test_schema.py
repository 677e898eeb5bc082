"""Stores of other versions."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import create_engine, select

from live.labels.common import item, label, made, open_store, read
from modelmeter._errors import ConfigurationError
from modelmeter.live.labels.schema import SCHEMA_VERSION, metadata, schema_version
from modelmeter.live.labels.urls import parse_url


def run(url, statement):
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


def test_a_store_says_who_made_it(make_store, url):
    """A store carries its schema version, its writer's version and an id of its own."""
    store = make_store()
    [row] = read(url, select(schema_version))
    assert (row.version, row.store) == (SCHEMA_VERSION, store.id)
    assert row.writer.startswith("modelmeter ")
    assert row.opened >= row.created > 1.7e9


def test_a_newer_store_is_refused(make_store, url):
    """A store of a newer schema is refused, and not touched."""
    make_store().close()
    newer = schema_version.update().values(version=SCHEMA_VERSION + 1, writer="modelmeter 9.9")
    run(url, newer)
    with pytest.raises(ConfigurationError, match=r"schema 2, written by modelmeter 9\.9") as caught:
        make_store()
    assert "upgrade it, or give another store" in str(caught.value)


def test_a_store_that_is_replaced_is_made_anew(make_store, url):
    """When the tables disappear under a running process, the next transaction makes them."""
    store = make_store()
    label(store, item("a"), predictions=made("a"))
    engine = create_engine(parse_url(url))
    metadata.drop_all(engine)
    engine.dispose()
    store.remember(made("b"))
    assert store.flush(20)
    assert label(store, item("b")) == ["counted"]


def test_tables_carry_the_packages_name():
    """In a database that is shared with others, every table says whose it is."""
    assert all(table.name.startswith("modelmeter_") for table in metadata.tables.values())


def test_no_features_are_kept():
    """What is kept of a prediction is what counts its label, and nothing else."""
    kept = [c.name for c in metadata.tables["modelmeter_predictions"].columns]
    answer = ["y_pred", "ord", "bin", "value", "segments", "center"]
    assert kept == ["id", "model_key", "time", *answer, "y_true"]


def test_stores_opened_at_once_agree(url):
    """Stores that are opened at the same moment on an empty database make it together."""
    found = []

    def work():
        with open_store(url) as store:
            found.append(store.id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
