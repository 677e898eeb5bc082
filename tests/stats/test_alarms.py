"""States: alarms, fine, or too few rows to tell; against scipy and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from modelmeter.stats.alarms import (
    LARGE,
    State,
    detectable_drift,
    detectable_rate,
    drift_state,
    minimum_rate_rows,
    minimum_rows,
    rate_state,
    worse_state,
)
from modelmeter.stats.drift import g_test
from modelmeter.stats.rates import rate_z

Z = 4.5
TRAINING = np.full(10, 2_000)


def threshold(df, z):
    """G at which Wilson and Hilferty's z is `z`."""
    spread = 2 / (9 * df)
    return df * (1 - spread + z * np.sqrt(spread)) ** 3


@pytest.mark.parametrize("df", [1, 3, 11, 40])
@pytest.mark.parametrize("z", [3.0, 4.5, 5.5])
def test_detectable_drift_has_the_power_it_says(df, z):
    """A drift of the size said is seen four times in five, by the noncentral chi-square."""
    n, m = 1_000, 20_000
    size = float(detectable_drift(df, n, m, z=z))
    noncentrality = size / (1 / n + 1 / m)
    power = stats.ncx2.sf(threshold(df, z), df, noncentrality)
    assert power == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("matters", [0.05, 0.2])
def test_minimum_rows_show_a_drift_that_matters(matters):
    """With the minimum of rows, drifted multinomial samples exceed z in three of four or more."""
    random = np.random.default_rng(0)
    q = np.full(10, 0.1)
    tilt = np.linspace(-1, 1, 10)
    p = q * (1 + tilt * np.sqrt(matters / (q * tilt**2).sum()) * 0.98)
    m = 20_000
    n = int(minimum_rows(9, m, z=Z, matters=matters))
    live, training = random.multinomial(n, p, size=4000), random.multinomial(m, q, size=4000)
    assert 0.7 < (g_test(live, training)[2] > Z).mean() < 0.95


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3])
def test_minimum_rate_rows_show_a_rate_that_matters(share):
    """With the minimum of rows, a rate that differs enough is seen in three of four or more."""
    random = np.random.default_rng(1)
    m, matters = 200_000, 0.02
    n = int(minimum_rate_rows(share, m, z=Z, matters=matters))
    live = random.binomial(n, share + matters, size=20_000)
    training = random.binomial(m, share, size=20_000)
    assert 0.7 < (rate_z(live, n, training, m) > Z).mean() <= 1


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.98, 1])
def test_minimum_rows_are_where_enough_begins(share):
    """One row less is insufficient data, for drift and for rates: both formulas agree."""
    m = 100_000
    n = minimum_rate_rows(share, m, z=Z)
    assert detectable_rate(share, [n, n * 0.999], m, z=Z).tolist() == [
        pytest.approx(0.02),
        pytest.approx(0.02, rel=1e-2),
    ]
    total = np.array([np.ceil(n) + 1, np.floor(n) - 1])
    states = rate_state(share * total, total, share * m, m, z=Z)
    assert states.tolist() == [State.OK, State.FEW_ROWS]
    per_bin = minimum_rows(9, TRAINING.sum(), z=Z) / 10
    live = np.array([np.full(10, per_bin + 1), np.full(10, per_bin - 1)])
    assert drift_state(live, TRAINING, z=Z).tolist() == [State.OK, State.FEW_ROWS]


def test_minimum_rows_are_infinite_where_training_is_too_small():
    """No number of live rows makes up for a training set that is too small to compare with."""
    assert np.isinf(minimum_rows(9, 500, z=Z))
    assert np.isinf(minimum_rate_rows(0.3, 500, z=Z))
    assert np.isfinite(minimum_rows(9, 5_000, z=Z))


def test_few_rows_are_neither_ok_nor_an_alarm():
    """All rows in one bin, or all missing: too few is too few, in any case of drift."""
    moved = np.zeros(10)
    moved[0] = 1
    rows = np.arange(1, int(minimum_rows(9, TRAINING.sum(), z=Z, matters=LARGE * 0.05)))
    states = drift_state(moved * rows[:, None], TRAINING, z=Z)
    assert set(states.tolist()) == {State.FEW_ROWS}
    rows = np.arange(1, int(minimum_rate_rows(0, 20_000, z=Z, matters=LARGE * 0.02)))
    assert set(rate_state(rows, rows, 0, 20_000, z=Z).tolist()) == {State.FEW_ROWS}


