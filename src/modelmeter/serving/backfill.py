"""Labels from a file, counted batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from datetime import time as clock_time
from pathlib import Path
from typing import Any, Final

from modelmeter._errors import ConfigurationError, DataError, MissingExtraError
from modelmeter.profile.profile import Profile
from modelmeter.serving.monitor import DEFAULT, Monitor, default_file
from modelmeter.stats.bins import is_missing

try:
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet
except ImportError as error:
    raise MissingExtraError("pyarrow", "files") from error

BATCH: Final = 5_000
"""Labels that are counted at once."""

EXAMPLES: Final = 5

# Longer than any service keeps predictions: it is not for a backfill to delete them.
_RETENTION_DAYS: Final = 36_500.0

_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of a file's columns.

    Parameters
    ----------
    prediction_id, y_true
        Ids of predictions, and their true values.
    time
        When the truth became known; None for ``time`` where there is such a column, else now.
    """

    prediction_id: str = "prediction_id"
    y_true: str = "y_true"
    time: str | None = None


@dataclass
class Progress:
    """How far a backfill is.

    Parameters
    ----------
    total
        Rows of the file; None where only reading it would tell.
    rows
        Rows read so far.
    empty
        Those of them without a true value, which are passed over.
    outcomes
        What became of the others, by outcome.
    examples
        The first few that were not counted: row of the file, from 1, and the reason.
    """

    total: int | None = None
    rows: int = 0
    empty: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[int, str]] = field(default_factory=list)


def backfill(
    path: str | Path,
    profile: Profile,
    *,
    store: str | Path = DEFAULT,
    columns: Columns | None = None,
) -> Iterator[Progress]:
    """Count the labels in a file, in bounded memory.

    Parameters
    ----------
    path
        A ``.parquet``, ``.csv`` or ``.csv.gz`` file. A point in time without a zone is in UTC.
    profile
        Of the model that the labels are for.
    store
        Where its predictions are kept, as given to `Monitor`.
    columns
        Names of the file's columns.

    Yields
    ------
    Progress
        The same object after each batch; at least once.

    Raises
    ------
    DataError
        There is no such file or column, or the file cannot be read.
    ConfigurationError
        The store cannot be used, or there is none.
    StoreUnavailableError
        The database does not answer. What was counted stays so: run it again.
    """
    source = _Source(Path(path), columns or Columns(), numeric=_is_numeric(profile))
    _check_existing(store, profile)
    monitor = Monitor(profile, store=store, retention_days=_RETENTION_DAYS)
    progress = Progress(total=source.rows)
    try:
        yield progress
        for items in source.batches():
            _count(monitor, items, progress)
            yield progress
    finally:
        monitor.close()


def _count(monitor: Monitor, items: list[dict[str, Any]], progress: Progress) -> None:
    places = [i for i, item in enumerate(items) if not is_missing(item["y_true"])]
    for i, outcome in zip(places, monitor.label([items[i] for i in places]), strict=True):
        progress.outcomes[str(outcome.kind)] += 1
        failed = outcome.kind in ("invalid", "contradiction", "expired")
        if failed and len(progress.examples) < EXAMPLES:
            progress.examples.append((progress.rows + i + 1, outcome.reason))
    progress.rows += len(items)
    progress.empty += len(items) - len(places)


