"""``POST /feedback`` as FastAPI's documentation shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from modelmeter.live.labels import OutcomeKind
from modelmeter.serving.feedback import MAX_ITEMS


class Label(BaseModel):
    """The true value of one prediction."""

    prediction_id: str | int | None = Field(
        None, description="As the response to the prediction told it."
    )
    y_true: Any = Field(description="The true class or value.")
    time: str | float | None = Field(
        None,
        description="When it became known: Unix time, or ISO with a time zone; now by default.",
    )
    model: str | None = Field(
        None, description="Name of the model, where the application has several."
    )
    y_pred: Any = Field(
        None, description="The prediction, where it was not kept: it is counted with the label."
    )
    y_score: float | list[float] | None = Field(None, description="Its score, likewise.")


class LabelOutcome(BaseModel):
    """What became of one label."""

    prediction_id: str | int | None
    outcome: OutcomeKind
    reason: str


class FeedbackAnswer(BaseModel):
    """What became of the labels, in their order, and how many of each."""

    outcomes: list[LabelOutcome]
    counts: dict[OutcomeKind, int]


class Refusal(BaseModel):
    """Why nothing, or not everything, was counted."""

    detail: str


def documented_route(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> APIRoute:
    """Return the route with request and response in the OpenAPI schema.

    The schema is for readers; requests are checked label by label, so that a bad one does not
    keep the others from being counted.
    """
    label = Label.model_json_schema()
    content = {
        "schema": {"anyOf": [label, {"type": "array", "items": label, "maxItems": MAX_ITEMS}]},
        "example": [{"prediction_id": "018bcfe5-6800-86d6-9f3c-2a7d1e5b8c40", "y_true": 1}],
    }
    refusals: dict[int | str, dict[str, Any]] = {
        400: {"model": Refusal, "description": "Not JSON, or neither an object nor a list"},
        401: {"model": Refusal, "description": "The bearer token is missing or wrong"},
        413: {"model": Refusal, "description": "Too much at once"},
        503: {"model": Refusal, "description": "The database is away; send the same again later"},
    }
    return APIRoute(
        path,
        endpoint,
        methods=["POST"],
        name="feedback",
        summary="Label earlier predictions",
        response_model=FeedbackAnswer,
        responses=refusals,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": content}}},
    )