def test_between_the_limits_only_a_large_change_is_told():
    """With rows for a large change but not for one that matters, it is drift or not known."""
    n = 5 * int(minimum_rows(9, TRAINING.sum(), z=Z, matters=LARGE * 0.05)) // 4
    assert n < minimum_rows(9, TRAINING.sum(), z=Z)
    shifted = np.linspace(2, 0.1, 10)
    live = np.array([np.full(10, n / 10), n * shifted / shifted.sum()])
    assert drift_state(live, TRAINING, z=Z).tolist() == [State.FEW_ROWS, State.DRIFT]
    assert rate_state([2, 60], 200, 400, 20_000, z=Z).tolist() == [State.FEW_ROWS, State.DRIFT]


def test_real_but_small_is_ok():
    """With very many rows a difference that does not matter is ok, however real."""
    live = np.array([104, 96] * 5) * 10_000
    assert g_test(live, TRAINING * 1000)[2] > 50
    assert drift_state(live, TRAINING * 1000, z=Z) == State.OK
    assert rate_state(11_000, 1_000_000, 100_000, 10_000_000, z=Z) == State.OK
    assert drift_state(live, TRAINING * 1000, z=Z, matters=0.001) == State.DRIFT


def test_rates_alarm_either_way():
    """A share that falls to nothing is a change like one that rises."""
    assert rate_state([0, 1_000], 5_000, 2_000, 20_000, z=Z).tolist() == [
        State.DRIFT,
        State.DRIFT,
    ]


def test_no_rows_are_insufficient_and_no_warning():
    """Nothing live is few rows; nothing in training is few training rows, whatever is live."""
    empty = np.zeros(10)
    assert drift_state(empty, TRAINING, z=Z) == State.FEW_ROWS
    assert drift_state(TRAINING, empty, z=Z) == State.FEW_TRAINING_ROWS
    assert drift_state(empty, empty, z=Z) == State.FEW_TRAINING_ROWS
    assert rate_state(0, 0, 1, 10_000, z=Z) == State.FEW_ROWS
    assert rate_state(1, 10, 0, 0, z=Z) == State.FEW_TRAINING_ROWS
    assert np.isinf(detectable_drift(9, 0, 100, z=Z))
    assert detectable_rate(0.2, 0, 100, z=Z) == pytest.approx(0.8)


def test_feature_of_one_value_is_ok():
    """One bin in use on both sides has not drifted."""
    assert drift_state([0, 5_000], [0, 20_000], z=Z) == State.OK


def test_thresholds_broadcast():
    """Windows and features may each have their own z and their own size that matters."""
    live = np.stack([TRAINING, TRAINING[::-1] * np.linspace(1.5, 0.5, 10)])
    z, matters = np.array([[4.0], [90.0]]), np.array([0.05, 0.01])
    states = drift_state(live, TRAINING, z=z, matters=matters)
    assert states.shape == (2, 2)
    assert states[0].tolist() == [State.OK, State.DRIFT]
    assert State.DRIFT not in states[1]
    assert rate_state([[10], [900]], 5_000, 20, 20_000, z=z[:, 0]).shape == (2, 2)


@pytest.mark.parametrize("bins", [2, 12, 30])
@pytest.mark.parametrize("skew", [0.0, 1.2])
@pytest.mark.parametrize("n", [100, 250, 1000])
def test_z_promises_its_tail_for_few_rows_too(bins, skew, n):
    """Without drift z exceeds 3 at most 3.5 times as often as a normal deviate does.

    The worst is 100 rows in 30 bins; from eight rows to a bin on it is at most twice.
    """
    random = np.random.default_rng(bins * n)
    shares = 1 / np.arange(1, bins + 1) ** skew
    shares /= shares.sum()
    live = random.multinomial(n, shares, size=100_000)
    training = random.multinomial(10_000, shares, size=100_000)
    often = (g_test(live, training)[2] > 3).mean() / stats.norm.sf(3)
    assert often < 3.5


@pytest.mark.parametrize(
    ("loss", "error", "rows", "state"),
    [
        (0.05, 0.01, 1_000, State.DRIFT),
        (0.05, 0.013, 1_000, State.FEW_ROWS),  # could be chance
        (0.019, 0.001, 1_000, State.OK),  # real, and does not matter
        (0.05, 0.0, 1_000, State.DRIFT),
        (0.0, 0.0, 1_000, State.OK),
        (-0.3, 0.001, 1_000, State.OK),
        (0.0, 0.004, 1_000, State.OK),
        (0.0, 0.005, 1_000, State.FEW_ROWS),  # what matters would not be seen
        (0.5, 0.001, 199, State.FEW_ROWS),
        (np.nan, 0.001, 1_000, State.FEW_ROWS),
        (0.5, np.nan, 1_000, State.FEW_ROWS),
    ],
)
def test_worse_is_real_and_matters(loss, error, rows, state):
    """Performance is worse if it is no chance and matters, ok if what matters would be seen."""
    assert worse_state(loss, error, rows, z=4, matters=0.02) == state
