"""What is counted of a history is what a service and its label store would have counted."""

from __future__ import annotations

import numpy as np
import pytest

import modelmeter as mm
from live.answering import built, rows, truth
from modelmeter import names
from modelmeter.live.counts import merged
from modelmeter.live.observer import Observer
from modelmeter.rehearsal.counting import RowCounter, is_whole
from modelmeter.rehearsal.history import Columns, History
from modelmeter.rehearsal.labelling import LabelCounter
from modelmeter.rehearsal.table import Table

START, STEP, HOURS = 1_700_006_400.0, 1800.0, 40


def history_of(kind, seed=7):
    """Return rows with times in no order, some labels, and when these come; and the model."""
    model, profile = built(kind)
    X = rows(2_000, seed=seed, cities=("Ulm", "Bonn", "Rom"))
    X.loc[X.index[::9], "a"] = np.nan
    random = np.random.default_rng(seed)
    times = START + random.uniform(0, HOURS * 3600, len(X))
    came = truth(kind, X.fillna(0.0)).astype(object)
    came[::5] = None
    lag = random.uniform(0, 20 * 3600, len(X))
    return model, profile, X.assign(time=times, came=came, known=times + lag)


class Filling:
    """A model that takes rows with gaps, as a pipeline with an imputer does."""

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name):
        method = getattr(self._model, name)
        return (lambda X: method(X.fillna(0.0))) if callable(method) else method


def counted_by(history, profile, folder):
    """Return what is in the table by the end, by metric and labels."""
    counter = RowCounter(profile)
    labels = LabelCounter(profile, counter.form, STEP)
    families = [*counter.families(), *labels.families()]
    steps = HOURS * 2 + 1
    table = Table(folder / "table", steps, families)

    def clock(times):
        return np.ceil((times - START) / STEP).astype(int)

    number = 0
    for part in history.parts():
        where = clock(part.times)
        answer = counter.count(part, where, table)
        number += labels.count(part, answer, where, clock, table)[0]
    (chunk,) = table.chunks([range(steps)])
    last = chunk.values[-1]
    found = {
        family.name: {row: last[table.starts[family.name] + i] for i, row in enumerate(family.rows)}
        for family in families
    }
    return found, number


@pytest.mark.parametrize("kind", ["probability", "three", "number"])
def test_rows_are_counted_as_live(kind, tmp_path):
    """Bins, absent columns, rows and confidences are those of an `Observer`, whatever the model."""
    model, profile, frame = history_of(kind)
    model = Filling(model)
    history = History(frame, profile, Columns(time="time"), model=model)
    found, _ = counted_by(history, profile, tmp_path)
    observer = Observer(profile)
    X = frame[["a", "b", "city"]]
    score = None if kind == "number" else model.predict_proba(X)
    observer.observe(X, y_pred=model.predict(X), y_score=score)
    compared = set()
    for family in merged([observer.counts]):
        if family.metric.name in found:
            whole = {
                row: value
                for row, value in zip(family.rows, family.values.tolist(), strict=True)
                if is_whole(family.metric, row)
            }
            assert found[family.metric.name] == whole
            compared.add(family.metric)
    expected = {names.FEATURE_BIN, names.FEATURE_ABSENT, names.PREDICTIONS}
    assert compared == expected | ({names.CLASS_SCORE} if kind == "three" else set())


@pytest.mark.parametrize("kind", ["probability", "three", "number"])
def test_labels_are_counted_as_the_store_counts_them(kind, tmp_path):
    """Totals of the labels that came in time are those of a real label store."""
    model, profile, frame = history_of(kind)
    model = Filling(model)
    columns = Columns(time="time", target="came", label_time="known")
    found, number = counted_by(History(frame, profile, columns, model=model), profile, tmp_path)
    end = START + HOURS * 3600
    known = frame[frame["came"].notna() & (frame["known"] <= end)]
    assert number == len(known)
    monitor = mm.Monitor(profile, store=tmp_path / "labels.db")
    X = known[["a", "b", "city"]]
    score = None if kind == "number" else model.predict_proba(X)
    ids = [f"row-{i}" for i in range(len(known))]
    with monitor.identified(ids):
        monitor.observe(X, y_pred=model.predict(X), y_score=score)
    assert monitor.close()
    monitor = mm.Monitor(profile, store=tmp_path / "labels.db")
    outcomes = monitor.label(
        [{"prediction_id": i, "y_true": y} for i, y in zip(ids, known["came"], strict=True)]
    )
    assert {str(outcome.kind) for outcome in outcomes} == {"counted"}
    compared = 0
    for family in monitor.label_families():
        name = family.metric.name
        if name in found and family.metric not in (
            names.COVERAGE_PREDICTIONS,
            names.COVERAGE_LABELS,
            names.LABELS_WAITING,
        ):
            # The store has its own id.
            rows_of = {
                (*row[:2], *row[3:]): value
                for row, value in zip(family.rows, family.values.tolist(), strict=True)
                if is_whole(family.metric, row)
            }
            mine = {(*row[:2], *row[3:]): value for row, value in found[name].items()}
            assert mine == pytest.approx(rows_of)
            compared += 1
    assert compared >= 2
    monitor.close()


def test_coverage_is_of_the_predictions_of_an_age(tmp_path):
    """At the end, every span of ages holds its predictions, and those of them with a label."""
    model, profile, frame = history_of("probability")
    columns = Columns(time="time", target="came", label_time="known")
    history = History(frame, profile, columns, model=Filling(model))
    found, _ = counted_by(history, profile, tmp_path)
    end = START + HOURS * 3600
    step = np.ceil((frame["time"] - START) / STEP)
    age = (HOURS * 2 - step) * STEP
    labelled = frame["came"].notna() & (frame["known"] <= end)
    bounds = {"0 to 1h": (0, 3600), "1h to 1d": (3600, 86_400), "1d to 7d": (86_400, 604_800)}
    for text, (low, high) in bounds.items():
        inside = (age >= low) & (age < high)
        of_age = [v for row, v in found[names.COVERAGE_PREDICTIONS.name].items() if row[-1] == text]
        assert of_age == [inside.sum()]
        of_age = [v for row, v in found[names.COVERAGE_LABELS.name].items() if row[-1] == text]
        assert of_age == [(inside & labelled).sum()]
