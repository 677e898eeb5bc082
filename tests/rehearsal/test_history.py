"""What is read of a history, and how it is refused in words that say what to do."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from modelmeter._errors import ConfigurationError, DataError, ModelError
from modelmeter.rehearsal.history import Columns, History
from rehearsal.conftest import START, make_rows


def frame_of(**more):
    return make_rows(100, 3).assign(**{"time": START + np.arange(100) * 60} | more)


def test_times_come_in_any_form_and_order(profile):
    """Seconds, datetimes with and without a zone, and dates mean the same, in any order."""
    seconds = START + np.arange(100) * 86_400
    days = pd.to_datetime(seconds, unit="s")
    for times in (seconds, days, days.tz_localize("UTC").tz_convert("Asia/Tokyo"), days.date):
        frame = frame_of(when=times).iloc[::-1]
        history = History(frame, profile, Columns(time="when"))
        assert (history.first, history.last, history.rows) == (seconds[0], seconds[-1], 100)
        (part,) = history.parts()
        assert part.times.tolist() == seconds[::-1].tolist()


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_file_is_read(profile, tmp_path, suffix):
    """A Parquet or CSV file gives the same rows as the frame that was written."""
    frame = frame_of(when=pd.date_range("2026-01-01", periods=100, freq="h"))
    path = tmp_path / f"history.{suffix}"
    frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    (part,) = History(path, profile, Columns(time="when")).parts()
    assert part.times[0] == pd.Timestamp("2026-01-01", tz="UTC").timestamp()
    assert part.features["city"].tolist() == frame["city"].tolist()


def test_labels_come_after_their_prediction(profile):
    """A label comes after the lag, or at its own time, never before the prediction."""
    came = ["yes", None] * 50
    columns = Columns(time="time", target="came", prediction="said", label_lag=90.0)
    frame = frame_of(came=came, said="yes")
    (part,) = History(frame, profile, columns).parts()
    assert (part.label_times - part.times).tolist() == [90.0] * 100
    frame["known"] = [START, None] * 50
    columns = dataclasses.replace(columns, label_lag=0.0, label_time="known")
    (part,) = History(frame, profile, columns).parts()
    assert part.label_times[::2].tolist() == part.times[::2].tolist()
    assert np.isnan(part.label_times[1::2]).all()


@pytest.mark.parametrize(
    ("change", "columns", "words"),
    [
        ({"time": "noon"}, {}, "column 'time' is no time: row 0 holds 'noon'"),
        ({"time": [1.0, np.nan] * 50}, {}, "column 'time' is no time: row 1 holds"),
        ({"time": 1.7e12}, {}, "column 'time' is no time: row 0"),
        ({"time": -5.0}, {}, "before 1970"),
        ({}, {"time": "when"}, "no column 'when' (--time); it has ['a', 'b', 'city', 'time']"),
        ({}, {"score": "s"}, "no column 's' (--score)"),
        ({"y": 1, "said": "yes", "known": "?"}, {"target": "y", "label_time": "known",
            "prediction": "said"}, "column 'known' holds '?', which is no point in time"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_are_named(profile, change, columns, words):
    """A column that is not there or holds no times is named, with the value."""
    with pytest.raises(DataError) as caught:
        list(History(frame_of(**change), profile, Columns(**{"time": "time"} | columns)).parts())
    assert words in str(caught.value)


def test_features_that_are_not_there_are_named(profile):
    """A history without a feature is refused: it would only say that it is absent."""
    with pytest.raises(DataError, match=r"lacks features of the profile: \['b'\]"):
        History(frame_of().drop(columns="b"), profile, Columns(time="time"))


def test_a_history_without_rows_is_refused(profile):
    """An empty frame is an error of its own."""
    with pytest.raises(DataError, match="no rows"):
        History(frame_of()[:0], profile, Columns(time="time"))


def test_settings_that_contradict_each_other_are_refused(profile):
    """When labels come needs labels, and answers come from one place only."""
    with pytest.raises(ConfigurationError, match="needs --target"):
        Columns(time="time", label_lag=5.0)
    with pytest.raises(ConfigurationError, match="0 or more"):
        Columns(time="time", target="y", label_lag=-1.0)
    with pytest.raises(ConfigurationError, match="either a model or columns"):
        History(frame_of(), profile, Columns(time="time", score="a"), model=object())


def test_a_model_that_fails_is_said_to(profile):
    """What a model raises comes with the rows that it was given."""

    def model(X):
        raise KeyError("b2")

    with pytest.raises(ModelError, match=r"rows 0 to 99 of the history: 'b2'"):
        list(History(frame_of(), profile, Columns(time="time"), model=model).parts())
