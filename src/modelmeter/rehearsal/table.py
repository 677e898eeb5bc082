"""What was counted in each step of the history, on disk: any order of rows, any number of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmeter.stats.values import Floats

Places = NDArray[np.intp]


class Family(NamedTuple):
    """Series of one metric.

    Parameters
    ----------
    name
        Of the metric, suffix included.
    labels
        Label names.
    rows
        Label values of every series.
    constant
        Values that never change, shape (n_rows,); None where they are counted.
    """

    name: str
    labels: Sequence[str]
    rows: Sequence[tuple[str, ...]]
    constant: Floats | None = None


class Chunk(NamedTuple):
    """All series over some steps.

    Parameters
    ----------
    steps
        Numbers of the steps.
    values
        What had been counted by the end of each, shape (n_steps, n_cells).
    """

    steps: range
    values: Floats


class Table:
    """Amounts by step and cell.

    Parameters
    ----------
    path
        File that is made for it.
    steps
        How many steps there are.
    families
        The series that are counted, in the order of their cells.
    """

    def __init__(self, path: Path, steps: int, families: Iterable[Family]) -> None:
        self.families = tuple(families)
        self.starts: dict[str, int] = {}
        width = 0
        for family in self.families:
            self.starts[family.name] = width
            width += len(family.rows)
        self.steps = steps
        # A file with holes: steps in which nothing came take no room.
        self._values = np.memmap(path, np.float64, "w+", shape=(steps, max(width, 1)))

    def add(self, steps: Places, cells: Places | int, amounts: Floats | float = 1.0) -> None:
        """Add amounts; what lies beyond the last step is left out.

        Parameters
        ----------
        steps
            Shape (n,).
        cells
            Shape (n,), or one for all.
        amounts
            Likewise.
        """
        cells, amounts = np.broadcast_to(cells, steps.shape), np.broadcast_to(amounts, steps.shape)
        inside = steps < self.steps
        where = steps[inside] * self._values.shape[1] + cells[inside]
        np.add.at(self._values.reshape(-1), where, amounts[inside])

    def chunks(self, bounds: Iterable[range]) -> Iterator[Chunk]:
        """Yield the running totals over ranges of steps that follow each other."""
        before = np.zeros(self._values.shape[1])
        for steps in bounds:
            values = np.cumsum(self._values[steps.start : steps.stop], axis=0) + before
            before = values[-1]
            yield Chunk(steps, values)
