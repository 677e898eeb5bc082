"""A file of rows, scored batch by batch and counted on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import numpy as np

from modelmeter._errors import (
    ConfigurationError,
    DataError,
    MissingExtraError,
    ModelError,
    StoreUnavailableError,
)
from modelmeter.live.counts import merged
from modelmeter.live.ids import Ids, new_id, row_id
from modelmeter.profile.columns import Array
from modelmeter.profile.facts import (
    Y_PRED,
    Y_SCORE,
    as_labels,
    as_scores,
    predict_function,
    wants_array,
)
from modelmeter.profile.files import FileSource, csv_texts, table_batch
from modelmeter.profile.profile import Profile
from modelmeter.profile.sources import BATCH_ROWS, Batch
from modelmeter.report.counts import Labelled, Observed, observed
from modelmeter.report.data import rows_of
from modelmeter.report.labelling import LabelledRows
from modelmeter.serving.canary import replay
from modelmeter.serving.monitor import Monitor
from modelmeter.serving.outfile import OutFile
from modelmeter.stats.labels import category_labels
from modelmeter.stats.values import is_missing

try:
    import pyarrow
except ImportError as error:
    raise MissingExtraError("pyarrow", "files") from error

PREDICTION_ID: Final = "prediction_id"
STORE_SECONDS: Final = 60.0
"""How long the label store may take to write the predictions of one batch."""

_CSV: Final = (".csv", ".gz")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What is done with the columns of the input.

    Parameters
    ----------
    keep
        Those that are written again, in front of what the model says; None for all.
    id
        The one that names each prediction, for labels that come later; None for
        ``prediction_id`` where there is such a column, else ids are made.
    target
        The one with true values, for performance; None for none.
    """

    keep: Sequence[str] | None = None
    id: str | None = None
    target: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """What came of a file.

    Parameters
    ----------
    out
        What was written.
    rows
        How many.
    seconds
        How long it took.
    observed
        What was counted, for `summarise`.
    labelled
        What true values say; None without any.
    not_kept
        Predictions that the label store did not keep, by reason.
    """

    out: Path
    rows: int
    seconds: float
    observed: Observed
    labelled: Labelled | None = None
    not_kept: dict[str, int] = field(default_factory=dict)


def score(
    model: Any,
    monitor: Monitor,
    data: str | Path,
    out: str | Path,
    *,
    columns: Columns | None = None,
    batch_rows: int | None = None,
    on_rows: Callable[[int], None] | None = None,
) -> Scored:
    """Score a file of any size in bounded memory.

    Parameters
    ----------
    model
        A fitted model.
    monitor
        Counts for it; where it keeps predictions (``store``), labels may name them later.
    data
        A ``.parquet``, ``.csv`` or ``.csv.gz`` file with the profile's features as columns.
    out
        Likewise: gets the columns that are kept, as they were, then ``prediction_id``,
        ``y_pred`` and, where the model has scores, ``y_score`` (of the positive class, or of
        the predicted one) and, of more than two classes, ``y_score_CLASS`` for each. It is
        there when all rows are, and not before.
    columns
        What is done with the columns of the input.
    batch_rows
        Rows that the model is asked about at once, at most; `BATCH_ROWS` by default, which is the
        most.
    on_rows
        Called after each batch with the number of rows scored so far.

    Returns
    -------
    Scored

    Raises
    ------
    DataError
        A column is not there or is there twice, or the file cannot be read or has no rows.
    ModelError
        The model cannot predict, or failed on some rows.
    ConfigurationError
        `out` cannot be written, or is `data`; or `batch_rows` is out of range.
    StoreUnavailableError
        The label store does not answer.
    """
    size = BATCH_ROWS if batch_rows is None else batch_rows
    if not 1 <= size <= BATCH_ROWS:
        raise ConfigurationError(f"batch_rows must be 1 to {BATCH_ROWS}, not {batch_rows!r}")
    scoring = _Scoring(model, monitor, Path(data), Path(out), columns or Columns())
    return scoring.run(size, on_rows)


def rows_in(data: str | Path) -> int | None:
    """Return how many rows a file has; None where only reading it would tell."""
    return rows_of(Path(data)) if Path(data).is_file() else None


