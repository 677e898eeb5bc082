"""Names of bins are readable, short, and no two alike."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelmeter.stats.edges import quantile_edges
from modelmeter.stats.labels import category_labels, hash_category, interval_labels, is_label, plain

patient = settings(deadline=None, max_examples=150)


def labels_of(*values, bins=10):
    """Return the labels of a column's intervals."""
    return interval_labels(quantile_edges(np.asarray(values, dtype=float), bins))


@patient
@given(st.lists(st.floats(-1e100, 1e100), min_size=1), st.booleans())
def test_intervals_are_told_apart(values, is_time):
    """No two intervals have one name, however close their edges."""
    edges = quantile_edges(np.asarray(values), 40)
    labels = interval_labels(edges, is_time=is_time)
    assert len(labels) == len(set(labels)) == len(edges) - 1


@patient
@given(
    st.floats(-1e9, 1e9),
    st.lists(st.integers(1, 5), min_size=1, max_size=20),
)
def test_neighbouring_floats(start, steps):
    """Edges that are a few bits apart still make names of their own."""
    edges = [start]
    for step in steps:
        edges.append(edges[-1])
        for _ in range(step):
            edges[-1] = math.nextafter(edges[-1], math.inf)
    for is_time in (False, True):
        assert len(set(interval_labels(edges, is_time=is_time))) == len(edges) - 1


def test_readable_intervals():
    """Edges are written as short as keeps them apart; the last interval is closed."""
    assert labels_of(12, 15.5, 20, bins=2) == ["[12, 15.5)", "[15.5, 20]"]
    assert labels_of(*range(100), bins=4) == ["[0, 25)", "[25, 50)", "[50, 75)", "[75, 99]"]
    assert labels_of(-0.0, 0.1, 0.30000000000000004) == ["[0, 0.1)", "[0.1, 0.3)", "0.3"]
    assert labels_of(1 / 3, 2 / 3) == ["[0.333333, 0.666667)", "0.666667"]
    assert labels_of(1e-9, 2e-9) == ["[1e-09, 2e-09)", "2e-09"]
    assert labels_of(1e20, 2e20) == ["[1e+20, 2e+20)", "2e+20"]
    assert labels_of(7) == ["7"]
    assert labels_of(1000000.25, 1000000.5) == ["[1000000.25, 1000000.5)", "1000000.5"]


def test_negative_zero():
    """Zero has no sign."""
    assert interval_labels((-0.0, 1.0, 2.0))[0] == "[0, 1)"
    assert interval_labels((-1e-9, 5.0))[0] == "[-1e-09, 5]"


def test_times():
    """Times are written as dates, with the time of day where there is one."""
    days = [1356998400.0, 1357084800.0, math.nextafter(1357171200.0, math.inf)]
    assert interval_labels(days, is_time=True) == [
        "[2013-01-01, 2013-01-02)",
        "[2013-01-02, 2013-01-03]",
    ]
    assert interval_labels([0.0, 0.5, 3600.0, math.nextafter(1e300, 1e301)], is_time=True) == [
        "[1970-01-01, 1970-01-01T00:00:00.500000)",
        "[1970-01-01T00:00:00.500000, 1970-01-01T01:00:00)",
        "[1970-01-01T01:00:00, 1.0000000000000001e+300]",
    ]


def test_categories():
    """Categories are named by their text."""
    assert category_labels(["JFK", 1, 1.5, 2.0, True, np.int64(3), Decimal("2.5")]) == [
        "JFK", "1", "1.5", "2", "True", "3", "2.5",
    ]  # fmt: skip


def test_reserved_names():
    """A category named like a special bin is told from it."""
    assert category_labels(["missing", "other", "missing (category)"]) == [
        "missing (category)",
        "other (category)",
        "missing (category) (category)",
    ]


def test_awkward_categories():
    """Empty, long and unencodable texts get names that an exposition can hold."""
    labels = category_labels(["", "\ud800", "x" * 100, "x" * 99 + "y", "line\nbreak"])
    assert labels[0] == "(empty)"
    assert labels[1] == "\\ud800"
    assert labels[2] != labels[3]
    assert all(len(label) <= 60 and label.encode() for label in labels)


@patient
@given(st.lists(st.one_of(st.text(st.characters()), st.integers()), unique_by=str))
def test_categories_are_told_apart(categories):
    """No two categories have one name."""
    labels = category_labels(categories)
    assert len(set(labels)) == len(categories)
    assert not {"other", "unseen", "missing", "invalid"} & set(labels)


@pytest.mark.parametrize(
    "equal",
    [
        (1, 1.0, True, np.int8(1), np.float32(1), Decimal(1), Fraction(1), np.bool_(True)),
        (0.5, np.float64(0.5), Decimal("0.5"), Fraction(1, 2)),
        ("JFK", np.str_("JFK")),
    ],
)
def test_equal_values_have_one_hash(equal):
    """Values that are equal have one hash, whatever their type."""
    assert len({hash_category(value) for value in equal}) == 1


def test_hashes():
    """A hash is eight hexadecimal digits, of any text at all, and of different texts differs."""
    values = ["JFK", "JFK ", "", "\ud800", "x" * 1_000_000, -1, 2.5, math.inf, 10**400]
    hashes = {hash_category(value) for value in values}
    assert len(hashes) == len(values)
    assert all(len(h) == 8 and int(h, 16) >= 0 for h in hashes)


def test_plain():
    """Scalars of numpy become Python's own, whole floats integers."""
    for value, expected in (
        (np.float32(2), 2),
        (np.str_("a"), "a"),
        (2.5, 2.5),
        (math.inf, math.inf),
    ):
        assert plain(value) == expected
        assert type(plain(value)) is type(expected)


def test_is_label():
    """A label is neither blank nor beyond UTF-8."""
    assert is_label("a b")
    assert not any(map(is_label, ("", " ", "\n", "\ud800")))
