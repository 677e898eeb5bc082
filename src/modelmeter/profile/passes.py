"""The two readings of the training data: one to choose the bins, one to count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmeter._errors import DataError
from modelmeter.profile.choose import Binning, class_bins, column_bins, score_bins
from modelmeter.profile.columns import Array, place_array
from modelmeter.profile.facts import Y_PRED, Y_SCORE, settle_task
from modelmeter.profile.profile import ModelFacts
from modelmeter.profile.reading import DAY, Key, Reading
from modelmeter.profile.scan import ColumnScan, RowSample
from modelmeter.profile.texts import Column, Texts
from modelmeter.stats.bins import Bins, Counts, NumericBins
from modelmeter.stats.budget import natural_variation
from modelmeter.stats.labels import plain
from modelmeter.stats.values import Floats, is_missing

_Y_PRED: Key = ("predictions", Y_PRED)
_Y_TRUE: Key = ("target", "y_true")
_CLASSES: tuple[Key, ...] = (_Y_PRED, _Y_TRUE)

MIN_DAYS = 5
MIN_ROWS_PER_DAY = 50


class FirstPass:
    """The first reading: types, ranges, categories, a sample.

    Parameters
    ----------
    reading, binning
        The data, and how it is binned.
    facts
        What is known of the model.
    settle
        Whether the predictions may still show that it classifies.
    """

    def __init__(
        self, reading: Reading, binning: Binning, facts: ModelFacts, *, settle: bool
    ) -> None:
        self.binning = binning
        self.facts = facts
        self.scans: dict[Key, ColumnScan] = {}
        self.sample = RowSample(len(reading.features) + 3)
        self.rows = 0
        self.time_span: tuple[float, float] | None = None
        self._numbers: dict[Key, Counter[Any]] = {key: Counter() for key in _CLASSES}
        for batch in reading.first():
            self.rows += batch.rows
            numbers = {key: self._scan(key).feed(a) for key, a in batch.columns.items()}
            self.sample.feed(numbers, batch.rows)
            self._stretch(batch.times)
            for key in _CLASSES:
                self._tally_numbers(key, batch.columns.get(key))
        if not self.rows:
            raise DataError("X has no rows")
        if settle and _Y_PRED in self.scans:
            distinct = self._distinct()
            self.facts = settle_task(
                facts,
                distinct,
                whole=self.scans[_Y_PRED].whole and not any(isinstance(v, float) for v in distinct),
                most=binning.max_categories,
            )

    def _tally_numbers(self, key: Key, array: Column | None) -> None:
        """Note numbers predicted or true: with few whole ones they are classes."""
        if array is None or isinstance(array, Texts) or self.scans[key].group != "number":
            return
        if key == _Y_PRED and array.dtype.kind == "f":
            return
        if len(self._numbers[key]) <= self.binning.max_categories:
            self._numbers[key].update(v for v in array.tolist() if not is_missing(v))

    def _predicted(self) -> Counter[Any]:
        """Return the rows by prediction, for texts, booleans and few whole numbers."""
        return self.scans[_Y_PRED].tally or self._numbers[_Y_PRED]

    def _distinct(self) -> list[Any]:
        """Return what is predicted, and what is true but never predicted."""
        predicted = self._predicted()
        if not predicted or _Y_TRUE not in self.scans:
            return list(predicted)
        true = self.scans[_Y_TRUE].tally or self._numbers[_Y_TRUE]
        # Where a prediction is never true, y is in another language (1 and -1 for 1 and 0).
        if not predicted.keys() <= true.keys():
            return list(predicted)
        return [*predicted, *(plain(v) for v in true if v not in predicted)]

    def _scan(self, key: Key) -> ColumnScan:
        if key not in self.scans:
            if key[0] == "features":
                as_category = key[1] in self.binning.categorical
            else:
                as_category = key in _CLASSES and bool(self.facts.classes)
            self.scans[key] = ColumnScan(key[1], as_category=as_category)
        return self.scans[key]

    def _stretch(self, times: Floats | None) -> None:
        if times is None or not len(times):
            return
        low, high = float(times.min()), float(times.max())
        if self.time_span is not None:
            low, high = min(low, self.time_span[0]), max(high, self.time_span[1])
        self.time_span = (low, high)

    def bins(self) -> dict[Key, Bins]:
        """Choose the bins of every column."""
        chosen: dict[Key, Bins] = {}
        for key, scan in self.scans.items():
            if self.facts.classes and key in _CLASSES:
                chosen[key] = class_bins(self._predicted(), self.facts, self.binning)
            elif key == ("predictions", Y_SCORE):
                chosen[key] = score_bins(scan, self.sample, key, self.facts, self.binning)
            else:
                chosen[key] = column_bins(scan, self.sample, key, self.binning)
        return chosen


class SecondPass:
    """The second reading: rows by bin, by day where times are known, and sums by bin.

    Parameters
    ----------
    reading, scans, bins
        The data, what the first reading showed, and the bins of every column.
    segments
        Features by whose bins the outputs are counted, too.

    Attributes
    ----------
    by_segment
        By feature and output: rows by bin of the feature (down) and of the output (across).
    """

    def __init__(
        self,
        reading: Reading,
        scans: Mapping[Key, ColumnScan],
        bins: Mapping[Key, Bins],
        segments: Sequence[str] = (),
    ) -> None:
        sizes = {key: len(b.bins) for key, b in bins.items()}
        self.counts = {key: np.zeros(size, dtype=np.int64) for key, size in sizes.items()}
        self.sums = {key: np.zeros(size) for key, size in sizes.items()}
        self.by_day: dict[Key, dict[int, Counts]] = {key: {} for key in bins}
        pairs = [(("features", s), key) for s in segments for key in bins if key[0] == _Y_PRED[0]]
        self.by_segment = {
            (feature[1], output[1]): np.zeros((sizes[feature], sizes[output]), dtype=np.int64)
            for feature, output in pairs
        }
        needed = {key for pair in pairs for key in pair}
        for batch in reading.second():
            days = None if batch.times is None else (batch.times // DAY).astype(np.int64)
            kept = {}
            for key, column in batch.columns.items():
                places = self._count(key, column, scans[key], bins[key], days)
                if key in needed:
                    kept[key] = places
            for feature, output in pairs:
                table = self.by_segment[feature[1], output[1]]
                cells = kept[feature] * sizes[output] + kept[output]
                table += np.bincount(cells, minlength=table.size).reshape(table.shape)

    def _count(
        self, key: Key, column: Column, scan: ColumnScan, bins: Bins, days: Array | None
    ) -> NDArray[np.intp]:
        """Count a column; return the bin of every row."""
        size = len(bins.bins)
        if isinstance(column, Texts):
            places = column.spread(place_array(bins, column.distinct))
        elif isinstance(bins, NumericBins) and not scan.is_categorical:
            values = scan.numbers(column)
            places = bins.place(values)
            weights = np.nan_to_num(values, nan=0.0)
            self.sums[key] += np.bincount(places, weights=weights, minlength=size)
        else:
            places = place_array(bins, column)
        self.counts[key] += np.bincount(places, minlength=size)
        if days is None or key[0] == "target":
            return places
        # One bincount for all days of the batch.
        distinct, which = np.unique(days, return_inverse=True)
        table = np.bincount(which * size + places, minlength=len(distinct) * size)
        for day, counts in zip(distinct.tolist(), table.reshape(-1, size), strict=True):
            self.by_day[key][day] = self.by_day[key].get(day, 0) + counts
        return places

    def variation(self, key: Key) -> float | None:
        """Return what the PSI of 95 days in 100 stays under, its noise taken off."""
        days = [day for day in self.by_day[key].values() if day.sum() >= MIN_ROWS_PER_DAY]
        if len(days) < MIN_DAYS:
            return None
        return float(natural_variation(np.stack(days), self.counts[key]))
