"""What is given to a build: the columns for the model, and another profile's bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelmeter._errors import DataError
from modelmeter.profile.profile import Profile
from modelmeter.profile.reading import Key
from modelmeter.profile.scan import ColumnScan
from modelmeter.profile.sources import Source
from modelmeter.stats.bins import Bins, CategoricalBins, NumericBins


def given_columns(
    model: Any, source: Source, extras: Sequence[tuple[str, str]], categorical: Sequence[str]
) -> tuple[str, ...]:
    """Return the columns that the model is given, in its order.

    Parameters
    ----------
    model, source
        The model and its training data.
    extras
        Columns that are something else, each after what names it: ``("y", "late")``.
    categorical
        Columns that must be among those returned.

    Raises
    ------
    DataError
        There is no such column, or the model was fitted on others.
    """
    for what, column in extras:
        if column not in source.columns:
            raise DataError(f"{what}={column!r} is no column of X; X has {list(source.columns)}")
    others = {column for _, column in extras}
    given = [c for c in source.columns if c not in others]
    if not given:
        raise DataError("X has no feature columns")
    for column in categorical:
        if column not in given:
            raise DataError(f"categorical={column!r} is no column of X")
    known = getattr(model, "feature_names_in_", None)
    if known is None:
        expected = getattr(model, "n_features_in_", len(given))
        if expected != len(given):
            raise DataError(f"X has {len(given)} columns, the model was fitted on {expected}")
        return tuple(given)
    names = [str(name) for name in known]
    for column in given:
        if column not in names:
            raise DataError(
                f"column {column!r} is not known to the model (it was fitted on {names}): "
                "drop it (drop=), or name it as y, timestamps or groups"
            )
    for column in names:
        if column not in given:
            raise DataError(f"X has no column {column!r}, which the model was fitted on")
    return tuple(names)


def given_bins(profile: Profile, scans: Mapping[Key, ColumnScan]) -> dict[Key, Bins]:
    """Return another profile's bins for the columns that were read.

    Raises
    ------
    DataError
        A column is not in that profile, or is of another kind there.
    """
    given: dict[Key, Bins] = {("features", f.name): f.bins for f in profile.features}
    given |= {("predictions", f.name): f.bins for f in profile.predictions}
    if profile.target is not None:
        given["target", "y_true"] = profile.target.bins
    for key, scan in scans.items():
        if key not in given:
            raise DataError(f"{key[1]!r} is not in the profile given as bins_from")
        here, there = _shape_of(scan), _shape_of(given[key])
        if key[0] == "features" and None not in (here, there) and here != there:
            raise DataError(f"column {key[1]!r} holds {here}; in bins_from it holds {there}")
    return {key: given[key] for key in scans}


def number_categories(profile: Profile) -> tuple[str, ...]:
    """Return the numeric columns that a profile took as categories."""
    return tuple(
        f.name
        for f in profile.features
        if isinstance(f.bins, CategoricalBins) and f.bins.value_type in ("int", "float")
    )


def _shape_of(seen: ColumnScan | Bins) -> str | None:
    """Say how a column is binned, None when it had no value."""
    if isinstance(seen, ColumnScan):
        if not seen.present:
            return None
        is_categorical, is_time = seen.is_categorical, seen.group == "time"
    else:
        is_categorical = isinstance(seen, CategoricalBins)
        if isinstance(seen, NumericBins) and not seen.edges:
            return None
        is_time = isinstance(seen, NumericBins) and seen.is_time
    return "categories" if is_categorical else "times" if is_time else "numbers"
