"""The example, made once."""

from __future__ import annotations

import pytest

from report import example


@pytest.fixture(scope="session")
def profile():
    """The example's profile."""
    return example.make_profile()


@pytest.fixture(scope="session")
def observed(profile):
    """What was counted in a day of the example."""
    return example.make_observed(profile)
