"""A file of rows that is there as a whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from modelmeter._errors import ConfigurationError, DataError, MissingExtraError

try:
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet
except ImportError as error:
    raise MissingExtraError("pyarrow", "files") from error

_PARQUET: Final = (".parquet", ".pq")


class OutFile:
    """Writes a ``.parquet``, ``.csv`` or ``.csv.gz`` file; use it in a ``with``.

    Rows go to a hidden file beside it, which takes its name when the block ends well and is
    removed otherwise. A process that is killed leaves the hidden file.

    Parameters
    ----------
    path
        Where to write; a file that is there is replaced at the end.

    Raises
    ------
    ConfigurationError
        It is of another kind, or cannot be written there.
    """

    def __init__(self, path: Path) -> None:
        name = path.name.lower()
        if not name.endswith((*_PARQUET, ".csv", ".csv.gz")):
            raise ConfigurationError(f"{str(path)!r} is no .parquet, .csv or .csv.gz file")
        if path.is_dir():
            raise ConfigurationError(f"{str(path)!r} is a folder")
        self.path = path
        self.is_csv = not name.endswith(_PARQUET)
        self._compressed = name.endswith(".gz")
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._file: Any = None
        self._sink: Any = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        """Make the hidden file."""
        try:
            # Not tempfile, whose files nobody else may read.
            self._file = self._part.open("wb")
        except OSError as error:
            raise ConfigurationError(f"cannot write {str(self.path)!r}: {error}") from error
        return self

    def write(self, table: Any) -> None:
        """Add rows.

        Parameters
        ----------
        table
            A pyarrow table; all have the schema of the first.

        Raises
        ------
        DataError
            A column is of a type that the file cannot hold.
        """
        try:
            if self._writer is None:
                self._writer = self._opened(table.schema)
            self._writer.write_table(table)
        except pyarrow.ArrowException as error:
            raise DataError(f"{str(self.path)!r} cannot hold these columns: {error}") from error

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Give the file its name if all went well, and remove it otherwise."""
        try:
            if kind is not None or self._writer is None:
                self._abandon()
                return
            try:
                self._close()
                os.fsync(self._file.fileno())
                self._file.close()
                self._part.replace(self.path)
            except BaseException:
                self._abandon()
                raise
        finally:
            self._file.close()

    def _opened(self, schema: Any) -> Any:
        if not self.is_csv:
            return pyarrow.parquet.ParquetWriter(self._file, schema)
        self._sink = pyarrow.PythonFile(self._file, "w")
        if self._compressed:
            self._sink = pyarrow.CompressedOutputStream(self._sink, "gzip")
        return pyarrow.csv.CSVWriter(self._sink, schema)

    def _close(self) -> None:
        self._writer.close()
        if self._compressed:
            self._sink.close()
        # Arrow may have closed what it was given.
        if self._file.closed:
            self._file = self._part.open("r+b")
        self._file.flush()

    def _abandon(self) -> None:
        with suppress(pyarrow.ArrowException, OSError, ValueError):
            if self._writer is not None:
                self._writer.close()
        self._part.unlink(missing_ok=True)
