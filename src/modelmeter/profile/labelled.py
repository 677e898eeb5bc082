"""The rows whose true value is known: all of them in batches, or a sample in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from modelmeter._errors import DataError
from modelmeter.profile.columns import Array
from modelmeter.profile.reading import as_times, extra_column, slice_of
from modelmeter.profile.sources import Source
from modelmeter.stats.bins import Floats, is_missing


@dataclass(frozen=True)
class Labelled:
    """Rows with their true values.

    Parameters
    ----------
    X
        Features as the model is given them, a frame or an array of n_rows rows.
    y
        True values, shape (n_rows,), none missing.
    numbers
        Which rows of the data they are, counted from 0, shape (n_rows,).
    times, groups
        Time and group of every row, shape (n_rows,), where known.
    """

    X: Any
    y: Array
    numbers: NDArray[np.intp]
    times: Floats | None = None
    groups: Array | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, chosen: NDArray[np.intp]) -> Labelled:
        """Return some of the rows, by their position here."""
        return Labelled(
            take_rows(self.X, chosen),
            self.y[chosen],
            self.numbers[chosen],
            None if self.times is None else self.times[chosen],
            None if self.groups is None else self.groups[chosen],
        )


def labelled_batches(
    source: Source,
    features: Sequence[str],
    *,
    as_array: bool,
    y: Any,
    timestamps: Any = None,
    groups: Any = None,
) -> Iterator[Labelled]:
    """Read the rows whose true value is known, batch by batch.

    Parameters
    ----------
    source, features, as_array
        The data, the columns that the model is given, and whether as an array.
    y, timestamps, groups
        Column names in the data, or arrays of shape (n_rows,); the latter two may be None.

    Raises
    ------
    DataError
        One of them has another length than the data, or a row with a true value has no group.
    """
    extras = {"y": extra_column("y", y)}
    extras["timestamps"] = extra_column("timestamps", timestamps)
    extras["groups"] = extra_column("groups", groups)
    start = 0
    for batch in source.batches(features, as_array=as_array):
        parts = {what: slice_of(what, extra, batch, start) for what, extra in extras.items()}
        truth, times = parts["y"], parts["timestamps"]
        assert truth is not None
        known = np.flatnonzero(~_missing(truth))
        _check_groups(parts["groups"], known, start)
        everything = Labelled(
            batch.native,
            truth,
            np.arange(start, start + batch.rows),
            None if times is None else as_times(times, start),
            parts["groups"],
        )
        start += batch.rows
        if len(known):
            part = everything if len(known) == batch.rows else everything.take(known)
            yield Labelled(part.X, _settled(part.y), part.numbers, part.times, part.groups)
    for what, extra in extras.items():
        if isinstance(extra, np.ndarray) and len(extra) != start:
            raise DataError(f"{what} has {len(extra)} values for {start} rows of X")


def labelled_sample(
    batches: Iterator[Labelled], most: int, *, seed: int = 0
) -> tuple[Labelled, int] | None:
    """Draw rows at random, evenly over all batches, each with the same chance.

    Parameters
    ----------
    batches
        Rows to draw from.
    most
        Rows drawn; all rows where there are no more. At most twice as many, and a batch,
        are in memory at a time.
    seed
        Of the draw: the same data always gives the same sample.

    Returns
    -------
    tuple of Labelled and int, or None
        The sample in the order of the data, and how many rows there were; None for no rows.
    """
    random = np.random.default_rng(seed)
    parts: list[tuple[Labelled, Floats]] = []
    total = 0
    for batch in batches:
        parts.append((batch, random.random(len(batch))))
        total += len(batch)
        if sum(len(part) for part, _ in parts) > 2 * most:
            parts = _lowest(parts, most)
    kept = [part for part, _ in _lowest(parts, most)]
    return (_joined(kept), total) if kept else None


def take_rows(X: Any, chosen: NDArray[np.intp]) -> Any:
    """Return some rows of a frame or an array, as a copy of the same type."""
    if isinstance(X, np.ndarray):
        return X[chosen]
    return nw.from_native(X, eager_only=True)[chosen].to_native()


def _lowest(parts: list[tuple[Labelled, Floats]], most: int) -> list[tuple[Labelled, Floats]]:
    """Keep the rows with the lowest draws."""
    draws = np.concatenate([draw for _, draw in parts]) if parts else np.empty(0)
    if len(draws) <= most:
        return parts
    limit = np.partition(draws, most - 1)[most - 1]
    kept = []
    for part, draw in parts:
        chosen = np.flatnonzero(draw <= limit)
        if len(chosen):
            kept.append((part.take(chosen), draw[chosen]))
    return kept


def _joined(parts: list[Labelled]) -> Labelled:
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0].X, np.ndarray):
        X = np.concatenate([part.X for part in parts])
    else:
        frames = [nw.from_native(part.X, eager_only=True) for part in parts]
        X = nw.concat(frames).to_native()
    times = [part.times for part in parts if part.times is not None]
    groups = [part.groups for part in parts if part.groups is not None]
    return Labelled(
        X,
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        np.concatenate(times) if times else None,
        np.concatenate(groups) if groups else None,
    )


def _check_groups(groups: Array | None, known: NDArray[np.intp], start: int) -> None:
    if groups is None:
        return
    lacking = known[_missing(groups[known])]
    if len(lacking):
        value = groups[lacking[0]]
        raise DataError(
            f"groups: row {start + lacking[0]} holds {value!r}; every row needs a group"
        )


def _missing(values: Array) -> NDArray[np.bool_]:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind == "O":
        return np.asarray([is_missing(value) for value in values], dtype=bool)
    return np.zeros(len(values), dtype=bool)


def _settled(values: Array) -> Array:
    """Give numbers that came as objects, for the gaps between them, their own type."""
    if values.dtype.kind != "O":
        return values
    plain = np.asarray(values.tolist())
    return plain if plain.dtype.kind in "biuf" and plain.ndim == 1 else values
