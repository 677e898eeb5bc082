"""How a model is measured when its profile is built, beyond counting its training data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from modelmeter._errors import ConfigurationError

CanarySource = Literal["synthetic", "training"]

MOST_FOLDS = 100
_LIMITS = {
    "folds": (0, MOST_FOLDS),
    "max_rows": (10, 10**9),
    "max_segment_series": (0, 10**9),
}
_SOURCES = ("synthetic", "training")


@dataclass(frozen=True, kw_only=True, eq=False)
class Measuring:
    """How good a model is out of sample, and what is kept beside the counts.

    Parameters
    ----------
    folds
        Parts of the rows that the model is fitted anew without, one at a time, and asked
        about: 2 to 100. 0 leaves it unmeasured, unless rows are held out.
    max_rows
        Rows that this takes at most, 10 or more; of more a sample is drawn.
    groups
        Group of every row (a customer, a machine), shape (n_rows,), or the name of its
        column in X, which the model is not given. The rows of one group are never split
        between folds.
    canary_source
        Where canary rows come from: ``synthetic`` ones are drawn from the bins, feature by
        feature; ``training`` ones are real rows, which are then in the profile's file.
    max_segment_series
        Series that segments may add to every replica; with more the profile is not built.

    Raises
    ------
    ConfigurationError
        A number is out of its range, or there is no such source.
    """

    folds: int = 5
    max_rows: int = 100_000
    groups: Any = None
    canary_source: CanarySource = "synthetic"
    max_segment_series: int = 10_000

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.name in _LIMITS:
                check_whole(f.name, getattr(self, f.name), *_LIMITS[f.name])
        if self.folds == 1:
            raise ConfigurationError(
                "folds must be 0 or from 2 on, not 1: the model is fitted without one of them"
            )
        if self.canary_source not in _SOURCES:
            raise ConfigurationError(
                f"canary_source must be one of {list(_SOURCES)}, not {self.canary_source!r}"
            )


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Refuse a setting that is no whole number in its range.

    Raises
    ------
    ConfigurationError
        It is not; the message names it.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigurationError(
            f"{name} must be a whole number from {low} to {high}, not {value!r}"
        )
