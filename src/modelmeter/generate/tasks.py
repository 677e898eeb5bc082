"""What models do, as far as rules for their performance depend on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from modelmeter._errors import ConfigurationError
from modelmeter.live.reference_performance import MAX_RATIOS
from modelmeter.profile.facts import Y_SCORE
from modelmeter.profile.profile import Profile
from modelmeter.stats.bins import MAX_INTERVALS, NumericBins

MAX_CLASSES: Final = int(MAX_RATIOS**0.5)
"""Classes of which the whole table of outcome ratios can be exported."""

MAX_POSITIONS: Final = MAX_INTERVALS + 2
"""Ordered bins that a feature can have: its intervals, `below` and `above`."""


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """Which rules are needed; the defaults are enough for every model.

    Parameters
    ----------
    classes
        Most classes that any classifier has, up to `MAX_CLASSES`; 0 without classifiers.
    score_positions
        Most score bins that any binary classifier has; 0 where none has scores.
    scored_classes
        Whether any model with more than two classes has scores.
    regression
        Whether any model is a regression.
    """

    classes: int = MAX_CLASSES
    score_positions: int = MAX_POSITIONS
    scored_classes: bool = True
    regression: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.classes <= MAX_CLASSES:
            raise ConfigurationError(f"classes must be 0 to {MAX_CLASSES}, not {self.classes!r}")
        if not 0 <= self.score_positions <= MAX_POSITIONS:
            raise ConfigurationError(
                f"score_positions must be 0 to {MAX_POSITIONS}, not {self.score_positions!r}"
            )

    @property
    def any(self) -> bool:
        """Whether any model has a performance."""
        return self.classes > 0 or self.regression

    @staticmethod
    def of(profiles: Iterable[Profile]) -> Tasks:
        """Return what the rules for these models need."""
        classes = positions = 0
        scored_classes = regression = False
        for profile in profiles:
            task = profile.model.task
            regression |= task == "regression"
            if task not in ("binary", "multiclass"):
                continue
            classes = max(classes, min(len(profile.model.classes), MAX_CLASSES))
            for output in profile.predictions:
                if output.name == Y_SCORE and isinstance(output.bins, NumericBins):
                    scored_classes |= task == "multiclass"
                    if task == "binary" and output.bins.edges:
                        positions = max(positions, len(output.bins.edges) + 1)
        return Tasks(
            classes=classes,
            score_positions=positions,
            scored_classes=scored_classes,
            regression=regression,
        )