class _Source:
    """A file with labels."""

    def __init__(self, path: Path, columns: Columns, *, numeric: bool) -> None:
        if not path.is_file():
            raise DataError(f"there is no file {str(path)!r}")
        self._path = path
        self._numeric = numeric
        self.rows: int | None = None
        self._is_parquet = path.suffix.lower() in (".parquet", ".pq")
        if not self._is_parquet and path.suffix.lower() not in (".csv", ".gz"):
            raise DataError(f"{str(path)!r} is no .parquet, .csv or .csv.gz file")
        there = self._read_names()
        wanted = {"prediction_id": columns.prediction_id, "y_true": columns.y_true}
        if columns.time is not None or "time" in there:
            wanted["time"] = columns.time or "time"
        for name in wanted.values():
            if name not in there:
                raise DataError(f"{str(path)!r} has no column {name!r}; it has {there}")
        self._wanted = wanted

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """Read the file from its start, in labels as objects."""
        names = list(self._wanted.values())
        try:
            for batch in self._read_parquet(names) if self._is_parquet else self._read_csv(names):
                for start in range(0, batch.num_rows, BATCH):
                    yield self._items(batch.slice(start, BATCH))
        except (pyarrow.ArrowException, OSError) as error:
            if isinstance(error, ConnectionError):  # the store's, not the file's
                raise
            raise DataError(f"{str(self._path)!r} cannot be read: {error}") from error

    def _read_names(self) -> list[str]:
        try:
            if self._is_parquet:
                with pyarrow.parquet.ParquetFile(self._path) as file:
                    self.rows = int(file.metadata.num_rows)
                    return list(file.schema_arrow.names)
            with pyarrow.csv.open_csv(self._path) as reader:
                return list(reader.schema.names)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{str(self._path)!r} cannot be read: {error}") from error

    def _read_parquet(self, names: list[str]) -> Iterator[Any]:
        with pyarrow.parquet.ParquetFile(self._path, pre_buffer=False) as file:
            yield from file.iter_batches(BATCH, columns=names)

    def _read_csv(self, names: list[str]) -> Iterator[Any]:
        # As text: the id 007 is no number, and what a column holds further down is not known.
        options = pyarrow.csv.ConvertOptions(
            include_columns=names,
            column_types=dict.fromkeys(names, pyarrow.string()),
            strings_can_be_null=True,
        )
        with pyarrow.csv.open_csv(self._path, convert_options=options) as reader:
            yield from reader

    def _items(self, batch: Any) -> list[dict[str, Any]]:
        values = {field: _values(batch.column(name)) for field, name in self._wanted.items()}
        if self._numeric:
            values["y_true"] = [_number(value) for value in values["y_true"]]
        if "time" in values:
            values["time"] = [_moment(value) for value in values["time"]]
        return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _values(column: Any) -> list[Any]:
    kind = column.type
    if pyarrow.types.is_timestamp(kind):  # Python's datetime has no nanoseconds
        column = column.cast(pyarrow.timestamp("us", kind.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _number(value: Any) -> Any:
    """Return the number that a text stands for; other values, and other texts, as they are."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _moment(value: Any) -> Any:
    """Return a point in time with its zone; what is none as it is, for the check to refuse."""
    value = _number(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, clock_time())
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _is_numeric(profile: Profile) -> bool:
    """Tell whether true values are numbers, so that a text of a CSV file stands for one."""
    return not any(isinstance(known, str) for known in profile.model.classes)


def _check_existing(store: str | Path, profile: Profile) -> None:
    """Refuse to make a new store: nothing could be counted in it."""
    if store == DEFAULT:
        file = default_file(profile.name)
    elif isinstance(store, Path) or "://" not in store:
        file = Path(store)
    elif store.startswith(_SQLITE):
        file = Path(store.removeprefix(_SQLITE))
    else:
        return
    if not file.is_file():
        raise ConfigurationError(
            f"there is no label store {str(file)!r} here: run this in the service's working "
            "directory, or give the store that the service has (--store)"
        )


MEANINGS: Final[Mapping[str, str]] = {
    "counted": "on disk, and in the metrics",
    "duplicate": "was known already; not counted again",
    "waiting": "no such prediction so far; an orphan if none comes in ten minutes",
    "orphan": "no prediction came",
    "expired": "the prediction is too old to wait for a label",
    "contradiction": "differs from an earlier label, which stays",
    "invalid": "cannot be a label of this model",
}
"""What the outcomes of labels mean."""
