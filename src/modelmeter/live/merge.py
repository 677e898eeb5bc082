"""The counts of all workers of a service as one: summed or maxed by label values.

Each value of a worker is in its table, which only this process has, in its file while it
lives, or in the folded file once it has ended (``folding.py``): exactly one of them counts.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from modelmeter import names
from modelmeter.live.files import COUNTS, RETRY_SECONDS
from modelmeter.live.folded import Folded, Identity, by_identity
from modelmeter.live.folding import fold
from modelmeter.live.peers import Model, PeerFile, Series, models_of
from modelmeter.live.totals import Places, Total
from modelmeter.live.totals import Row as Row
from modelmeter.names import ALL, Metric

logger = logging.getLogger("modelmeter")

_KNOWN: Final = {metric.name: metric for metric in ALL}
_ORDER: Final = {metric.name: place for place, metric in enumerate(ALL)}


class Family(NamedTuple):
    """One metric with all its series.

    ``values`` has the shape of a block's: ``(len(rows),)``, of a histogram ``(len(rows),
    len(buckets) + 2)``. ``rows`` is the same object as long as no series were added.
    ``created`` is when each series began to count, Unix time; None where that is not known.
    """

    metric: Metric
    rows: tuple[Row, ...]
    values: NDArray[np.float64]
    created: NDArray[np.float64] | None = None


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

    @property
    def trouble(self) -> OSError | None:
        """Why its values are not in its file."""

    def settle(self) -> None:
        """Try again to bring them there."""


class Merger:
    """Read the merged values again and again, working out once which series are the same.

    Parameters
    ----------
    sources
        The tables of this process. The files of other workers in their directories are
        found at each reading, and those of workers that ended are folded.
    """

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._sources: list[Source] = []
        self._problems: list[str] = []
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
            self._find()
            for key, series in self._everything():
                self._plan.setdefault(key, _Plan()).extend(series, self._totals)
            for total in self._totals.values():
                total.clear()
            for source in self._sources:
                with source.lock:
                    self._plan[id(source)].add()
            for other in (*self._peers.values(), *self._folded.values()):
                if id(other) in self._plan:
                    self._plan[id(other)].add()
            totals = [total for total in self._totals.values() if total.rows]
        totals.sort(key=lambda total: _ORDER.get(total.metric.name, len(_ORDER)))
        return [Family(total.metric, total.rows, total.values, total.created) for total in totals]

    def problems(self) -> list[str]:
        """Return what went wrong since the last call: files not read, counts not in files."""
        with self._lock:
            found = self._problems
            self._problems = []
        return found

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._peers: dict[Path, PeerFile] = {}
        self._folded: dict[Path, Folded] = {}
        self._served: dict[Model, set[str]] = {}
        self._plan: dict[int, _Plan] = {}
        self._totals: dict[str, Total] = {}
        self._problems = []
        self._told: dict[Any, str] = {}
        self._fold_again = 0.0

    def _everything(self) -> Iterator[tuple[int, Sequence[Any]]]:
        """Yield all series that count, by whose they are."""
        served: dict[Model, set[str]] = {}
        for block in self._living():
            if block.metric.name == names.MODEL_INFO.name:
                for model, profile in models_of(block.rows).items():
                    served.setdefault(model, set()).add(profile)
        if served != self._served:  # other counts of the dead are left out than before
            self._served = served
            self._start_anew()
        for source in self._sources:
            yield id(source), source.blocks
        for peer in self._peers.values():
            if not peer.dead:
                yield id(peer), peer.series
            else:
                parts = [p for series in peer.series for p in by_identity(series, peer.models)]
                yield id(peer), self._of_the_dead(parts)
        for folded in self._folded.values():
            yield id(folded), self._of_the_dead(folded.series)

    def _living(self) -> Iterator[Any]:
        for source in self._sources:
            yield from source.blocks
        for peer in self._peers.values():
            if not peer.dead:
                yield from peer.series

    def _of_the_dead(self, parts: Iterable[tuple[Identity, Series]]) -> list[Series]:
        found = []
        for identity, series in parts:
            if identity.disagrees(self._served):
                self._tell(
                    identity,
                    f"counts of {'/'.join(identity.model)} by a profile with the hash "
                    f"{identity.profile!r} are left out: the workers that live have another "
                    "profile under the same name and version; give it a version of its own",
                )
            elif series.metric.outlasts:
                found.append(series)
        return found

    def _find(self) -> None:
        """Find the other workers' files, and fold those of the dead."""
        for source in self._sources:
            source.settle()
            if source.trouble is None:
                self._told.pop(id(source), None)
            else:
                self._tell(id(source), f"counts are not in a file: {source.trouble}", log=False)
        directories = {source.directory for source in self._sources}
        for directory in directories:
            if directory is not None and self._look(directory):
                self._fold(directory)

    def _fold(self, directory: Path) -> None:
        if time.monotonic() < self._fold_again:
            return
        try:
            if fold(directory):
                self._look(directory)
            self._told.pop(directory, None)
        except OSError as error:
            self._fold_again = time.monotonic() + RETRY_SECONDS
            self._tell(directory, f"files of workers that ended stay in {directory}: {error}")

    def _look(self, directory: Path) -> bool:
        """Read what is new in a directory; tell whether there is something to fold."""
        own = {source.path for source in self._sources}
        found = {path for path in directory.glob("*" + COUNTS) if path not in own}
        stale = {path for path in self._peers if path.parent == directory} - found
        to_fold = False
        for path in stale:
            del self._peers[path]
        for path in sorted(found):
            try:
                peer = self._peers.get(path) or PeerFile(path, _known(self._sources))
                before = (peer.dead, peer.damage)
                peer.refresh()
            except FileNotFoundError:  # folded, or taken away, since we listed the directory
                stale = stale | ({path} & self._peers.keys())
                self._peers.pop(path, None)
                continue
            except OSError as error:
                self._tell(path, f"{path} cannot be read: {error}")
                continue
            if path in self._peers and before != (peer.dead, peer.damage):
                stale = stale | {path}
            self._peers[path] = peer
            if peer.damage is not None:
                self._tell(path, f"{path} is left alone: {peer.damage}")
            to_fold = to_fold or (peer.dead and peer.damage is None)
        if self._read_folded(directory) or stale:
            self._start_anew()  # what they had no longer counts, or counts differently
        # What was folded and is still there was left by somebody who was killed just then.
        return to_fold or any(path.name in self._folded[directory].absorbed for path in found)

    def _read_folded(self, directory: Path) -> bool:
        """Read what was folded, after the workers' files; tell whether anything changed.

        A worker whose file is still there afterwards is in the folded file only if that says
        so. One whose file is gone by then is in the next one, at the latest.
        """
        folded = self._folded.get(directory)
        if folded is None:
            folded = self._folded[directory] = Folded(directory, _known(self._sources))
        changed = False
        again = True
        while again:
            changed = folded.refresh() or changed
            here = {path for path in self._peers if path.parent == directory}
            gone = {path for path in here if self._peers[path].deleted}
            again = bool(gone)
            for path in gone | {path for path in here if path.name in folded.absorbed}:
                del self._peers[path]
                changed = True
        if folded.damage is not None:
            self._tell(folded.path, f"{folded.path} is left alone: {folded.damage}")
        return changed

    def _start_anew(self) -> None:
        self._plan.clear()
        self._totals.clear()

    def _tell(self, what: Any, problem: str, *, log: bool = True) -> None:
        """Note a problem, once."""
        if what not in self._told:
            self._told[what] = problem
            self._problems.append(problem)
            if log:
                logger.warning("%s", problem)


def _known(sources: Iterable[Source]) -> dict[str, Metric]:
    """Return the metrics that this version, or a table of this process, has."""
    known = dict(_KNOWN)
    for source in sources:
        known.update((block.metric.name, block.metric) for block in source.blocks)
    return known


@dataclass(slots=True)
class _Plan:
    """Where the blocks of one source go."""

    done: int = 0
    steps: list[tuple[NDArray[np.float64], Total, Places]] = field(default_factory=list)

    def extend(self, blocks: Sequence[Any], totals: dict[str, Total]) -> None:
        """Take in the blocks made since the last time."""
        for block in blocks[self.done :]:
            total = totals.get(block.metric.name)
            if total is None:
                total = totals[block.metric.name] = Total(block.metric)
            if block.rows and block.metric == total.metric:
                self.steps.append((block.values, total, total.place(block.rows, block.created)))
        self.done = len(blocks)

    def add(self) -> None:
        """Add, or take the largest, of the values as they are now."""
        for values, total, places in self.steps:
            total.add(values, places)
