"""One worker's values on disk, so that every other worker can read them at any moment.

A worker has two files, both named after its process and a random number::

    4711-9f86d081.counts   float64 values, written through a memory map
    4711-9f86d081.series   JSON lines, only ever appended to: a header, then one line per
                           block: metric, label names, buckets, offset of its first value, rows

A block's values are there (zero) before its line is, and a line counts once its newline is
there, so whoever reads during a write, or after a ``kill -9``, sees a complete earlier state.
A worker holds an exclusive ``flock`` on its ``.counts`` file while it lives; the kernel
releases it however the worker ends.

To change the format: raise ``SCHEMA_VERSION``, and let ``PeerFile`` read the old one as well
or leave such files out (it leaves out what it does not know).
"""

from __future__ import annotations

import ctypes
import json
import math
import mmap
import os
import secrets
import weakref
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmeter._errors import ConfigurationError
from modelmeter.names import Metric

SCHEMA_VERSION: Final = 1
COUNTS: Final = ".counts"
SERIES: Final = ".series"

_CHUNK: Final = max(1 << 16, mmap.ALLOCATIONGRANULARITY)
_MAP_FIXED: Final = 0x10  # the same on Linux, macOS and the BSDs; the mmap module lacks it


class Series(NamedTuple):
    """Series of one metric with their values, as in a ``Block``, but only to read."""

    metric: Metric
    rows: tuple[tuple[str, ...], ...]
    values: NDArray[np.float64]


class _Chunk(NamedTuple):
    """A stretch of the file and where in memory it lies."""

    bytes: NDArray[np.uint8]
    offset: int


