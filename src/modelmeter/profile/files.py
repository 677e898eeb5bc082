"""Parquet and CSV files, read in batches so that memory stays bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
_CSV_BLOCK = 1 << 22


class FileSource:
    """A ``.parquet`` or ``.csv`` file.

    Raises
    ------
    DataError
        There is no such file, it is of another kind, or a CSV column mixes types.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise DataError(f"there is no file {str(path)!r}")
        self._path = path
        self._types: dict[str, Any] = {}
        self._guessed: set[str] = set()  # no value in the first block: their type is a guess
        if path.suffix.lower() in (".parquet", ".pq"):
            self._read = self._read_parquet
        elif path.suffix.lower() in (".csv", ".gz"):
            self._read = self._read_csv
            self._settle_csv_types()
        else:
            raise DataError(f"{str(path)!r} is no .parquet, .csv or .csv.gz file")
        schema = next(self._read(schema_only=True)).schema
        self.columns = check_names(schema.names)
        empty = nw.from_native(schema.empty_table(), eager_only=True)
        self.dtypes = dtype_names(empty)

    def batches(self, features: Sequence[str], *, as_array: bool) -> Iterator[Batch]:
        """Read the file from its start."""
        for table in self._read():
            if table.num_rows:
                frame = nw.from_native(arrow_to_frame(table), eager_only=True)
                yield frame_batch(frame, features, as_array)

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

    def _settle_csv_types(self) -> None:
        """Read the whole file, widening a column's type where a later block asks for it."""
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
