"""Both real databases, for every test that keeps predictions."""

from __future__ import annotations

import pytest

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