class WorkerFile:
    """The file that this process writes its values to.

    Parameters
    ----------
    directory
        Where to put it; made when it is not there.

    Raises
    ------
    ConfigurationError
        When the directory cannot be written to or its file system cannot lock files.
    """

    path: Path

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._chunks: list[_Chunk] = []
        self._used = 0  # bytes of the last chunk that blocks have taken
        try:
            self._open()
        except (OSError, ImportError) as error:
            raise ConfigurationError(
                f"cannot keep counts in the directory {str(directory)!r} ({error}); give a "
                "directory on a local file system that this process can write to"
            ) from error

    def allocate(
        self, metric: Metric, rows: tuple[tuple[str, ...], ...], shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Return zeros that live in the file, after telling readers what they are.

        Raises
        ------
        OSError
            When the file cannot grow.
        """
        count = math.prod(shape)
        if count == 0:
            return np.zeros(shape)
        if not self._chunks or self._used + 8 * count > self._chunks[-1].bytes.size:
            offset = self._chunks[-1].offset + self._chunks[-1].bytes.size if self._chunks else 0
            length = -(-8 * count // _CHUNK) * _CHUNK
            self._chunks.append(_Chunk(self._map(offset, length), offset))
            self._used = 0
        chunk = self._chunks[-1]
        values = chunk.bytes[self._used : self._used + 8 * count].view(np.float64).reshape(shape)
        self._publish(metric, rows, chunk.offset + self._used)
        self._used += 8 * count
        return values

    def move(self, blocks: Iterable[Any]) -> None:
        """Continue, in a forked child, in a file of its own behind the same addresses.

        Sums start at zero, because the parent's file still holds what it counted, and so do
        values that are about the parent; other values of which the largest counts are kept.
        """
        os.close(self._lock)
        self._unlock.detach()
        kept = [
            (b, b.values.copy() if b.metric.merge == "max" and not b.metric.live else 0.0)
            for b in blocks
        ]
        try:
            self._open()
            for chunk in self._chunks:
                self._map(chunk.offset, chunk.bytes.size, into=chunk.bytes)
        except BaseException:
            # Better to count where nobody looks than into the parent's file.
            for chunk in self._chunks:
                _map_fixed(chunk.bytes, -1, 0)
            raise
        for block, values in kept:
            block.values[...] = values
            if block.values.size:
                self._publish(block.metric, block.rows, self._offset(block.values))

    def _open(self) -> None:
        import fcntl  # POSIX only; on the heap modelmeter runs everywhere

        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{os.getpid()}-{secrets.token_hex(4)}{COUNTS}"
        self._series = path.with_suffix(SERIES)
        self._series_end = 0
        writer = f"modelmeter {version('modelmeter')}"
        self._append({"schema_version": SCHEMA_VERSION, "writer": writer})
        # Locked before it has the name that readers look for: unlocked means dead.
        hidden = path.with_suffix(".new")
        self._lock = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._unlock = weakref.finalize(self, os.close, self._lock)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        hidden.rename(path)
        self.path = path

    def _map(
        self, offset: int, length: int, into: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Map zeros at the end of the file, at an address of choice when one is given."""
        # Not through the locked descriptor: a map keeps a duplicate, which a forked child
        # would hold for longer than its parent lives.
        fd = os.open(self.path, os.O_RDWR)
        try:
            # Written, not left sparse: a full disk is an OSError here instead of a SIGBUS
            # at the first count.
            _write(fd, bytes(length), offset)
            if into is not None:
                _map_fixed(into, fd, offset)
                return into
            return np.frombuffer(mmap.mmap(fd, length, offset=offset), np.uint8)
        finally:
            os.close(fd)

    def _offset(self, values: NDArray[np.float64]) -> int:
        address = values.ctypes.data
        for chunk in self._chunks:
            start = chunk.bytes.ctypes.data
            if start <= address < start + chunk.bytes.size:
                return chunk.offset + address - start
        raise AssertionError("values outside every chunk of their own file")

    def _publish(self, metric: Metric, rows: tuple[tuple[str, ...], ...], offset: int) -> None:
        self._append(
            {
                "metric": metric.name,
                "labels": metric.labels,
                "buckets": metric.buckets,
                "offset": offset,
                "rows": rows,
            }
        )

    def _append(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        fd = os.open(self._series, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            # At the end that is known to be whole: what a failed write left is overwritten.
            _write(fd, line, self._series_end)
        finally:
            os.close(fd)
        self._series_end += len(line)


class PeerFile:
    """What another worker, alive or dead, has counted.

    Parameters
    ----------
    path
        Its ``.counts`` file.
    known
        The metrics of this version by name; whatever else the file holds is left out.

    Attributes
    ----------
    series
        Everything that was readable at the last ``refresh``; the values are live.
    dead
        Whether the worker had ended before the last ``refresh``.
    """

    def __init__(self, path: Path, known: Mapping[str, Metric]) -> None:
        self.series: list[Series] = []
        self.dead = False
        self._path = path
        self._known = known
        self._read = 0
        self._map = np.empty(0, np.uint8)
        self._fd = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._fd)

    def refresh(self) -> None:
        """Read what was added since the last time."""
        if self.dead:
            return
        self.dead = not self._locked()
        with self._path.with_suffix(SERIES).open("rb") as file:
            file.seek(self._read)
            new = file.read()
        end = new.rfind(b"\n") + 1
        for line in new[:end].splitlines():
            series = self._parse(line)
            if series is not None:
                self.series.append(series)
        self._read += end

    def _locked(self) -> bool:
        import fcntl

        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        return False

    def _parse(self, line: bytes) -> Series | None:
        try:
            entry = json.loads(line)
            metric = self._known[entry["metric"]]
            rows = tuple(tuple(map(str, row)) for row in entry["rows"])
            offset = int(entry["offset"])
            agreed = (tuple(entry["labels"]), tuple(entry["buckets"]))
        except (ValueError, KeyError, TypeError):
            return None  # the header, another version's metric, or a damaged line
        if agreed != (metric.labels, metric.buckets):
            return None
        shape: tuple[int, ...] = (len(rows),)
        if metric.type == "histogram":
            shape = (len(rows), len(metric.buckets) + 2)
        end = offset + 8 * math.prod(shape)
        if end > self._map.size:
            size = os.fstat(self._fd).st_size
            if end > size:
                return None  # cut short by other hands; reading beyond it would be a SIGBUS
            self._map = np.frombuffer(
                mmap.mmap(self._fd, size, access=mmap.ACCESS_READ), dtype=np.uint8
            )
        return Series(metric, rows, self._map[offset:end].view(np.float64).reshape(shape))


def _write(fd: int, data: bytes, offset: int) -> None:
    """Write all of the data at an offset."""
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written


def _map_fixed(memory: NDArray[np.uint8], fd: int, offset: int) -> None:
    """Put a file, or without one private memory, behind addresses already mapped."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int),
        *(ctypes.c_int, ctypes.c_int, ctypes.c_long),
    )
    flags = _MAP_FIXED | (mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS if fd < 0 else mmap.MAP_SHARED)
    address = memory.ctypes.data
    found = libc.mmap(address, memory.size, mmap.PROT_READ | mmap.PROT_WRITE, flags, fd, offset)
    if found != address:
        raise OSError(ctypes.get_errno(), "cannot map the counts of a forked process")
