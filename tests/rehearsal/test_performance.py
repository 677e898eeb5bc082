"""A history with answers and labels: performance that falls, and answers that change."""

from __future__ import annotations

import numpy as np
import pytest

from live.answering import built, rows, truth
from modelmeter.generate.alerts import names
from modelmeter.generate.settings import Settings
from modelmeter.rehearsal.history import Columns
from modelmeter.rehearsal.rehearse import rehearse
from rehearsal.conftest import DAY, HOUR, START

DAYS, PER_HOUR = 3, 120
WORSE = START + 2 * DAY


@pytest.fixture(scope="module")
def found():
    """The rehearsal of a model whose answers mean nothing from a day on, labels six hours late."""
    model, profile = built("probability")
    frame = rows(DAYS * 24 * PER_HOUR, seed=8)
    times = START + (np.arange(len(frame)) + 0.5) * (HOUR / PER_HOUR)
    came = truth("probability", frame, seed=9)
    random = np.random.default_rng(10)
    came = np.where(times < WORSE, came, random.permutation(came))
    score = model.predict_proba(frame)[:, 1]
    return rehearse(
        profile,
        frame.assign(time=times, score=score, came=came),
        Columns(time="time", score="score", target="came", label_lag=2.0 * HOUR),
        settings=Settings(windows=("1h", "6h")),
        step="30m",
    )


def test_performance_that_falls_alarms_when_labels_say_so(found):
    """Labels that contradict the model alarm once they have come, hours after the answers."""
    first = found.of(names.PERFORMANCE_LOW)[0]
    assert first.labels["metric"] == "roc_auc"
    assert WORSE + 2 * HOUR < first.began < WORSE + 10 * HOUR
    assert found.of(names.PERFORMANCE_LOW)[-1].ended is None


def test_what_needs_no_labels_is_silent(found):
    """Neither features nor answers have changed, so that nothing else alarms."""
    labelled = {names.PERFORMANCE_LOW, names.MISCALIBRATED}
    assert {one.alert for one in found.episodes} <= labelled
    assert {names.PREDICTION_DRIFT, names.ESTIMATED_PERFORMANCE_LOW} <= set(found.rehearsed)
    assert found.labels == pytest.approx((DAYS * 24 - 2) * PER_HOUR, abs=PER_HOUR)
