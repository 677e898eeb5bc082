"""Probabilities by bin: what was measured where there are rows, a curve where there are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelmeter.stats.performance import binary_ratios, multiclass_ratios
from modelmeter.stats.performance.calibration import PRIOR_ROWS

MIDDLES = (np.arange(20) + 0.5) / 20


def log_odds(p):
    return np.log(p / (1 - p))


@settings(deadline=None, max_examples=50)
@given(arrays(np.int64, (6, 2), elements=st.integers(0, 10_000) | st.just(0)))
def test_probabilities_are_probabilities(counts):
    """Whatever the counts, each bin's probabilities are inside (0, 1) and sum to 1."""
    for scores, probabilities in ((np.linspace(0, 1, 6), True), (np.linspace(-9, 40, 6), False)):
        found = binary_ratios(counts, scores, probabilities=probabilities)
        assert found.ratios.sum(axis=1) == pytest.approx(1)
        assert (found.ratios > 0).all()
        assert found.rows.tolist() == counts.sum(axis=1).tolist()


def test_without_rows_a_probability_is_taken_at_its_word():
    """Nothing measured: the score itself."""
    found = binary_ratios(np.zeros((20, 2)), MIDDLES)
    assert found.ratios[:, 1] == pytest.approx(MIDDLES)


def test_many_rows_are_what_they_were_measured():
    """With 100,000 rows in a bin its probability is its share, however odd the others."""
    share = np.array([0.1, 0.7, 0.2, 0.9])
    counts = np.stack([1 - share, share], axis=1) * 1e5
    found = binary_ratios(counts, [0.1, 0.4, 0.6, 0.9])
    assert found.ratios[:, 1] == pytest.approx(share, abs=1e-4)


def test_a_bin_without_rows_follows_the_curve_of_the_others():
    """An overconfident model's empty bins are as overconfident as the rest."""
    true = 1 / (1 + np.exp(-0.5 * log_odds(MIDDLES)))
    rows = np.where((MIDDLES > 0.2) & (MIDDLES < 0.8), 1e5, 0)
    found = binary_ratios(np.stack([1 - true, true], axis=1) * rows[:, None], MIDDLES)
    assert found.ratios[:, 1] == pytest.approx(true, abs=0.005)


def test_one_row_hardly_counts():
    """One positive row in an otherwise empty bin moves its probability by about 1 in 11."""
    counts = np.stack([1 - MIDDLES, MIDDLES], axis=1) * 1000
    counts[2] = 0
    before = binary_ratios(counts, MIDDLES).ratios[2, 1]
    counts[2, 1] = 1
    after = binary_ratios(counts, MIDDLES).ratios[2, 1]
    assert after - before == pytest.approx((1 - before) / (PRIOR_ROWS + 1), rel=0.05)


@pytest.mark.parametrize("probabilities", [True, False])
def test_perfect_separation_stays_finite(probabilities):
    """Outcomes that the score tells apart without error give no 0, no 1, no overflow."""
    counts = np.array([[100, 0], [50, 0], [0, 0], [0, 60], [0, 90]])
    scores = [0.1, 0.3, 0.5, 0.7, 0.9] if probabilities else [-40, -3, 0, 5, 90]
    found = binary_ratios(counts, scores, probabilities=probabilities).ratios[:, 1]
    assert (np.diff(found) > 0).all()
    assert 0 < found[0] < 0.02
    assert 0.98 < found[-1] < 1


def test_a_score_that_means_the_opposite_is_believed_so():
    """A curve may fall: an estimated AUC below one half is a finding, not to be ironed out."""
    counts = np.stack([MIDDLES, 1 - MIDDLES], axis=1) * 1000
    found = binary_ratios(counts, MIDDLES).ratios[:, 1]
    assert found == pytest.approx(1 - MIDDLES, abs=0.01)


def test_sparse_bins_come_closer_to_the_truth_than_their_shares():
    """On 500 rows crowded in few bins the error over all bins is less than half of Jeffreys'."""
    random = np.random.default_rng(0)
    true = 1 / (1 + np.exp(-0.7 * log_odds(MIDDLES) + 0.3))
    crowded = np.exp(-8 * MIDDLES)
    errors = np.zeros(2)
    for _ in range(100):
        rows = random.multinomial(500, crowded / crowded.sum())
        hits = random.binomial(rows, true)
        found = binary_ratios(np.stack([rows - hits, hits], axis=1), MIDDLES).ratios[:, 1]
        jeffreys = (hits + 0.5) / (rows + 1)
        errors += np.mean((found - true) ** 2), np.mean((jeffreys - true) ** 2)
    assert np.sqrt(errors[0]) < 0.5 * np.sqrt(errors[1])


@settings(deadline=None, max_examples=50)
@given(arrays(np.int64, (2, 5, 2), elements=st.integers(0, 500)))
def test_two_classes_by_prediction_are_two_binary_cases(counts):
    """By predicted class, the chance of being right is the binary estimate."""
    confidence = np.linspace(0.55, 0.95, 5)
    found = multiclass_ratios(counts, confidence)
    for said in range(2):
        one = binary_ratios(counts[said][:, :: 1 if said else -1], confidence)
        assert found.ratios[said, :, said] == pytest.approx(one.ratios[:, 1])


@settings(max_examples=30, deadline=None)
@given(arrays(np.int64, (4, 3, 4), elements=st.integers(0, 50) | st.just(0)))
def test_classes_share_all_probability(counts):
    """Whatever the counts, probabilities over the true classes are positive and sum to 1."""
    for scores in (None, [0.4, 0.6, 0.9]):
        found = multiclass_ratios(counts, scores)
        assert found.ratios.shape == counts.shape
        assert found.ratios.sum(axis=-1) == pytest.approx(1)
        assert (found.ratios > 0).all()


def test_wrong_rows_go_where_wrong_rows_went():
    """In a bin without rows, classes that were confused before are confused again."""
    counts = np.zeros((3, 2, 3))
    counts[0, 0] = [900, 90, 10]
    counts[1, 0, 1] = counts[2, 0, 2] = 1000
    found = multiclass_ratios(counts, [0.9, 0.6]).ratios[0, 1]
    assert found[1] / found[2] == pytest.approx(9, rel=0.1)
    assert found[0] == pytest.approx(0.6, abs=0.05)
