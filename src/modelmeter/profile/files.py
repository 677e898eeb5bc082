"""Parquet and CSV files, read in batches so that memory stays bounded."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import narwhals as nw

from modelmeter._errors import DataError, MissingExtraError
from modelmeter.profile.sources import (
    BATCH_ROWS,
    Batch,
    arrow_to_frame,
    check_names,
    dtype_names,
    frame_batch,
)

try:
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet
except ImportError as error:
    raise MissingExtraError("pyarrow", "files") from error

# What a CSV column may turn out to be further down, where its first block said otherwise.
_WIDER = {"null": pyarrow.float64(), "int64": pyarrow.float64()}
# Arrow reads 32 blocks ahead.
_CSV_BLOCK = 1 << 20


class FileSource:
    """A ``.parquet`` or ``.csv`` file.

    Parameters
    ----------
    path
        The file.
    typed
        Columns of a CSV file whose values are taken for numbers, dates and so on where they all
        look like it; others are texts. None for all.

    Raises
    ------
    DataError
        There is no such file, it is of another kind, or a CSV column mixes types.
    """

    def __init__(self, path: Path, *, typed: Collection[str] | None = None) -> None:
        if not path.is_file():
            raise DataError(f"there is no file {str(path)!r}")
        self._path = path
        self._types: dict[str, Any] = {}
        self._guessed: set[str] = set()  # no value in the first block: their type is a guess
        if path.suffix.lower() in (".parquet", ".pq"):
            self._read = self._read_parquet
        elif path.suffix.lower() in (".csv", ".gz"):
            self._read = self._read_csv
            self._settle_csv_types(typed)
        else:
            raise DataError(f"{str(path)!r} is no .parquet, .csv or .csv.gz file")
        schema = next(self._read(schema_only=True)).schema
        self.columns = check_names(schema.names)
        empty = nw.from_native(schema.empty_table(), eager_only=True)
        self.dtypes = dtype_names(empty)

    def batches(self, features: Sequence[str], *, as_array: bool) -> Iterator[Batch]:
        """Read the file from its start."""
        for table in self.tables():
            yield table_batch(table, features, as_array=as_array)

    def tables(self) -> Iterator[Any]:
        """Read the file from its start, as pyarrow tables; of a model's columns and all others."""
        for table in self._read():
            if table.num_rows:
                yield table

    def _read_parquet(self, *, schema_only: bool = False) -> Iterator[Any]:
        try:
            # Its buffer would hold what was read until the end of the file.
            with pyarrow.parquet.ParquetFile(self._path, pre_buffer=False) as file:
                if schema_only:
                    yield file.schema_arrow.empty_table()
                    return
                for batch in file.iter_batches(BATCH_ROWS):
                    yield pyarrow.Table.from_batches([batch])
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{str(self._path)!r} cannot be read: {error}") from error

    def _read_csv(self, *, schema_only: bool = False) -> Iterator[Any]:
        reader = pyarrow.csv.open_csv(
            self._path,
            read_options=pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=self._types, strings_can_be_null=True
            ),
        )
        with reader:
            if schema_only:
                yield reader.schema.empty_table()
                return
            for batch in reader:
                yield pyarrow.Table.from_batches([batch])

    def _settle_csv_types(self, typed: Collection[str] | None) -> None:
        """Read the whole file, widening a column's type where a later block asks for it."""
        if typed is not None:
            names = self._csv_names()
            self._types = {name: pyarrow.string() for name in names if name not in typed}
        while True:
            schema = None
            try:
                schema = next(self._read_csv(schema_only=True)).schema
                check_names(schema.names)
                for _ in self._read_csv():
                    pass
            except (pyarrow.ArrowException, OSError) as error:
                self._widen(schema, str(error))
            else:
                return

    def _csv_names(self) -> list[str]:
        try:
            return list(next(self._read_csv(schema_only=True)).schema.names)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{str(self._path)!r} cannot be read: {error}") from error

    def _widen(self, schema: Any, message: str) -> None:
        found = re.search(r"In CSV column #(\d+): (?:Row #\d+: )?(.*)", message)
        if schema is None or found is None:
            raise DataError(f"{str(self._path)!r} cannot be read: {message}")
        field = schema.field(int(found[1]))
        wider = _WIDER.get(str(field.type))
        if self._types.get(field.name) == pyarrow.float64() and field.name in self._guessed:
            wider = pyarrow.string()
            self._guessed.discard(field.name)
        if wider is None:
            raise DataError(f"column {field.name!r} mixes types: {found[2]}")
        if str(field.type) == "null":
            self._guessed.add(field.name)
        self._types[field.name] = wider


def table_batch(table: Any, features: Sequence[str], *, as_array: bool) -> Batch:
    """Make a batch of a pyarrow table, with the model's columns picked out in their order."""
    frame = nw.from_native(arrow_to_frame(table), eager_only=True)
    return frame_batch(frame, features, as_array)


def csv_texts(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """Read columns of a CSV file as they are written, in tables of as many rows as `FileSource`.

    Parameters
    ----------
    path
        A file that a `FileSource` could read.
    columns
        Their names.

    Yields
    ------
    pyarrow.Table
        Of texts; an empty one is null, and nothing else is.
    """
    reader = pyarrow.csv.open_csv(
        path,
        # Where a block ends follows from its size alone.
        read_options=pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=list(columns),
            column_types=dict.fromkeys(columns, pyarrow.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    with reader:
        for batch in reader:
            if batch.num_rows:
                yield pyarrow.Table.from_batches([batch])
