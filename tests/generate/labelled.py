"""Models with labels, as what they export: live rows, labels, and what training knew."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np

from modelmeter import names
from modelmeter.stats.performance import (
    ERROR_SUMS,
    TARGET_SUMS,
    binary_ratios,
    error_sums,
    multiclass_ratios,
    target_sums,
)
from modelmeter.stats.performance.estimated_errors import expected_errors

SEGMENTS = ("", "origin=JFK", "origin=LGA")
LABELS = tuple(f"[{i}, {i + 1})" for i in range(100))


def add(table, more):
    """Add values to a table."""
    for key, value in more.items():
        table[key] = table.get(key, 0) + value


class Model:
    """What all models have; `random` draws rows, and 0 rows declare every series."""

    def __init__(self, name, version="1"):
        self.name = (name, version)

    def reference(self):
        """Return what training knew."""
        values, errors = names.REFERENCE_PERFORMANCE, names.REFERENCE_PERFORMANCE_ERROR
        found = {}
        for segment in SEGMENTS[:2]:
            for figure, (value, error) in self.baseline.items():
                found[values, (*self.name, segment, *figure)] = value
                found[errors, (*self.name, segment, *figure)] = error
        return found

    def _bin(self, feature, kind, position, bin, segment):
        row = (*self.name, "prediction", feature, kind, position, bin, segment)
        return names.FEATURE_BIN, row

    def _prediction_rows(self):
        """Give every bin of the outputs its training rows: without any, no live rows count."""
        return {
            (names.REFERENCE_ROWS, row): 100.0
            for metric, row in self.live(np.random.default_rng(0), 0)
            if metric is names.FEATURE_BIN
        }


class Binary(Model):
    """A binary classifier whose scores fall into eight bins; the last three say yes."""

    classes = ("no", "yes")
    baseline: ClassVar = {
        ("accuracy", ""): (0.8, 0.01),
        ("roc_auc", ""): (0.75, 0.02),
        ("precision", "yes"): (0.7, 0.03),
        ("recall", "no"): (0.9, 0.005),
        ("log_loss", ""): (0.4, 0.0),
    }
    scores = np.array([0.02, 0.1, 0.25, 0.35, 0.45, 0.55, 0.7, 0.97])
    positive = np.arange(8) >= 5

    def __init__(self, name, version="1", *, probabilities=True):
        super().__init__(name, version)
        self.probabilities = probabilities
        table = np.random.default_rng(len(name)).integers(0, 300, (8, 2))
        self.ratios = binary_ratios(table, self.scores, probabilities=probabilities).ratios
        self.bins = [(f"{i:02d}", LABELS[i]) for i in range(8)]

    def reference(self):
        found = {**super().reference(), **self._prediction_rows()}
        for i, bin_ in enumerate(self.bins):
            said = self.classes[int(self.positive[i])]
            for k, true in enumerate(self.classes):
                row = (*self.name, said, *bin_, f"{k:02d}", true)
                found[names.OUTCOME_RATIO, row] = float(self.ratios[i, k])
            if self.probabilities:
                found[names.REFERENCE_SCORE, (*self.name, *bin_)] = float(self.scores[i])
        return found

    def live(self, random, rows):
        found = {}
        for segment in SEGMENTS:
            counts = random.multinomial(rows, random.dirichlet(np.ones(8)))
            for (place, bin_), count in zip(self.bins, counts, strict=True):
                found[self._bin("y_score", "interval", place, bin_, segment)] = int(count)
            for said, side in zip(self.classes, (~self.positive, self.positive), strict=True):
                cell = self._bin("y_pred", "category", "", said, segment)
                found[cell] = int(counts[side].sum())
        return found

    def labels(self, random, rows, store):
        found = {}
        for segment in SEGMENTS:
            counts = random.multinomial(rows, random.dirichlet(np.ones(16))).reshape(8, 2)
            for i, bin_ in enumerate(self.bins):
                said = self.classes[int(self.positive[i])]
                for true, count in zip(self.classes, counts[i], strict=True):
                    row = (*self.name, store, segment, *bin_, true)
                    cell = (*self.name, store, segment, true, said)
                    add(found, {(names.LABEL_BIN, row): int(count)})
                    add(found, {(names.CONFUSION, cell): int(count)})
            for true in self.classes:
                for said in self.classes:
                    found.setdefault((names.CONFUSION, (*self.name, store, segment, true, said)), 0)
        return found


class Multiclass(Model):
    """A classifier with more than two classes, with or without confidence in four bins.

    With `only_right` the table of ratios was too large to be exported in full.
    """

    baseline: ClassVar = {("accuracy", ""): (0.6, 0.01), ("macro_f1", ""): (0.5, 0.02)}

    def __init__(self, name, classes, *, scores=True, only_right=False):
        super().__init__(name)
        self.classes, self.only_right = classes, only_right
        self.bins = [(f"{i:02d}", LABELS[i]) for i in range(4)] if scores else [("", "")]
        shape = (len(classes), len(self.bins), len(classes))
        table = np.random.default_rng(len(classes)).integers(0, 50, shape)
        points = np.array([0.4, 0.6, 0.8, 0.95]) if scores else None
        self.ratios = multiclass_ratios(table, points).ratios

    def reference(self):
        found = {**super().reference(), **self._prediction_rows()}
        for i, said in enumerate(self.classes):
            for j, bin_ in enumerate(self.bins):
                for k, true in enumerate(self.classes):
                    if not self.only_right or i == k:
                        row = (*self.name, said, *bin_, f"{k:02d}", true)
                        found[names.OUTCOME_RATIO, row] = float(self.ratios[i, j, k])
        return found

    def live(self, random, rows):
        found = {}
        cells = len(self.classes) * len(self.bins)
        for segment in SEGMENTS:
            counts = random.multinomial(rows, random.dirichlet(np.ones(cells)))
            counts = counts.reshape(len(self.classes), len(self.bins))
            for said, of_class in zip(self.classes, counts, strict=True):
                cell = self._bin("y_pred", "category", "", said, segment)
                found[cell] = int(of_class.sum())
                for (place, bin_), count in zip(self.bins, of_class, strict=True):
                    if not place:
                        continue
                    found[names.CLASS_SCORE, (*self.name, said, place, bin_, segment)] = int(count)
                    score = self._bin("y_score", "interval", place, bin_, segment)
                    add(found, {score: int(count)})
        return found

    def labels(self, random, rows, store):
        found = {}
        size = len(self.classes)
        for segment in SEGMENTS:
            counts = random.multinomial(rows, random.dirichlet(np.ones(size * size)))
            counts = counts.reshape(size, size)
            for i, true in enumerate(self.classes):
                for j, said in enumerate(self.classes):
                    cell = (*self.name, store, segment, true, said)
                    found[names.CONFUSION, cell] = int(counts[i, j])
        return found


class Regression(Model):
    """A regression whose predictions fall into five bins."""

    baseline: ClassVar = {
        ("mae", ""): (1.5, 0.05),
        ("rmse", ""): (2.0, 0.06),
        ("r2", ""): (0.5, 0.1),
    }

    def __init__(self, name):
        super().__init__(name)
        self.bins = [(f"{i:02d}", LABELS[i]) for i in range(5)]

    @cached_property
    def expected(self):
        """Mean of each error's power by bin, shape (5, 4)."""
        random = np.random.default_rng(1)
        y_true, places = random.normal(50, 9, 900), random.integers(0, 5, 900)
        y_pred = y_true + random.normal(0.3, 2, 900)
        return expected_errors(error_sums(y_true, y_pred, places=places, bins=5))

    def reference(self):
        found = {**super().reference(), **self._prediction_rows()}
        for bin_, of_bin in zip(self.bins, self.expected, strict=True):
            for statistic, value in zip(ERROR_SUMS[1:], of_bin, strict=True):
                row = (*self.name, *bin_, statistic)
                found[names.REFERENCE_ERROR, row] = float(value)
        return found

    def live(self, random, rows):
        found = {}
        for segment in SEGMENTS:
            counts = random.multinomial(rows, random.dirichlet(np.ones(5)))
            for (place, bin_), count in zip(self.bins, counts, strict=True):
                found[self._bin("y_pred", "interval", place, bin_, segment)] = int(count)
        return found

    def labels(self, random, rows, store):
        found = {}
        for segment in SEGMENTS:
            y_true, places = random.normal(50, 9, rows), random.integers(0, 5, rows)
            y_pred = y_true + random.normal(-0.7, 2.5, rows)
            sums = error_sums(y_true, y_pred, places=places, bins=5)
            bins = [("", "")] if segment else self.bins
            for bin_, of_bin in zip(bins, sums.sum(axis=0)[None] if segment else sums, strict=True):
                for statistic, value in zip(ERROR_SUMS, of_bin, strict=True):
                    row = (*self.name, store, segment, *bin_, statistic)
                    found[names.ERROR_SUM, row] = float(value)
            powers = target_sums(y_true, y_pred, center=48)
            for statistic, value in zip(TARGET_SUMS, powers, strict=True):
                row = (*self.name, store, segment, statistic)
                found[names.TARGET_SUM, row] = float(value)
        return found
