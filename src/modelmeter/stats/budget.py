"""How large a difference must be to alarm, by how many false alarms somebody accepts.

The threshold on z spreads the budget evenly over all tests of a model and over all looks: how
often `independent_windows` a window says something new. Bonferroni's bound needs no assumption
on how tests depend on each other; where features move together there are fewer false alarms.

The recording rules (`modelmeter.generate.alarms`) compute the same in PromQL; tests hold both
equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelmeter._errors import ConfigurationError
from modelmeter.stats.drift import psi_excess

Floats = NDArray[np.float64]

HOURS_PER_MONTH: Final = 720
"""Thirty days."""

LOOKS: Final = 2.0
"""Independent looks in an hour's window; in one of h hours it is this times the root of h.

Alarm episodes per window length, over the nominal chance of the z, when a window is evaluated
every minute and must alarm for ten. Simulated (``benchmarks/alarms.py --looks``) at z = 3 to 4
and 1, 5 and 11 degrees of freedom, with windows built from 1 h as the rules do: 1.1 at 1 h, 4
at 4 h, 10 at 24 h, 25 at 7 d. That 24 h say ten new things in 24 h is no mistake: what has just
left and just come is enough to cross a line. D. Aldous, "Probability Approximations via the
Poisson Clumping Heuristic" (1989), ch. D.
"""

DAYS_Z: Final = 1.959963984540054
"""95 of 100 days are within so many standard deviations: what `variation` is."""

DAYS: Final = 12
"""Days that the natural variation is worth: it was measured on some weeks, whose days follow
on each other. Chosen by simulation so that the budget is kept: eight weeks, of which a day
keeps 0.7 of the day before; checked on other streams of that kind (``benchmarks/alarms.py``)."""

SUDDEN: Final = 2
"""In the shortest of several windows a rate must differ by so many times `rate_difference`.

That window looks for what breaks suddenly. Hours differ more than days do, and training knows
the variation of days only."""

STUDENT: Final = {
    1: 1 + 1 / (4 * DAYS) + 3 / (96 * DAYS**2),
    3: 1 / (4 * DAYS) + 16 / (96 * DAYS**2),
    5: 5 / (96 * DAYS**2),
}
"""Student's t with `DAYS` degrees of freedom as powers of the normal z."""

HASTINGS: Final = (
    (2.515517, 0.802853, 0.010328),
    (1.0, 1.432788, 0.189269, 0.001308),
)
"""Coefficients above and below the line in `upper_quantile`, by power."""


@dataclass(frozen=True, kw_only=True)
class AlarmBudget:
    """What somebody is willing to be woken for.

    Parameters
    ----------
    alarms_per_month
        False alarms per month and model that are accepted, over all of its features,
        outputs and checks together.
    psi_excess
        How far a distribution must move to matter: PSI beyond sampling noise.
    rate_difference
        How far a share of missing, unseen, ... values must move to matter.

    Raises
    ------
    ConfigurationError
        One of them is not a number above 0, or `rate_difference` is not below 1.
    """

    alarms_per_month: float = 1.0
    psi_excess: float = 0.05
    rate_difference: float = 0.02

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 < value < math.inf:
                raise ConfigurationError(f"{field.name} must be a number above 0, not {value!r}")
        if self.rate_difference >= 1:
            raise ConfigurationError(
                f"rate_difference must be a share below 1, not {self.rate_difference!r}"
            )


def independent_windows(hours: ArrayLike) -> Floats:
    """Return how many independent looks per month a window takes that is evaluated all the time.

    Parameters
    ----------
    hours
        Length of the window, above 0, shape (...).

    Returns
    -------
    Floats
        Shape (...). See `LOOKS`, where it comes from.

    Examples
    --------
    >>> independent_windows([1, 24]).round().tolist()
    [1440.0, 294.0]
    """
    length = np.asarray(hours, dtype=np.float64)
    return np.asarray(HOURS_PER_MONTH / length * LOOKS * np.sqrt(length), dtype=np.float64)


def z_threshold(tests: ArrayLike, hours: ArrayLike, *, alarms_per_month: float = 1.0) -> Floats:
    """Return the z above which a difference is no chance, by the alarm budget.

    Parameters
    ----------
    tests
        One-sided tests per model, over all windows, shape (...): one per feature and output
        for drift, two per check, for a rate may rise or fall.
    hours
        Length of the window, broadcasts with `tests`.
    alarms_per_month
        The budget of the model.

    Returns
    -------
    Floats
        Shape (...), at least 0.

    References
    ----------
    C. E. Bonferroni, "Teoria statistica delle classi e calcolo delle probabilità" (1936).

    Examples
    --------
    >>> z_threshold(450, [1, 24]).round(2).tolist()
    [4.66, 4.33]
    """
    looks = np.asarray(tests, dtype=np.float64) * independent_windows(hours)
    return upper_quantile(alarms_per_month / looks)


