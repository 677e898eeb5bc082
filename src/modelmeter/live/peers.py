"""What other workers have counted, read from their files."""

from __future__ import annotations

import json
import math
import mmap
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmeter import names
from modelmeter.live.files import SCHEMA_VERSION, SERIES
from modelmeter.names import Metric

Model = tuple[str, str]

_HASH: Final = names.MODEL_INFO.labels.index("profile_hash")


class Series(NamedTuple):
    """Series of one metric with their values, as in a ``Block``, but only to read.

    ``created`` is when each began to count, shape ``(len(rows),)`` or a scalar.
    """

    metric: Metric
    rows: tuple[tuple[str, ...], ...]
    values: NDArray[np.float64]
    created: Any


class UnreadableError(Exception):
    """A file in the directory is not, or not only, what this version writes."""


class PeerFile:
    """What another worker, alive or dead, has counted.

    Parameters
    ----------
    path
        Its ``.counts`` file.
    known
        The metrics of this version by name, whatever else the file holds is left out; None
        for all that it holds.

    Attributes
    ----------
    series
        Everything that was readable at the last ``refresh``; the values are live.
    dead
        Whether the worker had ended before the last ``refresh``.
    damage
        What is wrong with the file; None for nothing. Such a file is never folded.
    models
        Hash of the profile, by the models that the worker serves.
    """

    def __init__(self, path: Path, known: Mapping[str, Metric] | None) -> None:
        self.series: list[Series] = []
        self.dead = False
        self.damage: str | None = None
        self.models: dict[Model, str] = {}
        self._path = path
        self._known = known
        self._read = 0
        self._foreign = False
        self._map = np.empty(0, np.uint8)
        self._fd = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._fd)

    @property
    def deleted(self) -> bool:
        """Whether the file has been deleted since it was opened: folded, most likely."""
        return os.fstat(self._fd).st_nlink == 0

    def refresh(self) -> None:
        """Read what was added since the last time."""
        size = os.fstat(self._fd).st_size
        if size < self._map.size:  # reading on would be a SIGBUS
            self.series, self._map, self._foreign = [], np.empty(0, np.uint8), True
            self.damage = f"it was cut short, to {size} bytes"
        if self.dead:
            return
        self.dead = not locked(self._fd)
        try:
            with self._path.with_suffix(SERIES).open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except FileNotFoundError:
            if self._path.exists():  # else it was folded or taken away just now
                self.damage = f"it has no {SERIES} file beside it"
                return
            raise
        end = new.rfind(b"\n") + 1
        for line in new[:end].splitlines():
            try:
                if not self._foreign:
                    self._take(line)
            except UnreadableError as error:
                self.damage = self.damage or str(error)
        self._read += end
        if not self._read:
            self.damage = "it has no header"

    def _take(self, line: bytes) -> None:
        """Take in one line of the series file."""
        try:
            entry = json.loads(line)
            if "schema_version" in entry:
                self._foreign = entry["schema_version"] != SCHEMA_VERSION
                if self._foreign:
                    raise UnreadableError(f"{entry.get('writer')!r} wrote it, in another format")
                return
            metric = metric_of(entry)
            rows = rows_of(metric, entry)
            offset, created = int(entry["offset"]), float(entry["created"])
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableError(f"a line cannot be read: {line[:80]!r}") from error
        ours = resolved(metric, self._known)
        if ours is None:
            return
        end = offset + 8 * math.prod(shape_of(metric, len(rows)))
        if end > self._map.size:
            size = os.fstat(self._fd).st_size
            if end > size:  # reading beyond it would be a SIGBUS
                raise UnreadableError(f"it is cut short, at {size} bytes")
            self._map = np.frombuffer(
                mmap.mmap(self._fd, size, access=mmap.ACCESS_READ), dtype=np.uint8
            )
        if metric.name == names.MODEL_INFO.name:
            self.models |= models_of(rows)
        values = self._map[offset:end].view(np.float64).reshape(shape_of(metric, len(rows)))
        self.series.append(Series(ours, rows, values, created))


def models_of(rows: tuple[tuple[str, ...], ...]) -> dict[Model, str]:
    """Return the profile's hash by model, from rows of the metric that says it."""
    return {(row[0], row[1]): row[_HASH] for row in rows if len(row) > _HASH}


def metric_of(entry: Mapping[str, Any]) -> Metric:
    """Return the metric that an entry of a file describes.

    Raises
    ------
    KeyError, TypeError, ValueError
        It is no such entry.
    """
    return Metric(
        str(entry["metric"]),
        entry["type"],
        tuple(map(str, entry["labels"])),
        "",
        merge=entry["merge"],
        buckets=tuple(map(float, entry["buckets"])),
        live=bool(entry["live"]),
    )


def rows_of(metric: Metric, entry: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Return the label values in an entry of a file; raises as `metric_of` does."""
    rows = tuple(tuple(map(str, row)) for row in entry["rows"])
    if any(len(row) != len(metric.labels) for row in rows):
        raise ValueError(f"the labels are {metric.labels}")
    return rows


def resolved(metric: Metric, known: Mapping[str, Metric] | None) -> Metric | None:
    """Return this version's metric; None when it has none that means the same."""
    if known is None:
        return metric
    ours = known.get(metric.name)
    if ours is None or (ours.type, ours.labels, ours.buckets, ours.merge) != (
        *(metric.type, metric.labels, metric.buckets, metric.merge),
    ):
        return None
    return ours


def shape_of(metric: Metric, rows: int) -> tuple[int, ...]:
    """Return the shape of the values of so many series of a metric."""
    return (rows, len(metric.buckets) + 2) if metric.type == "histogram" else (rows,)


def locked(fd: int) -> bool:
    """Tell whether the worker that has this file lives."""
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False
