"""When a difference is an alarm, when it is not, and when there are too few rows to say.

A change alarms when it is **real** (its z is above the threshold that follows from the alarm
budget, see `modelmeter.stats.budget`) and when it **matters** (its size is above what somebody
cares about, and above what days naturally vary by). "Ok" is only said where a change that
matters would have been seen, four times in five. Between the two limits, with rows enough for
a large change only, a large change alarms, and anything else is "insufficient data".

The recording rules (`modelmeter.generate.alarms`) compute the same in PromQL; tests hold both
equal.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelmeter.stats.drift import g_test, psi_excess
from modelmeter.stats.rates import rate, rate_z

Floats = NDArray[np.float64]
States = NDArray[np.int8]

LARGE: Final = 5
"""A change of this many times what matters may alarm on fewer rows than "ok" needs."""

POWER_Z: Final = 0.8416212335729143
"""Normal quantile of the power, 0.8: four in five changes that matter would be seen."""


ENOUGH_ROWS: Final = 200
"""Under so many rows standard errors of performance are not to be trusted as far out as alarms
look."""


class State(IntEnum):
    """What is known of a feature over a window; negative where too little is."""

    OK = 0
    DRIFT = 1
    FEW_ROWS = -1
    FEW_TRAINING_ROWS = -2


def detectable_drift(
    df: ArrayLike, rows: ArrayLike, reference_rows: ArrayLike, *, z: ArrayLike
) -> Floats:
    """Return the PSI beyond noise that would be seen, four times in five.

    Under a drift of that size G has a noncentral chi-square distribution, with noncentrality
    PSI / (1/n + 1/m); its normal approximation is solved for the noncentrality, which is
    then within 2 % of the exact one.

    Parameters
    ----------
    df
        Bins in use less one, shape (...).
    rows, reference_rows
        n and m, live and training rows.
    z
        What `g_test`'s z must exceed.

    Returns
    -------
    Floats
        Shape (...), infinite without rows on either side.

    References
    ----------
    W. C. Guenther, "Power and sample size for approximate chi-square tests", The American
    Statistician 31 (1977).
    """
    return _noncentrality(df, z) * _inverse_rows(rows, reference_rows)


def detectable_rate(
    reference_rate: ArrayLike, rows: ArrayLike, reference_rows: ArrayLike, *, z: ArrayLike
) -> Floats:
    """Return the difference of two rates that would be seen, four times in five.

    Parameters
    ----------
    reference_rate
        The share in training, shape (...).
    rows, reference_rows
        n and m, live and training rows that were checked.
    z
        What `rate_z` must exceed.

    Returns
    -------
    Floats
        Shape (...); for a change towards one half, where it is hardest to see. Without rows
        on either side what is left to one.

    References
    ----------
    J. Cohen, "Statistical Power Analysis for the Behavioral Sciences" (1988), ch. 6, on the
    arcsine transformation.
    """
    share = _smaller_side(reference_rate)
    step = (_floats(z) + POWER_Z) / 2 * np.sqrt(_inverse_rows(rows, reference_rows))
    angle = np.minimum(np.arcsin(np.sqrt(share)) + step, math.pi / 2)
    return np.asarray(np.sin(angle) ** 2 - share, dtype=np.float64)


def minimum_rows(
    df: ArrayLike, reference_rows: ArrayLike, *, z: ArrayLike, matters: ArrayLike = 0.05
) -> Floats:
    """Return the live rows from which a drift that matters would be seen, four times in five.

    Parameters
    ----------
    df, reference_rows, z
        See `detectable_drift`.
    matters
        The PSI beyond noise that must be seen.

    Returns
    -------
    Floats
        Shape (...); infinite where the training rows are too few for any number of live
        ones.

    Examples
    --------
    >>> minimum_rows(11, [500, 10_000, 1_000_000], z=4.33).round().tolist()
    [inf, 1006.0, 915.0]
    """
    return _live_rows(_floats(matters) / _noncentrality(df, z), reference_rows)


def minimum_rate_rows(
    reference_rate: ArrayLike,
    reference_rows: ArrayLike,
    *,
    z: ArrayLike,
    matters: ArrayLike = 0.02,
) -> Floats:
    """Return the live rows from which a rate that differs enough would be seen.

    Parameters
    ----------
    reference_rate, reference_rows, z
        See `detectable_rate`.
    matters
        The difference that must be seen.

    Returns
    -------
    Floats
        Shape (...); infinite where the training rows are too few for any number of live
        ones.

    Examples
    --------
    >>> minimum_rate_rows([0, 0.02, 0.5], 10_000, z=4.33).round().tolist()
    [343.0, 2332.0, inf]
    """
    share = _smaller_side(reference_rate)
    changed = np.minimum(share + _floats(matters), 1)
    step = np.arcsin(np.sqrt(changed)) - np.arcsin(np.sqrt(share))
    return _live_rows((2 * step / (_floats(z) + POWER_Z)) ** 2, reference_rows)


def drift_state(
    counts: ArrayLike, reference: ArrayLike, *, z: ArrayLike, matters: ArrayLike = 0.05
) -> States:
    """Tell whether a feature has drifted, has not, or has too few rows to tell.

    Parameters
    ----------
    counts, reference
        Live and training rows per bin, shape (..., n_bins).
    z
        See `z_threshold`; broadcasts with (...).
    matters
        See `drift_that_matters`; broadcasts with (...).

    Returns
    -------
    States
        Values of `State`, shape (...). `DRIFT` needs rows enough to see `LARGE` times what
        matters, `OK` rows enough to see what matters.

    Examples
    --------
    >>> training = [5000, 5000]
    >>> drift_state([[500, 500], [800, 200], [5, 5], [0, 0]], training, z=4.33).tolist()
    [0, 1, -1, -1]
    """
    live, training, size = _floats(counts), _floats(reference), _floats(matters)
    n, m = live.sum(axis=-1), training.sum(axis=-1)
    df = np.maximum(np.count_nonzero(live + training > 0, axis=-1) - 1, 1)
    with np.errstate(invalid="ignore"):
        real = g_test(live, training)[2] > _floats(z)
        large = psi_excess(live, training) > size
    return _state(
        real & large,
        n,
        m,
        size,
        detectable_drift(df, n, m, z=z),
        detectable_drift(df, np.inf, m, z=z),
    )


def rate_state(
    rows: ArrayLike,
    total: ArrayLike,
    reference_rows: ArrayLike,
    reference_total: ArrayLike,
    *,
    z: ArrayLike,
    matters: ArrayLike = 0.02,
) -> States:
    """Tell whether a share of missing, unseen, ... values has changed; either way counts.

    Parameters
    ----------
    rows, total
        Live rows that the check counts, of how many; shape (...).
    reference_rows, reference_total
        The same in training.
    z
        See `z_threshold`; broadcasts with (...).
    matters
        See `rate_that_matters`; broadcasts with (...).

    Returns
    -------
    States
        As of `drift_state`.

    Examples
    --------
    >>> rate_state([2, 60, 2], [1000, 1000, 10], 20, 10_000, z=4.67).tolist()
    [0, 1, -1]
    """
    n, m, size = _floats(total), _floats(reference_total), _floats(matters)
    live, normal = rate(rows, n), rate(reference_rows, m)
    with np.errstate(invalid="ignore"):
        real = np.abs(rate_z(rows, n, reference_rows, m)) > _floats(z)
        large = np.abs(live - normal) > size
    known = np.nan_to_num(normal)
    return _state(
        real & large,
        n,
        m,
        size,
        detectable_rate(known, n, m, z=z),
        detectable_rate(known, np.inf, m, z=z),
    )


def worse_state(
    loss: ArrayLike, error: ArrayLike, rows: ArrayLike, *, z: ArrayLike, matters: ArrayLike
) -> States:
    """Tell whether a figure of performance is worse than it was out of sample.

    Parameters
    ----------
    loss
        By how much it is worse, negative where it is better; shape (...).
    error
        Standard error of the loss: of the figure and of the one out of sample together.
    rows
        Live rows that it is from.
    z
        See `z_threshold`; broadcasts with (...).
    matters
        From how much on somebody cares.

    Returns
    -------
    States
        `DRIFT` where it is worse, `OK`, or `FEW_ROWS`, also where it is not defined.

    Examples
    --------
    >>> worse_state([0.1, 0.0, 0.1], [0.01, 0.002, 0.05], 900, z=4, matters=0.05).tolist()
    [1, 0, -1]
    """
    lost, spread, reach = _floats(loss), _floats(error), _floats(z) + POWER_Z
    enough = (_floats(rows) >= ENOUGH_ROWS) & np.isfinite(lost)
    worse = (lost > _floats(z) * spread) & (lost > _floats(matters))
    states = np.where(enough & (reach * spread <= _floats(matters)), State.OK, State.FEW_ROWS)
    return np.asarray(np.where(enough & worse, State.DRIFT, states), dtype=np.int8)


def _state(
    changed: NDArray[np.bool_],
    n: Floats,
    m: Floats,
    size: Floats,
    detectable: Floats,
    detectable_at_best: Floats,
) -> States:
    """Decide, given what these rows can show, and what any number of live rows could."""
    states = np.where(detectable_at_best >= size, State.FEW_TRAINING_ROWS, State.FEW_ROWS)
    states = np.where(detectable <= size, State.OK, states)
    states = np.where(changed & (detectable <= LARGE * size), State.DRIFT, states)
    states = np.where(n > 0, states, State.FEW_ROWS)
    return np.asarray(np.where(m > 0, states, State.FEW_TRAINING_ROWS), dtype=np.int8)


def _noncentrality(df: ArrayLike, z: ArrayLike) -> Floats:
    """Return the noncentrality at which G exceeds its threshold four times in five."""
    k, s = _floats(df), POWER_Z**2
    spread = 2 / (9 * k)
    beyond = k * (1 - spread + _floats(z) * np.sqrt(spread)) ** 3 - k
    return _floats(beyond + 2 * s + np.sqrt(4 * s * (beyond + s) + 2 * s * k))


def _smaller_side(share: ArrayLike) -> Floats:
    """Return a share or what is left to one, whichever is smaller."""
    return _floats(0.5 - np.abs(_floats(share) - 0.5))


def _inverse_rows(rows: ArrayLike, reference_rows: ArrayLike) -> Floats:
    """Return 1/n + 1/m, infinite without rows on either side."""
    with np.errstate(divide="ignore"):
        return _floats(1 / _floats(rows) + 1 / _floats(reference_rows))


def _live_rows(inverse: ArrayLike, reference_rows: ArrayLike) -> Floats:
    """Solve 1/n + 1/m = inverse for n, infinite where m is too small."""
    with np.errstate(divide="ignore"):
        return _floats(1 / np.maximum(_floats(inverse) - 1 / _floats(reference_rows), 0))


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)
