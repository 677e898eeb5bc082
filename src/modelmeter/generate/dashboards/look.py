"""How every quantity looks: one table of units, limits and colours for all panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GOOD: Final = "green"
WARNING: Final = "yellow"
BAD: Final = "red"

LIVE: Final = "blue"
TRAINING: Final = "#8e8e8e"
REALISED: Final = "blue"
ESTIMATED: Final = "orange"

COLOURS: Final = {
    "^live": LIVE,
    "^training": TRAINING,
    "^promised": TRAINING,
    "^normal": TRAINING,
    "^(realised|upper|lower)": REALISED,
    "^estimated": ESTIMATED,
    "^baseline": TRAINING,
    "^(matters|real)": BAD,
}
"""Colours of series by the start of their names, the same on every panel."""

DASHED: Final = "^(baseline|normal|upper|lower|matters|real)"
"""Series drawn as dashed lines: limits and references, not measurements."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What a number is and where it turns from good to bad.

    Parameters
    ----------
    unit
        Of Grafana's own list.
    decimals
        None for as many as Grafana finds useful.
    min, max
        Of the axis; None for what the values need.
    warning, bad
        From where on a value is yellow or red; None where it is neither good nor bad.
    words
        Values that are shown as a word, each in a colour.
    """

    unit: str
    decimals: int | None = None
    min: float | None = None
    max: float | None = None
    warning: float | None = None
    bad: float | None = None
    words: tuple[tuple[int, str, str], ...] = ()

    @property
    def steps(self) -> tuple[tuple[float | None, str], ...]:
        """Colours from value to value, from the lowest up; the first has no value."""
        limits = [(self.warning, WARNING), (self.bad, BAD)]
        return ((None, GOOD), *((value, colour) for value, colour in limits if value is not None))

    @property
    def judged(self) -> bool:
        """Whether a value is good or bad at all."""
        return self.warning is not None or self.bad is not None


COUNT: Final = Quantity(unit="short", decimals=0, min=0)
ROWS: Final = Quantity(unit="short", min=0)
PROBLEMS: Final = Quantity(unit="short", decimals=0, min=0, bad=1)
ROWS_PER_SECOND: Final = Quantity(unit="rowsps", min=0)
REQUESTS_PER_SECOND: Final = Quantity(unit="reqps", min=0)
SHARE: Final = Quantity(unit="percentunit", min=0)
ERROR_SHARE: Final = Quantity(unit="percentunit", min=0, warning=0.01, bad=0.05)
BUSY_SHARE: Final = Quantity(unit="percentunit", min=0, max=1, warning=0.7, bad=0.9)
COVERAGE: Final = Quantity(unit="percentunit", min=0, max=1)
SECONDS: Final = Quantity(unit="s", min=0)
LAG: Final = Quantity(unit="s", min=0, warning=0.05, bad=0.5)
BYTES: Final = Quantity(unit="bytes", min=0)
CORES: Final = Quantity(unit="short", min=0)
DRIFT: Final = Quantity(unit="short", decimals=3)
STANDARD_ERRORS: Final = Quantity(unit="short", decimals=1)
FIGURE: Final = Quantity(unit="short", decimals=3)
ERROR_SIZE: Final = Quantity(unit="short", decimals=3, min=0)
RATIO: Final = Quantity(unit="percentunit", min=0, max=1)
VERSIONS_APART: Final = Quantity(unit="short", decimals=0, min=0, max=3, warning=1, bad=2)
STATE: Final = Quantity(
    unit="short",
    decimals=0,
    words=(
        (1, "changed", BAD),
        (0, "fine", GOOD),
        (-1, "too little data", TRAINING),
        (-2, "too little training data", TRAINING),
    ),
)
SCORE: Final = Quantity(unit="percentunit")
TEXT: Final = Quantity(unit="string")

ALL: Final = {name: value for name, value in dict(globals()).items() if isinstance(value, Quantity)}
"""Every quantity by name."""
