"""What all figures share: estimates, their z, and the rule that errors follow."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelmeter.stats import performance
from modelmeter.stats.performance import Estimate, z_score
from modelmeter.stats.performance.sampling import ratio, smoothed_confusion, standard_error


def estimate(value, error):
    return Estimate(np.asarray(value, float), np.asarray(error, float))


def test_public_names_are_sorted_and_there():
    """``__all__`` is sorted and everything in it exists."""
    assert performance.__all__ == sorted(performance.__all__, key=lambda n: (not n.isupper(), n))
    assert all(hasattr(performance, name) for name in performance.__all__)


def test_z_is_the_difference_over_the_joint_error():
    """Errors of both sides add up as squares; z is negative when production is lower."""
    assert z_score(estimate(0.7, 0.03), estimate(0.8, 0.04)) == pytest.approx(-2)


def test_z_without_any_error_is_nothing_or_endless():
    """Equal values are z = 0, unequal ones infinite, unknown ones NaN."""
    live = estimate([1, 2, 0, math.nan, 1], [0, 0, 0, 0, math.nan])
    found = z_score(live, estimate(1, 0))
    assert found.tolist()[:3] == [0, math.inf, -math.inf]
    assert np.isnan(found[3:]).all()


def test_z_broadcasts():
    """Windows are compared with one baseline at once."""
    live = estimate([[0.5, 0.6], [0.7, 0.8]], np.full((2, 2), 0.1))
    assert z_score(live, estimate(0.6, 0)) == pytest.approx(np.array([[-1, 0], [1, 2]]))


def test_the_delta_method_is_the_binomial_error_of_a_share():
    """The standard error of k of n is sqrt(p (1 - p) / n)."""
    counts = np.array([[30.0, 70.0]])
    found = ratio(counts, np.array([1.0, 0.0]), np.ones(2))
    assert standard_error(counts, found.gradient) == pytest.approx(math.sqrt(0.3 * 0.7 / 100))


def test_pseudo_rows_are_right_as_often_as_wrong():
    """Two rows of either kind altogether, or one of either in every true class."""
    empty = np.zeros((4, 4))
    overall, each = (smoothed_confusion(empty, overall=o) for o in (True, False))
    assert np.trace(overall) == pytest.approx(2)
    assert overall.sum() == pytest.approx(4)
    assert each.sum(axis=1) == pytest.approx(2)
    assert np.diagonal(each) == pytest.approx(1)
    assert (smoothed_confusion(np.zeros((2, 2)), overall=True) == 1).all()
    assert smoothed_confusion(np.ones((1, 1)), overall=True).tolist() == [[1]]
