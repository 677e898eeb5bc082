"""Whether what is served has the columns, and the types, that training had.

Counts in bins cannot tell a renamed column from one that is gone, nor columns that changed
places. So the rows at hand are compared with the profile now and then: see `Freshness.look`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from modelmeter import names
from modelmeter.live.counts import Counts
from modelmeter.live.freshness import telling
from modelmeter.live.rows import FEW_ROWS, Columns, Rows
from modelmeter.profile.profile import FeatureProfile, Profile

logger = logging.getLogger("modelmeter")

NAMED = 20
"""So many columns are named in a message."""

_MANY = 10_000
_LONGEST = 60
_WORDS = {
    "missing": "missing",
    "dtype": "of another type",
    "extra": "extra",
    "reordered": "in another order",
}


class Given(NamedTuple):
    """The columns of what is served, as its owner sees them.

    Parameters
    ----------
    columns
        Their names, in order; a column of an array beyond the features is ``column 7``.
    ordered
        Whether the order may be another than in training: that of a frame may, a dict has
        none, and columns without a name are what their place says.
    """

    columns: list[Any]
    ordered: bool = False


class SchemaCheck:
    """Compares the columns of served rows with those of training.

    A feature is `missing` when none of the rows has it. Its `dtype` is another when a value is
    of a type that its bins call invalid: text or a time where training had numbers, a number
    where it had text. What means the same to a model is no mismatch: whole numbers for
    fractions, whole floats for integers (what pandas makes of integers and a missing value),
    0 and 1 for booleans, and missing values of whatever type.

    Parameters
    ----------
    profile
        What training looked like.
    counts
        Where the comparisons, and what they found, are counted.
    """

    def __init__(self, profile: Profile, counts: Counts) -> None:
        labels = (profile.name, profile.version)
        self._model = "/".join(labels)
        self._features = profile.features
        self._names = [feature.name for feature in profile.features]
        found = [(name, check) for check in ("missing", "dtype") for name in self._names]
        found += [("", "extra"), ("", "reordered")]
        self._places = {pair: i for i, pair in enumerate(found)}
        self._lock = counts.lock
        self._checks = counts.block(names.SCHEMA_CHECKS, [labels]).cells
        self._found = counts.block(
            names.SCHEMA_MISMATCHES, [(*labels, *pair) for pair in found]
        ).cells

    def check(self, X: Any, rows: Rows) -> None:
        """Compare some rows with training, count what differs, and log what is new.

        Parameters
        ----------
        X
            The rows as they were given, at least one.
        rows
            The same, as `split` brought them into shape.
        """
        given = columns_of(X, self._names)
        found: dict[tuple[str, str], str] = {}
        for feature in self._features:
            if not _is_there(feature.name, rows):
                found[feature.name, "missing"] = feature.name
            elif (strange := _strange_type(feature, rows)) is not None:
                found[feature.name, "dtype"] = (
                    f"{feature.name} ({strange}; in training {feature.dtype})"
                )
        if extra := _extra(given.columns, self._names):
            found["", "extra"] = _listed(map(_shown, extra))
        if given.ordered and _is_reordered(given.columns, self._names):
            found["", "reordered"] = _listed(map(_shown, given.columns))
        self._say(self._count(found))

    def _count(self, found: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], str]:
        """Count what was found; return what was not found before."""
        with self._lock:
            self._checks[0] += 1
            for pair in found:
                self._found[self._places[pair]] += 1
            return {
                pair: what for pair, what in found.items() if self._found[self._places[pair]] == 1
            }

    def _say(self, new: Mapping[tuple[str, str], str]) -> None:
        """Log what was found for the first time."""
        said = []
        for check, words in _WORDS.items():
            if named := [what for (_, its), what in new.items() if its == check]:
                said.append(f"{words}: {_listed(named)}")
        if said:
            logger.warning(
                "rows of %s do not have the columns of training (each is logged once, and "
                "counted in %s): %s",
                self._model,
                names.SCHEMA_MISMATCHES.name,
                "; ".join(said),
            )


def columns_of(X: Any, features: Sequence[str]) -> Given:
    """Return the columns of rows in any form that `split` takes.

    Parameters
    ----------
    X
        The rows. Of many dicts the first few are looked at.
    features
        The profile's features, in order: the names of columns that have none.
    """
    if isinstance(X, Mapping):
        return Given(list(X))
    if isinstance(X, (list, tuple)):
        if isinstance(X[0], Mapping):
            return Given(list(dict.fromkeys(key for row in X[:FEW_ROWS] for key in row)))
        is_rows = all(isinstance(row, (list, tuple, np.ndarray)) for row in X[:FEW_ROWS])
        return _by_place(len(X[0]) if is_rows else len(X), features)
    if hasattr(X, "columns"):
        arrow = hasattr(X, "combine_chunks")  # its columns are the data
        return Given(list(X.column_names if arrow else X.columns), ordered=True)
    return _by_place(X.shape[-1], features)


def _by_place(width: int, features: Sequence[str]) -> Given:
    beyond = range(len(features), min(width, len(features) + NAMED + 1))
    return Given([*features[:width], *(f"column {place}" for place in beyond)])


def _is_there(name: str, rows: Rows) -> bool:
    if isinstance(rows, Columns):
        return name in rows.arrays
    return any(name in row for row in rows)


def _strange_type(feature: FeatureProfile, rows: Rows) -> str | None:
    """Name the type of a value that training cannot have had, None where there is none."""
    bins = feature.bins
    if isinstance(rows, Columns):
        column = rows.arrays[feature.name]
        values = telling(column[:: len(column) // _MANY + 1])
    else:
        values = [row[feature.name] for row in rows if feature.name in row]
    for value in values:
        if bins.index(value) == bins.invalid:
            return type(value).__name__
    return None


def _extra(columns: Sequence[Any], features: Sequence[str]) -> list[Any]:
    """Return the columns that are no features, and those that are there again."""
    wanted = set(features)
    extra = []
    for column in columns:
        if column in wanted:
            wanted.remove(column)
        else:
            extra.append(column)
    return extra


def _is_reordered(columns: Sequence[Any], features: Sequence[str]) -> bool:
    """Tell whether the features that are there stand in another order."""
    there = set(columns)
    wanted = set(features)
    served = dict.fromkeys(column for column in columns if column in wanted)
    return list(served) != [name for name in features if name in there]


def _shown(column: object) -> str:
    text = column if isinstance(column, str) and column.isprintable() else repr(column)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _listed(texts: Iterable[str]) -> str:
    first = list(islice(iterator := iter(texts), NAMED))
    return ", ".join(first) + (", ..." if next(iterator, None) is not None else "")
