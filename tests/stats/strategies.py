"""Values of every kind that a column, or a request, may hold."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from hypothesis import strategies as st

FINITE = st.floats(-1e100, 1e100)
EDGES = st.lists(FINITE, min_size=2, max_size=30, unique=True).map(sorted).map(tuple)


class Rude:
    """A value whose every comparison raises."""

    def _refuse(self, *_):
        raise RuntimeError("leave me alone")

    __eq__ = __ne__ = __lt__ = __gt__ = __hash__ = __bool__ = __float__ = __int__ = _refuse


class Secretive:
    """A value that does not even say what it is."""

    @property
    def __class__(self):
        raise RuntimeError("none of your business")


NUMBERS = st.one_of(
    FINITE,
    st.integers(),
    st.integers(2**53 - 4, 2**53 + 4),
    st.booleans(),
    st.floats(width=32).map(np.float32),
    st.floats(width=16).map(np.float16),
    st.floats().map(np.float64),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.integers(0, 255).map(np.uint8),
    st.booleans().map(np.bool_),
    st.decimals(),
    st.fractions(),
    st.timedeltas(),
    st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 0.0, 10**400, -(10**400)]),
)
STRANGERS = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.datetimes(),
    st.dates(),
    st.lists(st.integers(), max_size=2),
    st.complex_numbers(),
    st.sampled_from(
        [pd.NA, pd.NaT, np.datetime64("NaT"), np.timedelta64("NaT"), np.array([math.nan])]
    ),
    st.builds(Rude),
    st.builds(object),
    st.builds(dict),
)
