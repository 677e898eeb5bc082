"""Which rows are held out together."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmeter._errors import DataError
from modelmeter.profile.columns import Array
from modelmeter.stats.bins import Floats

Folds = NDArray[np.intp]
"""Number of the fold that every row is held out in, shape (n_rows,)."""


def shuffled_folds(rows: int, folds: int, *, seed: int = 0) -> Folds:
    """Deal rows out at random, evenly.

    Parameters
    ----------
    rows, folds
        How many of each.
    seed
        Of the shuffle: the same rows always get the same folds.

    Returns
    -------
    Folds
        Shape (rows,).
    """
    return stratified_folds(np.zeros(rows, dtype=np.intp), folds, seed=seed)


def stratified_folds(codes: NDArray[np.intp], folds: int, *, seed: int = 0) -> Folds:
    """Deal rows out at random, those of each class evenly.

    Parameters
    ----------
    codes
        Class of every row as a number, shape (n_rows,).
    folds, seed
        As in `shuffled_folds`.

    Returns
    -------
    Folds
        Shape (n_rows,); each class has at most one row more in one fold than in another,
        and so have all rows together.
    """
    mixed = np.random.default_rng(seed).permutation(len(codes))
    by_class = mixed[np.argsort(codes[mixed], kind="stable")]
    # Dealt in one go, so that the odd rows of the classes do not all end in fold 0.
    found = np.empty(len(codes), dtype=np.intp)
    found[by_class] = np.arange(len(codes)) % folds
    return found


def time_blocks(times: Floats, folds: int) -> Folds:
    """Cut time into blocks of about as many rows each.

    Rows near in time are alike in ways that production never is to training (the same
    weather, the same outage). Dealt out at random, a model would be asked about days that
    it knows.

    Parameters
    ----------
    times
        Time of every row, shape (n_rows,).
    folds
        Number of blocks aimed at; fewer where many rows have one time, which are never
        parted.

    Returns
    -------
    Folds
        Shape (n_rows,).

    References
    ----------
    D. R. Roberts et al., "Cross-validation strategies for data with temporal, spatial,
    hierarchical, or phylogenetic structure", Ecography 40 (2017). C. Bergmeir and J. M.
    Benítez, "On the use of cross-validation for time series predictor evaluation",
    Information Sciences 191 (2012).
    """
    before = np.searchsorted(np.sort(times), times, side="left")
    return (before * folds // max(len(times), 1)).astype(np.intp)


def group_folds(groups: Array, folds: int) -> Folds:
    """Deal out groups of rows (a customer's, a machine's) as wholes, evenly by rows.

    Parameters
    ----------
    groups
        Group of every row, shape (n_rows,), of values of any types; none missing.
    folds
        Number of folds aimed at; fewer where there are fewer groups.

    Returns
    -------
    Folds
        Shape (n_rows,): the largest group first, each into the fold with fewest rows.

    Raises
    ------
    DataError
        A value cannot be told from others (a list).
    """
    codes: dict[Any, int] = {}
    try:
        numbers = [codes.setdefault(group, len(codes)) for group in groups.tolist()]
    except TypeError as error:
        raise DataError(f"groups must be plain values: {error}") from error
    which = np.asarray(numbers, dtype=np.intp)
    sizes = np.bincount(which)
    loads = [(0, fold) for fold in range(folds)]
    fold_of = np.empty(len(sizes), dtype=np.intp)
    for group in np.argsort(-sizes, kind="stable"):
        load, fold = heapq.heappop(loads)
        fold_of[group] = fold
        heapq.heappush(loads, (load + int(sizes[group]), fold))
    return fold_of[which]
