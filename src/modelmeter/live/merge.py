"""The counts of all workers of a service as one: summed or maxed by label values."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from modelmeter.live.files import COUNTS, PeerFile, Series
from modelmeter.names import ALL, Metric

Row = tuple[str, ...]


class Family(NamedTuple):
    """One metric with all its series.

    ``values`` has the shape of a block's: ``(len(rows),)``, of a histogram ``(len(rows),
    len(buckets) + 2)``. ``rows`` is the same object as long as no series were added.
    """

    metric: Metric
    rows: tuple[Row, ...]
    values: NDArray[np.float64]


class Source(Protocol):
    """What the merge asks of a ``Counts``."""

    @property
    def lock(self) -> Any:
        """Held while values are copied."""

    @property
    def blocks(self) -> Sequence[Any]:
        """Blocks, in the order in which they were made."""

    @property
    def directory(self) -> Path | None:
        """Where the other workers' files are."""

    @property
    def path(self) -> Path | None:
        """The source's own file."""


class Merger:
    """Read the merged values again and again, working out once which series are the same.

    Parameters
    ----------
    sources
        The tables of this process. The files of other workers in their directories are
        found at each reading.
    """

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._sources: list[Source] = []
        self._reset()
        for source in sources:
            self.add(source)

    def add(self, source: Source) -> None:
        """Read this table too from now on; once, however often it is added."""
        if not any(source is known for known in self._sources):
            self._sources.append(source)

    def read(self) -> list[Family]:
        """Return every metric that has series, in the order of ``names.ALL``.

        Returns
        -------
        list of Family
            Copies of the values; empty when nothing has series.
        """
        if self._pid != os.getpid():  # the lock may be held by a thread left in the parent
            self._reset()
        with self._lock:
            self._find_peers()
            for key, series in self._everything():
                self._plan.setdefault(key, _Plan()).extend(series, self._totals)
            for total in self._totals.values():
                total.clear()
            for source in self._sources:
                with source.lock:
                    self._plan[id(source)].add()
            for peer in self._peers.values():
                self._plan[id(peer)].add()
            totals = [total for total in self._totals.values() if total.rows]
        order = {metric.name: place for place, metric in enumerate(ALL)}
        totals.sort(key=lambda total: order.get(total.metric.name, len(order)))
        return [Family(total.metric, total.rows, total.values) for total in totals]

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._peers: dict[Path, PeerFile] = {}
        self._plan: dict[int, _Plan] = {}
        self._totals: dict[str, _Total] = {}

    def _everything(self) -> Iterable[tuple[int, Sequence[Any]]]:
        for source in self._sources:
            yield id(source), source.blocks
        for peer in self._peers.values():
            series: Sequence[Series] = peer.series
            if peer.dead:
                series = [one for one in series if not one.metric.live]
            yield id(peer), series

    def _find_peers(self) -> None:
        own = {source.path for source in self._sources}
        directories = {source.directory for source in self._sources} - {None}
        found = {
            path
            for directory in directories
            if directory is not None
            for path in directory.glob("*" + COUNTS)
            if path not in own
        }
        stale = self._peers.keys() - found
        for path in stale:
            del self._peers[path]
        known = {metric.name: metric for metric in ALL}
        for source in self._sources:
            known.update((block.metric.name, block.metric) for block in source.blocks)
        for path in sorted(found):
            try:
                peer = self._peers.get(path) or PeerFile(path, known)
                alive = not peer.dead
                peer.refresh()
            except OSError:  # taken away since we listed the directory
                stale = stale | ({path} & self._peers.keys())
                self._peers.pop(path, None)
                continue
            if path in self._peers and alive and peer.dead:
                stale = stale | {path}
            self._peers[path] = peer
        if stale:  # what they had no longer counts, or counts differently
            self._plan.clear()
            self._totals.clear()


@dataclass(slots=True)
class _Total:
    """The sum, or the largest, of one metric's series."""

    metric: Metric
    index: dict[Row, int] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def place(self, rows: Sequence[Row]) -> slice | NDArray[np.intp]:
        """Return where the rows are among all rows, after adding those not there yet."""
        before = len(self.index)
        places = [self.index.setdefault(row, len(self.index)) for row in rows]
        if len(self.index) > before:
            self.rows = tuple(self.index)
        first = places[0]
        if places == list(range(first, first + len(places))):
            return slice(first, first + len(places))
        return np.array(places, np.intp)

    def clear(self) -> None:
        """Start a new sum."""
        shape: tuple[int, ...] = (len(self.rows),)
        if self.metric.type == "histogram":
            shape = (len(self.rows), len(self.metric.buckets) + 2)
        self.values = np.full(shape, 0.0 if self.metric.merge == "sum" else -np.inf)


@dataclass(slots=True)
class _Plan:
    """Where the blocks of one source go."""

    done: int = 0
    steps: list[tuple[NDArray[np.float64], _Total, slice | NDArray[np.intp]]] = field(
        default_factory=list
    )

    def extend(self, blocks: Sequence[Any], totals: dict[str, _Total]) -> None:
        """Take in the blocks made since the last time."""
        for block in blocks[self.done :]:
            total = totals.get(block.metric.name)
            if total is None:
                total = totals[block.metric.name] = _Total(block.metric)
            if block.rows and block.metric == total.metric:
                self.steps.append((block.values, total, total.place(block.rows)))
        self.done = len(blocks)

    def add(self) -> None:
        """Add, or take the largest, of the values as they are now."""
        for values, total, places in self.steps:
            if total.metric.merge == "sum":
                total.values[places] += values
            else:
                total.values[places] = np.maximum(total.values[places], values)
