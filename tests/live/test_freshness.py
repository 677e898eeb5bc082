"""When a feature last had a value, and last changed it, at next to no cost per row."""

from __future__ import annotations

import math

import pytest

from modelmeter.live.counts import Counts
from modelmeter.live.freshness import Freshness


class Looked(dict):
    """A row that knows how often somebody looked at it."""

    looks = 0

    def get(self, *arguments):
        self.looks += 1
        return super().get(*arguments)


@pytest.fixture
def freshness():
    return Freshness(Counts(), ("m", "1"), ["a", "b"])


def test_what_changed_is_not_looked_at_again_within_a_second(freshness):
    """Once every feature has changed, rows are not looked at until the next second."""
    for value in (1.0, 2.0):
        freshness.look(10.0, [{"a": value, "b": value}])
    row = Looked(a=3.0, b=3.0)
    assert not freshness.look(10.5, [row])
    assert row.looks == 0
    assert freshness.look(11.0, [row])
    assert row.looks == 2


def test_a_constant_is_looked_at_a_few_times_a_second(freshness):
    """Of thousands of rows a second with a constant, a small part is looked at."""
    row = Looked(a=1.0, b=2.0)
    for _ in range(3_200):
        freshness.look(10.0, [row])
    assert 64 <= row.looks <= 2 * 140
    assert list(freshness._value_times) == [10.0, 10.0]
    assert list(freshness._change_times) == [0.0, 0.0]


def test_a_change_after_many_equal_rows_is_seen_within_the_second(freshness):
    """A feature that was constant and then differs is noticed a few rows later."""
    for _ in range(1_000):
        freshness.look(10.0, [{"a": 1.0, "b": math.nan}])
    for _ in range(40):
        freshness.look(10.5, [{"a": 2.0, "b": math.nan}])
    assert list(freshness._change_times) == [10.5, 0.0]
    assert list(freshness._value_times) == [10.5, 0.0]


def test_the_first_rows_of_a_second_are_all_looked_at(freshness):
    """At few rows a second none is left out, so a rare value is not missed."""
    for number in range(20):
        freshness.look(10.0 + number / 40, [{"a": 1.0, "b": 5.0 if number == 13 else None}])
    assert list(freshness._value_times) == [10.0 + 19 / 40, 10.0 + 13 / 40]
