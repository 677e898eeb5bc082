"""The state of a label store as metrics."""

from __future__ import annotations

import math

import numpy as np
import pytest

from live.answering import built, values
from live.labels.common import label as label_items
from live.labels.common import now
from modelmeter import names
from modelmeter.live.label_families import joined, label_families
from modelmeter.live.labels import (
    AGES,
    Coverage,
    LabelStore,
    Prediction,
    Progress,
    Snapshot,
    Total,
    class_check,
)
from modelmeter.live.tallies import series_of, tally_of


def snapshot(*totals, coverage=(), progress=(), waiting=0):
    return Snapshot("s", totals, tuple(coverage), tuple(progress), waiting)


def family(families, metric):
    [found] = [f for f in families if f.metric is metric]
    return dict(zip(found.rows, found.values.tolist(), strict=True))


def test_an_empty_store_has_but_what_waits():
    """Before anything is declared, only the number of waiting labels is there."""
    [found] = label_families(snapshot(), "m")
    assert found.metric is names.LABELS_WAITING
    assert dict(zip(found.rows, found.values.tolist(), strict=True)) == {("s",): 0}


def test_totals_become_counters():
    """Every total is a series with model, version and the store's id; outcomes are labels."""
    found = label_families(
        snapshot(
            Total(names.CONFUSION.name, "m", "1", ("", "no", "yes"), 3.0),
            Total(names.CONFUSION.name, "m", "2", ("city=Ulm", "no", "no"), 0.0),
            Total("labels", "m", "1", ("counted",), 3.0),
            waiting=2,
        ),
        "m",
    )
    assert family(found, names.CONFUSION) == {
        ("m", "1", "s", "", "no", "yes"): 3,
        ("m", "2", "s", "city=Ulm", "no", "no"): 0,
    }
    assert family(found, names.LABELS) == {("m", "1", "s", "counted"): 3}
    assert family(found, names.LABELS_WAITING) == {("s",): 2}
    assert len(found) == 3


def test_what_is_not_known_is_left_out():
    """Totals of a newer or older modelmeter neither break the scrape nor appear in it."""
    lag = names.LABEL_LAG
    strange = [
        Total("model_new_total", "m", "1", ("x",), 1.0),
        Total(names.CONFUSION.name, "m", "1", ("yes",), 1.0),
        Total(names.CONFUSION.name, "m", "1", ("", "yes", "no", "more"), 1.0),
        Total(lag.name, "m", "1", ("3", "x"), 1.0),
        *(Total(lag.name, "m", "1", (text,), 1.0) for text in ("99", "-1", "mean", "", "٣", "03")),
    ]
    [found] = label_families(snapshot(*strange), "m")
    assert found.metric is names.LABELS_WAITING
    known = Total(names.CONFUSION.name, "m", "1", ("", "a", "b"), 1.0)
    found = label_families(snapshot(*strange, known, Total(lag.name, "m", "1", ("2",), 5.0)), "m")
    assert list(family(found, names.CONFUSION)) == [("m", "1", "s", "", "a", "b")]
    [line] = family(found, lag).values()
    assert line == [0, 0, 5, *[0] * (len(lag.buckets) - 1)]


def test_other_models_are_left_out():
    """Of a store that models share, each exports its own."""
    totals = [Total("labels", name, "1", ("counted",), 1.0) for name in ("m", "n")]
    coverage = [Coverage(name, "1", age, 4, 1) for name in ("m", "n") for age in (60.0, math.inf)]
    progress = [Progress(name, "1", 3, 5.0, 7.0) for name in ("m", "n")]
    found = label_families(snapshot(*totals, coverage=coverage, progress=progress), "n")
    models = {row[0] for f in found if f.metric is not names.LABELS_WAITING for row in f.rows}
    assert models == {"n"}
    assert len(found) == 7


def test_coverage_is_told_by_age():
    """Ages are named by their span, for every version alike."""
    ages = (*AGES, math.inf)
    coverage = [Coverage("m", v, age, 10 + i, i) for v in "12" for i, age in enumerate(ages)]
    found = label_families(snapshot(coverage=coverage), "m")
    spans = ["0 to 1h", "1h to 1d", "1d to 7d", "7d to 30d", "over 30d"]
    expected = {("m", v, "s", span): 10 + i for v in "12" for i, span in enumerate(spans)}
    assert family(found, names.COVERAGE_PREDICTIONS) == expected
    labels = {key: n - 10 for key, n in expected.items()}
    assert family(found, names.COVERAGE_LABELS) == labels


