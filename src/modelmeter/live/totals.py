"""The sum, or the largest, of the values that several tables have for one metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmeter.live.peers import shape_of
from modelmeter.names import Metric

Row = tuple[str, ...]
Places = slice | NDArray[np.intp]


@dataclass(slots=True)
class Total:
    """The values of one metric by label values.

    ``rows`` is the same object as long as no series were added; ``created`` is when the
    first of those that have a series began to count it.
    """

    metric: Metric
    index: dict[Row, int] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    created: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def place(self, rows: Sequence[Row], created: Any) -> Places:
        """Return where the rows are among all rows, after adding those not there yet."""
        before = len(self.index)
        found = [self.index.setdefault(row, len(self.index)) for row in rows]
        if len(self.index) > before:
            self.rows = tuple(self.index)
        first = found[0]
        places: Places = np.array(found, np.intp)
        if found == list(range(first, first + len(found))):
            places = slice(first, first + len(found))
        # A new array: whoever prepared something with the old one is to notice.
        grown = np.full(len(self.index), np.inf)
        grown[:before] = self.created
        grown[places] = np.minimum(grown[places], created)
        if not np.array_equal(grown, self.created):
            self.created = grown
        return places

    def clear(self) -> None:
        """Start a new sum."""
        empty = 0.0 if self.metric.merge == "sum" else -np.inf
        self.values = np.full(shape_of(self.metric, len(self.rows)), empty)

    def add(self, values: NDArray[np.float64], places: Places) -> None:
        """Add values, or take the larger ones."""
        if self.metric.merge == "sum":
            self.values[places] += values
        else:
            self.values[places] = np.maximum(self.values[places], values)
