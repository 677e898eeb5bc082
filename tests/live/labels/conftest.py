"""Label stores on both real databases."""

from __future__ import annotations

import pytest

from live.labels.common import open_store


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
