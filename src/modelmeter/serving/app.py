"""A service for a fitted model, without code: predictions, metrics, health."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from modelmeter._errors import ConfigurationError, MissingExtraError
from modelmeter.live.counts import Counts, OnRestart
from modelmeter.live.ids import next_ids, row_id
from modelmeter.profile.facts import predict_function
from modelmeter.profile.frames import model_input
from modelmeter.profile.profile import Profile
from modelmeter.serving.load import load_model
from modelmeter.serving.monitor import DEFAULT, Monitor, counting

try:
    from fastapi import Body, FastAPI, HTTPException, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
except ImportError as error:
    raise MissingExtraError("fastapi", "serve") from error

from modelmeter.serving.schema import row_model

MAX_ROWS = 10_000
_SETTINGS = "MODELMETER_SERVE"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a worker needs to know to build its app.

    Parameters
    ----------
    model, profile
        Where the model is (see `load_model`) and the profile's path.
    trusted
        Types to be trusted in a ``.skops`` file.
    directory, on_restart
        As of `Monitor`. Several workers without a directory get one that is deleted at the end.
    token_file
        File with the bearer token that ``/metrics`` and ``/feedback`` ask for, and
        what ``/monitor`` shows; None for none.
    store, retention_days
        As of `Monitor`; all workers share the store.
    prometheus
        URL of a Prometheus that ``/monitor`` asks as well; None for none.
    """

    model: str
    profile: str
    trusted: tuple[str, ...] = ()
    directory: str | None = None
    on_restart: OnRestart | None = None
    token_file: str | None = None
    store: str | None = DEFAULT
    retention_days: float = 90.0
    prometheus: str | None = None


class Prediction(BaseModel):
    """The answer for one row."""

    prediction_id: str = Field(description="Name it when you post the true value later.")
    y_pred: Any = Field(description="The predicted class or value.")
    y_score: float | list[float] | None = Field(
        None, description="Probability of the positive class; of every class when they are many."
    )


class Answer(BaseModel):
    """The answer to a request, one prediction per row."""

    model_config = ConfigDict(protected_namespaces=())

    model: str
    version: str
    predictions: list[Prediction]


def create_app(
    model: Any,
    profile: Profile,
    *,
    directory: str | Path | None = None,
    on_restart: OnRestart | None = None,
    token_file: str | Path | None = None,
    store: str | Path | None = DEFAULT,
    retention_days: float = 90.0,
    prometheus: str | None = None,
) -> FastAPI:
    """Build the service for a model.

    Parameters
    ----------
    model
        A fitted model, or any callable.
    profile
        Its profile: the request schema is made from it.
    directory, on_restart
        As of `Monitor`.
    token_file
        File with the bearer token that ``/metrics`` and ``/feedback`` ask for, and
        what ``/monitor`` shows; None for none.
    store, retention_days
        As of `Monitor`.
    prometheus
        URL of a Prometheus that ``/monitor`` asks as well; None for none.

    Returns
    -------
    FastAPI
        With ``POST /predict``, ``POST /feedback``, ``/metrics``, ``/monitor``, ``/health`` and
        ``/ready``.

    Raises
    ------
    ConfigurationError
        The model cannot predict, or the store that was given cannot be used.
    """
    if predict_function(model) is None:
        raise ConfigurationError(f"{type(model).__name__} has no predict and is not callable")
    monitor = Monitor(
        profile,
        directory=directory,
        on_restart=on_restart,
        store=store,
        retention_days=retention_days,
    )
    service = _Service(monitor.watch(model), profile, monitor)
    app = FastAPI(
        title=profile.name,
        version=profile.version,
        description=f"Predictions of {profile.name}, version {profile.version}, monitored.",
        lifespan=service.lifespan,
    )
    row = row_model(profile)
    body = Annotated[
        Annotated[row, Tag("row")]  # type: ignore[valid-type]
        | Annotated[list[row], Field(min_length=1, max_length=MAX_ROWS), Tag("rows")],  # type: ignore[valid-type]
        Discriminator(lambda value: "rows" if isinstance(value, list) else "row"),
        Body(description=f"One row, or a list of up to {MAX_ROWS} rows."),
    ]

    def predict(rows: Any) -> Answer:
        """Predict one row or many."""
        return service.predict(rows)

    # The schema exists only now, at run time.
    predict.__annotations__["rows"] = body
    app.post("/predict", summary="Predict", response_model_exclude_none=True)(predict)
    app.exception_handler(RequestValidationError)(_refuse)
    app.get("/health", summary="Is the process alive")(service.health)
    app.get("/ready", summary="Are predictions answered")(service.ready)
    monitor.instrument(
        app,
        token_file=token_file,
        prediction_routes=["/predict"],
        prometheus_url=prometheus,
    )
    return app


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    """Name the bad fields, without their values: a NaN among them is no JSON."""
    assert isinstance(error, RequestValidationError)
    detail = [{key: e[key] for key in ("type", "loc", "msg")} for e in error.errors()]
    return JSONResponse({"detail": detail}, status_code=422)