class _Scoring:
    """One file being scored."""

    def __init__(
        self, model: Any, monitor: Monitor, data: Path, out: Path, columns: Columns
    ) -> None:
        self._monitor, self._profile = monitor, monitor.profile
        self._features = [feature.name for feature in self._profile.features]
        self._file = OutFile(out)
        if out.exists() and data.exists() and out.samefile(data):
            raise ConfigurationError(f"the input {str(data)!r} cannot be the output too")
        typed = {*self._features, *filter(None, [columns.target])}
        is_csv = data.suffix.lower() in _CSV
        self._source = FileSource(data, typed=typed)
        self._data = data
        there = self._source.columns
        if lacking := [name for name in self._features if name not in there]:
            raise DataError(
                f"{str(data)!r} lacks the model's columns {lacking[:20]}; it has {list(there)[:20]}"
            )
        self._columns = _settled(columns, there)
        self._kept = self._kept_columns(there)
        texts = [*self._kept, *filter(None, [self._columns.id])]
        # A CSV file's texts are copied as they are: 007 stays 007, and NA is no missing text.
        self._texts = list(dict.fromkeys(texts)) if is_csv else []
        self._model = model
        self._array = wants_array(model)
        predict = predict_function(model)
        if predict is None:
            raise ModelError(f"the model has no predict method: {type(model).__name__}")
        self._predict = predict
        replay(model, monitor)
        self._labels = None if columns.target is None else LabelledRows(self._profile)
        self._schema: Any = None
        self._rows = 0

    def run(self, batch_rows: int, on_rows: Callable[[int], None] | None) -> Scored:
        started = time.monotonic()
        with self._file:
            for table, texts in self._tables(batch_rows):
                self._file.write(self._scored(table, texts))
                self._rows += table.num_rows
                self._settle_store()
                if on_rows is not None:
                    on_rows(self._rows)
            if not self._rows:
                raise DataError(f"{str(self._data)!r} has no rows")
        labelled = None if self._labels is None else self._labels.counts
        found = observed(
            self._profile,
            merged([self._monitor.counts]),
            kind="file",
            where=self._data.name,
            window="whole file",
        )
        feedback = self._monitor.feedback_store
        dropped = {} if feedback is None else feedback.store.dropped
        return Scored(
            out=self._file.path,
            rows=self._rows,
            seconds=time.monotonic() - started,
            observed=found if labelled is None else replace(found, labelled=labelled),
            labelled=labelled,
            not_kept={reason: number for reason, number in dropped.items() if number},
        )

    def _kept_columns(self, there: Sequence[str]) -> list[str]:
        kept = list(there) if self._columns.keep is None else list(self._columns.keep)
        if self._columns.id == PREDICTION_ID and PREDICTION_ID in kept:
            kept.remove(PREDICTION_ID)  # written again with the others of its kind
        ours = {PREDICTION_ID, Y_PRED, Y_SCORE, *self._score_columns()}
        if clash := sorted(ours & set(kept)):
            raise DataError(
                f"the input has columns {clash}, which the output gets: say which to keep (--keep)"
            )
        return kept

    def _score_columns(self) -> list[str]:
        facts = self._profile.model
        if facts.task != "multiclass" or facts.score_method is None:
            return []
        return [f"{Y_SCORE}_{label}" for label in category_labels(facts.classes)]

    def _tables(self, rows: int) -> Iterator[tuple[Any, Any]]:
        """Read the file: typed as the model needs it, and its texts beside where it has any."""
        texts = csv_texts(self._data, self._texts) if self._texts else repeat(None)
        for table, beside in zip(self._source.tables(), texts, strict=False):
            if beside is not None and beside.num_rows != table.num_rows:
                raise DataError(f"{str(self._data)!r} changed while it was read")
            for start in range(0, table.num_rows, rows):
                part = table.slice(start, rows)
                yield part, part if beside is None else beside.slice(start, rows)

    def _scored(self, table: Any, texts: Any) -> Any:
        batch = table_batch(table, self._features, as_array=self._array)
        call = new_id()
        ids = [row_id(call, i, batch.rows) for i in range(batch.rows)]
        if self._columns.id is not None:
            ids = self._own_ids(texts.column(self._columns.id))
        y_pred, y_score = self._ask(batch, call if self._columns.id is None else ids)
        if self._labels is not None and self._columns.target is not None:
            truth = batch.column(self._columns.target)
            self._labels.add(truth, y_pred=y_pred, y_score=y_score, X=batch.native)
        # A CSV file takes texts as they were, any other has types.
        copied = texts if self._file.is_csv else self._typed(table, texts)
        return self._table(copied, ids, as_labels(y_pred), y_score)

    def _typed(self, table: Any, texts: Any) -> Any:
        """Return the columns to keep with the types that the model was given."""
        if not self._texts:
            return table
        typed = set(self._features) | {self._columns.target}
        arrays = {n: (table if n in typed else texts).column(n) for n in self._kept}
        return pyarrow.table(arrays)

    def _ask(self, batch: Batch, ids: Ids) -> tuple[Any, Any]:
        """Ask the model, and count what it says in one go."""
        method = self._profile.model.score_method
        started = time.perf_counter()
        try:
            y_pred = self._predict(batch.native)
            y_score = getattr(self._model, method)(batch.native) if method else None
        except Exception as error:
            self._monitor.failed(batch.rows)
            span = f"rows {self._rows} to {self._rows + batch.rows - 1}"
            raise ModelError(f"the model failed on {span} of the data: {error}") from error
        if len(y_pred) != batch.rows:
            raise ModelError(f"the model gave {len(y_pred)} answers for {batch.rows} rows")
        seconds = time.perf_counter() - started
        self._monitor.observe(batch.native, y_pred, y_score, seconds=seconds, prediction_id=ids)
        return y_pred, y_score

    def _table(self, copied: Any, ids: list[str], y_pred: Array, y_score: Any) -> Any:
        columns = {name: copied.column(name) for name in self._kept}
        columns[PREDICTION_ID] = pyarrow.array(ids, pyarrow.string())
        columns[Y_PRED] = _predictions(self._profile, y_pred)
        if y_score is not None:
            columns[Y_SCORE] = pyarrow.array(as_scores(y_score))
            scores, names = np.asarray(y_score, dtype=np.float64), self._score_columns()
            if scores.ndim == 2 and scores.shape[1] == len(names):
                columns |= {name: pyarrow.array(scores[:, i]) for i, name in enumerate(names)}
        table = pyarrow.table(columns)
        if self._schema is None:
            self._schema = table.schema
        try:
            return table.cast(self._schema)
        except (pyarrow.ArrowException, ValueError) as error:
            raise ModelError(f"the model answers in different types: {error}") from error

    def _own_ids(self, column: Any) -> list[str]:
        ids = column.to_pylist()
        for i, value in enumerate(ids):
            if is_missing(value):
                raise DataError(
                    f"column {self._columns.id!r} has no id in row {self._rows + i} (from 0)"
                )
        return list(map(str, ids))

    def _settle_store(self) -> None:
        """Wait until predictions are written: the queue holds only some batches."""
        feedback = self._monitor.feedback_store
        if feedback is not None and not feedback.store.flush(STORE_SECONDS):
            raise StoreUnavailableError(
                f"the label store {feedback.store.name} did not write the predictions of a batch "
                f"within {STORE_SECONDS:g} s"
            )


def _settled(columns: Columns, there: Sequence[str]) -> Columns:
    """Check the columns that were named, and find the id under its usual name."""
    named: dict[str, Sequence[str | None]] = {
        "keep": columns.keep or (),
        "id": (columns.id,),
        "target": (columns.target,),
    }
    for what, some in named.items():
        for name in some:
            if name is not None and name not in there:
                raise DataError(
                    f"{what}: the input has no column {name!r}; it has {list(there)[:20]}"
                )
    usual = PREDICTION_ID if PREDICTION_ID in there else None
    return replace(columns, id=columns.id or usual)


def _predictions(profile: Profile, y_pred: Array) -> Any:
    """Return predicted classes or values as an Arrow array of one type."""
    if profile.model.task == "regression":
        return pyarrow.array(y_pred, pyarrow.float64())
    return pyarrow.array(y_pred.tolist())
