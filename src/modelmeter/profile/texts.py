"""A column of texts as its different values, each looked at once however often it comes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from modelmeter.profile.columns import Array


@dataclass(frozen=True, eq=False)
class Texts:
    """A column in which every value is a text or missing.

    Parameters
    ----------
    distinct
        The different texts in the order in which they first come, then None, shape
        (n_distinct + 1,).
    codes
        The number of each row's text in `distinct`, -1 where it is missing, shape (n_rows,).
    """

    distinct: Array
    codes: NDArray[Any]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.codes)

    @property
    def is_missing(self) -> bool:
        """Whether there is no text at all."""
        return len(self.distinct) == 1

    def tally(self) -> Iterator[tuple[str, int]]:
        """Return the different texts and the rows of each, without the missing ones."""
        rows = np.bincount(self.codes + 1, minlength=len(self.distinct))[1:]
        return zip(self.distinct[:-1].tolist(), rows.tolist(), strict=True)

    def spread(self, of_distinct: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return for every row what is known of its text, shape (n_rows,)."""
        return of_distinct.take(self.codes)  # -1: the last


Column = Array | Texts


def as_texts(series: nw.Series[Any]) -> Texts | None:
    """Return a column of a data frame as texts.

    Parameters
    ----------
    series
        Of any type.

    Returns
    -------
    Texts or None
        None where values may be something else, or the library has no quick way.
    """
    if series.dtype not in (nw.String, nw.Categorical, nw.Enum) or not len(series):
        return None
    native = series.to_native()
    if series.implementation.is_pandas():
        codes, distinct = native.factorize()
        values = distinct.tolist()
    elif series.implementation.is_polars() and importlib.util.find_spec("pyarrow"):
        arrow = native.to_arrow()
        if series.dtype != nw.String:  # its dictionary has texts that no row holds
            arrow = arrow.dictionary_decode()
        arrow = arrow.dictionary_encode()
        codes = arrow.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        values = arrow.dictionary.to_pylist()
    else:
        return None
    if any(type(value) is not str for value in values):  # categories may be of any type
        return None
    return Texts(np.asarray([*values, None], dtype=object), np.asarray(codes))