def upper_quantile(probability: ArrayLike) -> Floats:
    """Return the z that a standard normal deviate exceeds with this probability.

    Hastings' approximation, off by less than 0.00045: the one that PromQL can say.

    Parameters
    ----------
    probability
        Above 0, shape (...); above one half counts as one half.

    References
    ----------
    M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions" (1964), 26.2.23.
    """
    t = np.sqrt(-2 * np.log(np.minimum(np.asarray(probability, dtype=np.float64), 0.5)))
    above, below = (
        sum(coefficient * t**power for power, coefficient in enumerate(coefficients))
        for coefficients in HASTINGS
    )
    return np.asarray(np.maximum(t - above / below, 0), dtype=np.float64)


def natural_variation(days: ArrayLike, reference: ArrayLike) -> Floats:
    """Return what the drift of a day stays under, 95 times in 100, noise taken off.

    Taking a day's drift for a multiple of a squared normal deviate, as `variation_factor`
    does, that is 3.84 times its mean. The mean of the days' PSI above noise is about 0 where
    nothing varies, however few rows a day has; their own 95th percentile is not: 0.04 at 180
    rows a day.

    Parameters
    ----------
    days
        Training rows per day and bin, shape (..., n_days, n_bins).
    reference
        Training rows per bin, shape (..., n_bins).

    Returns
    -------
    Floats
        Shape (...), at least 0.

    Examples
    --------
    >>> float(natural_variation([[60, 40], [40, 60]], [500, 500]).round(2))
    0.1
    """
    scores = psi_excess(days, np.asarray(reference)[..., None, :])
    return np.asarray(np.maximum(DAYS_Z**2 * scores.mean(axis=-1), 0), dtype=np.float64)


def variation_factor(features: ArrayLike, *, alarms_per_month: float = 1.0) -> Floats:
    """Return how many times its natural variation a feature may drift before it matters.

    95 of 100 days stay under the natural variation; with many features and 30 days a month
    the other five come all the time. Taking the drift of a day for the square of a normal
    deviate (one thing that differs from day to day), the factor stretches it to what the
    budget allows: a quantile of Student's t, for the deviation is known from
    `DAYS` days only.

    Parameters
    ----------
    features
        Features and outputs of the model, shape (...).
    alarms_per_month
        The budget of the model.

    Returns
    -------
    Floats
        Shape (...), at least 1.

    References
    ----------
    M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions" (1964), 26.7.5: t as
    a series in z.

    Examples
    --------
    >>> variation_factor([5, 27, 1000]).round(1).tolist()
    [2.8, 4.5, 10.2]
    """
    days = np.asarray(features, dtype=np.float64) * HOURS_PER_MONTH / 24
    z = upper_quantile(alarms_per_month / (2 * days))
    t = sum(term * z**power for power, term in STUDENT.items())
    return np.asarray(np.maximum((t / DAYS_Z) ** 2, 1), dtype=np.float64)


def drift_that_matters(
    variation: ArrayLike, *, factor: ArrayLike, psi_excess: float = 0.05
) -> Floats:
    """Return the PSI beyond noise from which a feature's drift matters.

    Parameters
    ----------
    variation
        Natural variation of the feature from day to day in training, shape (...); 0 or NaN
        when not known.
    factor
        See `variation_factor`.
    psi_excess
        What matters where nothing varies.
    """
    natural = _natural(variation, factor)
    return np.asarray(np.maximum(natural, psi_excess), dtype=np.float64)


def rate_that_matters(
    reference_rate: ArrayLike,
    variation: ArrayLike,
    *,
    factor: ArrayLike,
    rate_difference: float = 0.02,
) -> Floats:
    """Return the difference from which a share of missing, unseen, ... values matters.

    The days of training bound how much the share of any one bin varied: putting all other
    bins together can only make PSI smaller, and for two bins it is, to second order, the
    squared difference over r (1 - r).

    Parameters
    ----------
    reference_rate
        r, the share in training, shape (...).
    variation, factor
        See `drift_that_matters`.
    rate_difference
        What matters where nothing varies.

    References
    ----------
    I. Csiszár, "Information-type measures of difference of probability distributions and
    indirect observations", Studia Scientiarum Mathematicarum Hungarica 2 (1967).
    """
    share = np.asarray(reference_rate, dtype=np.float64)
    natural = _natural(variation, factor)
    spread = np.sqrt(natural * share * (1 - share))
    return np.asarray(np.maximum(spread, rate_difference), dtype=np.float64)


def _natural(variation: ArrayLike, factor: ArrayLike) -> Floats:
    known = np.nan_to_num(np.asarray(variation, dtype=np.float64))
    return np.asarray(known * np.asarray(factor, dtype=np.float64), dtype=np.float64)
