"""What a recorded series is: a name, what it means, and the rule that writes it."""

from __future__ import annotations

from dataclasses import dataclass

from modelmeter.generate.rulefile import Rule


@dataclass(frozen=True, slots=True)
class Series:
    """One recorded series.

    Parameters
    ----------
    name
        ``level:metric``; the level says what there is one of: bin, feature, model, route.
    labels
        Beside the labels that are kept and those of the level (see `series.LEVELS`).
    unit
        Of the value.
    formula
        With n live and m training rows, p and q live and training share of a bin.
    meaning
        For someone who knows no statistics.
    """

    name: str
    labels: tuple[str, ...]
    unit: str
    formula: str
    meaning: str

    def rule(self, expr: str, *, first: bool = True, **labels: str) -> Rule:
        """Return a rule that records this series, explained where it is the first to."""
        comment = f"{self.meaning} Formula: {self.formula}" if first else ""
        return Rule(self.name, expr, labels, comment)

    def where(self, **labels: str) -> str:
        """Return a selector of this series.

        Examples
        --------
        >>> Series("model:x", (), "", "", "").where(outcome="ok", window="1h")
        'model:x{outcome="ok",window="1h"}'
        """
        chosen = ",".join(f'{label}="{value}"' for label, value in labels.items())
        return f"{self.name}{{{chosen}}}" if chosen else self.name