def test_ages_of_any_length_are_named():
    """Other ages than the usual ones are named in the largest unit that divides them."""
    ages = (90.0, 120.0, 0.5 + 3600, 172_800.0, math.inf)
    found = label_families(snapshot(coverage=[Coverage("m", "1", a, 1, 0) for a in ages]), "m")
    spans = [key[-1] for key in family(found, names.COVERAGE_LABELS)]
    assert spans == ["0 to 90s", "90s to 2m", "2m to 3600.5", "3600.5 to 2d", "over 2d"]


def test_progress_without_times_is_zero():
    """Where no prediction waits, or no label came, the time is 0."""
    progress = [Progress("m", "1", 0, None, None), Progress("m", "2", 4, 3600.0, 99.0)]
    found = label_families(snapshot(progress=progress), "m")
    assert list(family(found, names.PENDING).values()) == [0, 4]
    assert list(family(found, names.OLDEST_PENDING).values()) == [0, 3600]
    assert list(family(found, names.LAST_LABEL).values()) == [0, 99]


def test_the_lags_of_labels_are_a_histogram(tmp_path):
    """Each label's lag falls into its bucket, the last catches the rest, and the sum adds up."""
    profile = built("bare")[1]
    check = class_check(profile.model.classes)
    lags = np.array([0, 59.5, 60, 61, 3600, 1e5, 5e6, 7.7e6, 9e6])
    made = now() - 1e7
    with LabelStore(tmp_path / "labels.db", tally=tally_of(profile), retention_days=1000) as store:
        store.declare("bare", "1", series_of(profile))
        records = [Prediction(f"{i}", made, "bare", "1", y_pred="yes") for i in range(len(lags))]
        items = [
            {"prediction_id": f"{i}", "y_true": "yes", "time": made + lag}
            for i, lag in enumerate(lags)
        ]
        label_items(store, *items, model="bare", check=check, predictions=records)
        # A label from before its prediction lags by nothing.
        early = Prediction("early", made, "bare", "1", y_pred="yes")
        item = {"prediction_id": "early", "y_true": "yes", "time": made - 50}
        label_items(store, item, model="bare", check=check, predictions=[early])
        found = label_families(store.snapshot(), "bare")
    [line] = values(found, names.LABEL_LAG, store=True).values()
    # `made + lag` is rounded to a quarter of a microsecond.
    bounds = np.array(names.LABEL_LAG.buckets)
    rounded = (made + lags) - made
    expected = np.bincount(np.searchsorted(bounds, rounded), minlength=len(bounds) + 1)
    expected[0] += 1
    assert line[:-1].tolist() == expected.tolist()
    assert line[-1] == pytest.approx(lags.sum(), abs=1e-4)


def test_joined_families_name_each_series_once():
    """What several monitors of one store export is there once, what only one has as well."""
    lag = names.LABEL_LAG
    one = snapshot(
        Total(names.CONFUSION.name, "m", "1", ("", "a", "a"), 1.0),
        Total(lag.name, "m", "1", ("0",), 2.0),
        progress=[Progress("m", "1", 1, 0.0, 0.0)],
    )
    two = snapshot(
        Total(names.CONFUSION.name, "m", "1", ("", "a", "a"), 1.0),
        Total(names.CONFUSION.name, "m", "2", ("", "a", "a"), 4.0),
        Total(lag.name, "m", "2", ("1",), 3.0),
        waiting=1,
    )
    families = [*label_families(one, "m"), *label_families(two, "m")]
    found = joined(families)
    assert len({f.metric for f in found}) == len(found) == 6
    assert family(found, names.CONFUSION) == {
        ("m", "1", "s", "", "a", "a"): 1,
        ("m", "2", "s", "", "a", "a"): 4,
    }
    lines = family(found, lag)
    assert [line[:2] for line in lines.values()] == [[2, 0], [0, 3]]
    assert all(len(f.rows) == len(f.values) for f in found)
    assert joined([]) == []
    for alone, again in zip(families[:4], joined(families[:4]), strict=True):
        assert alone[:2] == again[:2]
        assert (alone.values == again.values).all()
