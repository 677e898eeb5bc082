"""Recorded series of train-serve skew; see `series`."""

from __future__ import annotations

from typing import Final

from modelmeter.generate.recorded import Series

CANARY_DIFFERENT: Final = Series(
    "model:canary_different_rows",
    (),
    "rows",
    "max over replicas of different + failed",
    "Rows kept from training that a replica answered in another way at its start than the model "
    "did when the profile was built: a changed library, type or preprocessing step.",
)
LIBRARY_MISMATCH: Final = Series(
    "model:library_mismatch",
    ("library",),
    "0 to 3",
    "max over replicas",
    "How far a library differs from the one that trained the model: 0 not, 1 in the patch, 2 in "
    "the minor, 3 in the major version.",
)
SCHEMA_MISMATCH: Final = Series(
    "model_feature:schema_mismatch_ratio",
    ("window", "check"),
    "share",
    "comparisons that found it / comparisons",
    "How often the columns served were not those of training: a feature missing or of another "
    "dtype, or (without a feature) columns extra or reordered.",
)

ALL: Final[tuple[Series, ...]] = tuple(
    value for value in dict(globals()).values() if isinstance(value, Series)
)
"""In the order of the rules."""
