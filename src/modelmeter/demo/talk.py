"""An app with a model, monitored: what you would write yourself.

Three lines make the difference to an app that is not monitored; each is marked. Start it
with ``uvicorn --factory modelmeter.demo.talk:create_app --port 5000`` and look at ``/docs``
and ``/metrics``.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import Annotated, Any, Literal

import joblib
import pandas as pd
from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, JsonValue

import modelmeter as mm
from modelmeter.demo.model import NAME, trained

DIRECTORY_VARIABLE = "FLIGHT_DELAY_DIRECTORY"
"""Where the model and its profile are; without it the app trains its own."""

MAX_FLIGHTS = 1_000

EXAMPLE: dict[str, JsonValue] = {
    "hour": 17,
    "distance": 2475,
    "temp": 48.2,
    "dewp": 37.9,
    "humid": 67.5,
    "wind_speed": 12.7,
    "wind_gust": None,
    "precip": 0.0,
    "pressure": 1013.2,
    "visib": 10.0,
    "weekday": "Fri",
    "carrier": "B6",
    "origin": "JFK",
    "dest": "LAX",
}


class Flight(BaseModel):
    """What is known of a flight when it leaves; weather that is not known is null."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    hour: int = Field(ge=0, le=23, description="Scheduled hour, local time")
    distance: int = Field(gt=0, description="Miles")
    temp: FiniteFloat | None = Field(None, description="Temperature, °F")
    dewp: FiniteFloat | None = Field(None, description="Dew point, °F")
    humid: FiniteFloat | None = Field(None, description="Relative humidity, %")
    wind_speed: FiniteFloat | None = Field(None, description="mph")
    wind_gust: FiniteFloat | None = Field(None, description="mph; null when there are no gusts")
    precip: FiniteFloat | None = Field(None, description="Inches in the hour")
    pressure: FiniteFloat | None = Field(None, description="At sea level, millibars")
    visib: FiniteFloat | None = Field(None, description="Miles")
    weekday: Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    carrier: str = Field(min_length=2, max_length=3, description="Two letters")
    origin: str = Field(min_length=3, max_length=4, description="Airport code")
    dest: str = Field(min_length=3, max_length=4, description="Airport code")


class Answer(BaseModel):
    """Whether a flight will arrive more than 15 minutes late."""

    late: bool
    probability: float = Field(ge=0, le=1)


def _listed(body: Any) -> Any:
    return [body] if isinstance(body, dict) else body


OneOrMany = Annotated[
    list[Flight], BeforeValidator(_listed), Field(min_length=1, max_length=MAX_FLIGHTS)
]
"""A flight, or a list of flights."""

Seconds = Annotated[float, Query(ge=0, le=10, description="Mean of the delay, seconds")]
Share = Annotated[float, Query(ge=0, le=1, description="Share of requests that fail")]


def create_app(directory: str | Path | None = None) -> FastAPI:
    """Return the app.

    Parameters
    ----------
    directory
        Where ``flight-delay.joblib`` and ``flight-delay.profile.json`` are; by default what
        the environment's ``FLIGHT_DELAY_DIRECTORY`` says. Without either a model is trained.

    Returns
    -------
    fastapi.FastAPI
    """
    directory = directory or os.environ.get(DIRECTORY_VARIABLE)
    model, profile = _load(directory)
    # Where predictions wait for their labels; without a directory in the working directory.
    store = "default" if directory is None else Path(directory) / f"{NAME}.labels.db"

    app = FastAPI(title="Flight delays", description=__doc__)
    monitor = mm.Monitor(profile, store=store)  # 1: what training looked like
    model = monitor.watch(model)  # 2: predictions are counted from here on
    monitor.instrument(app)  # 3: requests are counted; /metrics, /monitor, /feedback

    @app.get("/")
    def index() -> dict[str, str]:
        """Say what is where."""
        return {"model": NAME, "docs": "/docs", "metrics": "/metrics"}

    @app.get("/predict/random")
    async def predict_random(time_delay_scale: Seconds = 0.1, error_rate: Share = 0.01) -> Answer:
        """Answer at random, after a random time, and sometimes not at all."""
        if time_delay_scale:
            await asyncio.sleep(min(random.expovariate(1 / time_delay_scale), 60))
        if random.random() < error_rate:
            raise HTTPException(500, "An error, as ordered by error_rate")
        probability = random.random()
        return Answer(late=probability >= 0.5, probability=probability)

    @app.post("/predict/model")
    def predict_model(flights: OneOrMany) -> list[Answer]:
        """Predict the delay of one flight, or of a list of flights."""
        X = pd.DataFrame([flight.model_dump() for flight in flights])
        late = model.predict_proba(X)[:, 1]
        return [Answer(late=p >= 0.5, probability=p) for p in late.tolist()]

    return app


def _load(directory: str | Path | None) -> tuple[Any, mm.Profile]:
    if directory is None:
        made = trained()
        return made.model, made.profile
    model = joblib.load(Path(directory) / f"{NAME}.joblib")
    return model, mm.Profile.load(Path(directory) / f"{NAME}.profile.json")