class _Service:
    """The routes and what they share."""

    def __init__(self, model: Any, profile: Profile, monitor: Monitor) -> None:
        self._model = model
        self._profile = profile
        self._monitor = monitor
        self._ready = False

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        self._ready = True
        yield
        self._ready = False

    def predict(self, rows: BaseModel | list[BaseModel]) -> Answer:
        given = rows if isinstance(rows, list) else [rows]
        values = [row.model_dump(by_alias=True, exclude_unset=True) for row in given]
        X = model_input(self._profile, self._model, values)
        # The rows as they came tell an absent field from one that is null.
        with self._monitor.observing(values):
            y_pred, y_score = self._ask(X)
        labels = y_pred.tolist() if hasattr(y_pred, "tolist") else list(y_pred)
        scores = [None] * len(labels) if y_score is None else y_score
        # Where none is kept, an id is still good for the caller's own records.
        ids = self._monitor.prediction_ids() or _new_ids(self._monitor.labels, len(labels))
        return Answer(
            model=self._profile.name,
            version=self._profile.version,
            predictions=[
                Prediction(prediction_id=id_, y_pred=label, y_score=score)
                for id_, label, score in zip(ids, labels, scores, strict=True)
            ],
        )

    def _ask(self, X: Any) -> tuple[Any, list[Any] | None]:
        facts = self._profile.model
        predict = getattr(self._model, "predict", self._model)
        y_pred = predict(X)
        if facts.score_method != "predict_proba":
            return y_pred, None
        proba = self._model.predict_proba(X)
        return y_pred, (proba[:, 1] if facts.task == "binary" else proba).tolist()

    async def health(self) -> dict[str, str]:
        """Say that the process is alive."""
        return {"status": "ok"}

    async def ready(self, response: Response) -> dict[str, str]:
        """Say whether predictions are answered."""
        if not self._ready:
            raise HTTPException(503, "not ready")
        return {"status": "ready", "model": self._profile.name, "version": self._profile.version}


def _new_ids(model: tuple[str, str], rows: int) -> list[str]:
    ids = next_ids(model)
    return [row_id(str(ids), i, rows) for i in range(rows)]


def app_of_worker() -> FastAPI:
    """Build the app of one worker process, from settings in its environment."""
    raw = json.loads(os.environ[_SETTINGS])
    return app_of(Settings(**{**raw, "trusted": tuple(raw["trusted"])}))


def app_of(settings: Settings) -> FastAPI:
    """Load model and profile, and build the app."""
    profile = Profile.load(settings.profile)
    model = load_model(settings.model, trusted=settings.trusted)
    return create_app(
        model,
        profile,
        directory=settings.directory,
        on_restart=settings.on_restart,
        token_file=settings.token_file,
        store=settings.store,
        retention_days=settings.retention_days,
        prometheus=settings.prometheus,
    )


def serve(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 5000,
    workers: int = 1,
    log_level: str = "info",
) -> None:
    """Run the service until it is told to stop.

    Raises
    ------
    ConfigurationError
        A setting cannot work.
    ProfileFileError, ModelError
        The profile or the model cannot be loaded.
    """
    import uvicorn

    if workers < 1:
        raise ConfigurationError(f"workers must be at least 1, not {workers}")
    if workers == 1:
        uvicorn.run(app_of(settings), host=host, port=port, log_level=log_level)
        return
    # What cannot be loaded should be said once and now, not by every worker in turn.
    app_of(replace(settings, directory=None))
    with _CountsDirectory(settings) as directory:
        # Held open here as well: the service lives as long as this process does, even when all
        # of its workers have just been killed.
        service = Counts(directory, on_restart=counting(directory, settings.on_restart)[1])
        os.environ[_SETTINGS] = json.dumps(asdict(settings) | {"directory": directory})
        uvicorn.run(
            "modelmeter.serving.app:app_of_worker",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            log_level=log_level,
        )
        del service


class _CountsDirectory:
    """The given directory, or one of our own for as long as the service runs."""

    def __init__(self, settings: Settings) -> None:
        self._given, _ = counting(settings.directory, settings.on_restart)
        self._own: str | None = None

    def __enter__(self) -> str:
        if self._given is not None:
            return str(self._given)
        try:
            self._own = tempfile.mkdtemp(prefix="modelmeter-")
        except OSError as error:
            raise ConfigurationError(
                f"there is no directory for the counts of several workers ({error}); name one "
                "that can be written to with --directory"
            ) from error
        return self._own

    def __exit__(self, *error: object) -> None:
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)


__all__: Sequence[str] = ["Settings", "app_of", "app_of_worker", "create_app", "serve"]
