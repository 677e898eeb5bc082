"""Drift of all features at once: the numbers of one feature at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelmeter.stats.drift import DriftScores, TrainedFeature, Training, drift

NUMERIC = ["below", "interval", "interval", "above", "missing", "invalid"]
CATEGORICAL = ["category", "category", "category", "other", "unseen", "missing", "invalid"]
ORDERED = [True, True, True, True, False, False]
PLAIN = ("psi", "psi_excess", "kl", "tvd", "ks", "wasserstein", "df", "rows", "reference_rows")


@st.composite
def features(draw):
    """Some features of both kinds with live and training rows, perhaps none on either side."""
    found = []
    for is_numeric in draw(st.lists(st.booleans(), min_size=1, max_size=5)):
        kinds = NUMERIC if is_numeric else CATEGORICAL
        size = len(kinds)
        rows = st.lists(st.integers(0, 1_000_000) | st.just(0), min_size=size, max_size=size)
        live, training = draw(rows | st.just([0] * size)), draw(rows | st.just([0] * size))
        gaps = draw(st.none() | st.lists(st.floats(0, 10), min_size=4, max_size=4))
        order = (ORDERED, gaps) if is_numeric else (None, None)
        found.append((TrainedFeature(training, kinds, *order), live))
    return found


def alone(one: TrainedFeature, live: list[int]) -> DriftScores:
    """Compute the statistics of one feature by the functions for one."""
    return drift(live, one.reference, kinds=one.kinds, ordered=one.ordered, gaps=one.gaps)


def assert_same(found: DriftScores, expected: DriftScores) -> None:
    """Compare every number to 1e-12, roots and differences of large sums before they are taken."""
    n = expected.rows + expected.reference_rows
    of_sums = 1e-12 * max(n * np.log(n or 1), 1)
    for name in PLAIN:
        assert getattr(found, name) == pytest.approx(
            getattr(expected, name), rel=1e-12, abs=1e-12, nan_ok=True
        ), name
    for name in ("js_distance", "hellinger"):
        a, b = getattr(found, name) ** 2, getattr(expected, name) ** 2
        assert a == pytest.approx(b, rel=1e-12, abs=1e-12, nan_ok=True), name
    assert found.g == pytest.approx(expected.g, abs=of_sums, nan_ok=True)
    spread = 2 / (9 * expected.df)
    cubes = [(z * np.sqrt(spread) + 1 - spread) ** 3 for z in (found.g_z, expected.g_z)]
    assert cubes[0] == pytest.approx(cubes[1], abs=of_sums, nan_ok=True)
    assert found.checks.keys() == expected.checks.keys()
    for check, of in expected.checks.items():
        got = found.checks[check]
        assert (got.rate, got.reference_rate) == pytest.approx(
            (of.rate, of.reference_rate), rel=1e-12, nan_ok=True
        )
        assert got.z * abs(got.z) == pytest.approx(of.z * abs(of.z), abs=of_sums, nan_ok=True)


@given(features())
def test_all_at_once_equals_one_at_a_time(pairs):
    """Every statistic of every feature is the one that `drift` computes of it alone."""
    training = Training([one for one, _ in pairs])
    table = training.compare(np.concatenate([live for _, live in pairs]))
    for i, (one, live) in enumerate(pairs):
        assert_same(training.one(table, i), alone(one, live))


def test_many_windows_are_compared_at_once():
    """Leading axes are windows: each row of counts gives the numbers that it gives alone."""
    random = np.random.default_rng(0)
    sizes = [6, 7, 6]
    kinds = [NUMERIC, CATEGORICAL, NUMERIC]
    orders = [(ORDERED, [1.0, 2.0, 3.0, 0.0]), (None, None), (ORDERED, None)]
    training = Training(
        [
            TrainedFeature(random.integers(0, 99, size), of, *order)
            for size, of, order in zip(sizes, kinds, orders, strict=True)
        ]
    )
    windows = random.integers(0, 50, (4, sum(sizes)))
    table = training.compare(windows)
    for i, window in enumerate(windows):
        of_one = training.compare(window)
        for name in DriftScores.__dataclass_fields__.keys() - {"checks", "reference_rows"}:
            assert getattr(table, name)[i] == pytest.approx(getattr(of_one, name), nan_ok=True)
        assert table.check_z[i] == pytest.approx(of_one.check_z, nan_ok=True)


def test_features_without_order_or_kinds():
    """Without ordered bins there is no KS, without kinds no check; the rest is there."""
    training = Training([TrainedFeature([50, 50]), TrainedFeature([10, 20, 30])])
    table = training.compare([80, 20, 1, 2, 3])
    assert training.checks == []
    assert table.check_z.shape == (0,)
    assert np.isnan([*table.ks, *table.wasserstein]).all()
    assert table.psi[0] == pytest.approx(drift([80, 20], [50, 50]).psi)
