"""Both real databases, for every test of the label store."""

from __future__ import annotations

import pytest

from live.labels.common import open_store
from real.postgres import Postgres


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL for all tests; each has a schema of its own in it."""
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Where nothing is yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/labels.db"
    return request.getfixturevalue("postgres").new_schema()


@pytest.fixture
def make_store(url):
    """Open stores on the same database, each as another process would; close them at the end."""
    opened = []

    def make(**more):
        opened.append(open_store(more.pop("url", url), **more))
        return opened[-1]

    yield make
    for store in opened:
        store.close(1)


@pytest.fixture
def store(make_store):
    """A store with the default settings."""
    return make_store()
