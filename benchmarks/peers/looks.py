"""How often a window that is evaluated all the time says something new, by simulation."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from peers.ownalarms import HOLD, QUICK

CHUNK = 400_000


def looks(*, df, window, step, base=QUICK, z=(3.0, 3.5), windows=20_000, seed=0):
    """Return alarm episodes per window length, over the chance that each z promises.

    G in the limit of many rows: the sum of `df` squared normal deviates, each a moving sum.

    Parameters
    ----------
    df
        Degrees of freedom.
    window, step
        Length of the window and time between evaluations, in minutes.
    base
        Length of the window that it is built from.
    z
        Thresholds.
    windows
        How many window lengths to simulate.
    seed
        Of the random numbers.
    """
    random = np.random.default_rng(seed)
    long, short, hold = window // step, base // step, HOLD // step
    weights = np.convolve(np.ones(long), np.ones(short)) if long > short else np.ones(short)
    scale = np.sqrt((weights**2).sum())
    found, evaluations = np.zeros(len(z)), 0
    while evaluations < windows * long:
        g = np.zeros(CHUNK)
        for _ in range(df):
            total = np.cumsum(random.standard_normal(CHUNK + long + short))
            moving = total[short:] - total[:-short]
            if long > short:
                total = np.cumsum(moving)
                moving = total[long:] - total[:-long]
            g += (moving[-CHUNK:] / scale) ** 2
        spread = 2 / (9 * df)
        deviate = (np.cbrt(g / df) - 1 + spread) / np.sqrt(spread)
        for i, threshold in enumerate(z):
            edges = np.diff(np.concatenate([[0], (deviate > threshold).view(np.int8), [0]]))
            lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
            found[i] += np.count_nonzero(lengths > hold)
        evaluations += CHUNK
    return found / (evaluations / long) / norm.sf(z)
