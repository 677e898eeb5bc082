"""What is kept of a call's predictions, and what a profile says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import modelmeter as mm
from live.answering import KINDS, built, output, rows
from modelmeter.live.kept import Form, Kept
from modelmeter.live.labels.checks import is_storable
from modelmeter.live.outputs import Answer, OutputCounter
from modelmeter.live.placing import plans_of
from modelmeter.profile.calibration import center_of
from modelmeter.stats.labels import category_labels


def answer_of(profile, y_pred, y_score=None, ids="a", X=None):
    monitor = mm.Monitor(profile, store=None)
    outputs = OutputCounter(profile, plans_of(profile)[len(profile.features) :], monitor.counts)
    brought = outputs.bring(y_pred, y_score, derive=False)
    records = None if X is None else X.to_dict("records")
    return outputs.answer(ids, 5.0, brought, outputs.segment_places(records, brought.rows))


def kept_of(profile, *given, **more):
    return Kept(Form(profile), answer_of(profile, *given, **more))


def test_a_binary_answer_keeps_class_score_bin_and_segments():
    """Of a classifier with scores there are the class, the bin of the score, and the segments."""
    profile = built("probability")[1]
    X = rows(2).assign(city=["Ulm", None])
    first, second = kept_of(profile, ["yes", "lost"], [0.97, np.nan], X=X)
    assert (first.id, first.time, first.model, first.version) == ("a-0", 5.0, "probability", "1")
    last = output(profile, "y_score").bins.bins[20]
    assert (first.y_pred, first.ord, first.bin) == ("yes", last.ord, last.label)
    assert (first.value, first.center, first.segments) == (None, None, ("city=Ulm",))
    assert second[4:] == (None, None, None, None, ("city=missing",), None)


def test_a_regressions_answer_keeps_value_bin_and_center():
    """Of a regression there are the value, the bin of it, and what powers are taken about."""
    profile = built("number")[1]
    bins = output(profile, "y_pred").bins
    found = kept_of(profile, [100.0, np.inf, "x", 10**400])
    assert [record.value for record in found][:2] == [100.0, np.inf]
    assert found[0].ord == bins.bins[bins.index(100.0)].ord
    assert (found[1].ord, found[1].bin) == (bins.bins[-3].ord, "above")
    assert (found[2].ord, found[2].bin) == (None, None)
    assert np.isnan(found[2].value)
    assert {record.center for record in found} == {profile.calibration.center}
    assert all(map(is_storable, found))


def test_without_rows_there_are_no_segments():
    """An answer whose rows are not known is of no segment."""
    [found] = kept_of(built("bare")[1], ["yes"])
    assert (found.id, found.segments) == ("a", ())


def test_records_are_a_sequence():
    """Records are made when asked for, one by one, by slice, or all in turn."""
    found = kept_of(built("bare")[1], ["yes", "no", "yes"], ids=["x", 2, "z"])
    assert len(found) == 3
    assert [record.id for record in found] == ["x", 2, "z"]
    assert found[1] == list(found)[1]
    assert found[1:] == list(found)[1:]
    assert found[:0] == []
    for outside in (3, -1):
        with pytest.raises(IndexError):
            found[outside]


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_named_as_in_the_metrics(kind):
    """A class is kept under the name that labels and metrics have for it; no other bin has one."""
    profile = built(kind)[1]
    named = [name for name in Form(profile).classes or () if name is not None]
    assert named == category_labels(profile.model.classes)


def test_classes_that_clash_are_named_apart():
    """Classes of one text, or of a bin's name, have the same names wherever they are named."""
    facts = built("three")[1].model
    strange = ("1", "missing", "low")
    pred = output(built("three")[1], "y_pred")
    outputs = (replace(pred, bins=replace(pred.bins, categories=strange)),)
    profile = replace(built("three")[1], model=replace(facts, classes=strange), predictions=outputs)
    assert [c for c in Form(profile).classes if c] == category_labels(strange)


@pytest.mark.parametrize(
    ("kind", "pred", "score", "expected"),
    [
        ("probability", [0], None, True), ("probability", None, [3], True),
        ("margin", None, [3], True), ("three", [0], None, True), ("three", None, [3], False),
        ("number", [0], None, True), ("number", None, None, False), ("bare", None, None, False),
    ],
)  # fmt: skip
def test_only_what_is_kept_completes_an_answer(kind, pred, score, expected):
    """A confidence of three classes is kept of no prediction, the score of two is."""
    answer = Answer("a", 0.0, 1, pred, score, None, ())
    assert Form(built(kind)[1]).keeps(answer) is expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_center_is_the_calibrations(kind):
    """Live sums are about the same number as those of the profile."""
    profile = built(kind)[1]
    expected = profile.calibration.center if kind == "number" else None
    assert Form(profile).center == expected
    assert center_of(None) == 0.0
