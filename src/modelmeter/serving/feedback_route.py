"""``POST /feedback`` on an application, with its page in the documentation of FastAPI."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

from modelmeter._errors import MissingExtraError
from modelmeter.serving.failures import Failures
from modelmeter.serving.feedback import (
    MAX_BYTES,
    FeedbackPost,
    LabelTaker,
    refuse,
    unavailable,
)
from modelmeter.serving.scrape import Answer, Bearer

try:
    from anyio import CapacityLimiter, to_thread
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route
except ImportError as error:
    raise MissingExtraError("starlette", "serve") from error

_THREADS: Final = 4
_WAITING: Final = 32  # posts, each with its body in memory; more are told to come again


def feedback_route(
    app: Any, path: str, takers: Sequence[LabelTaker], bearer: Bearer | None, failures: Failures
) -> Route:
    """Make the route.

    Parameters
    ----------
    app
        A FastAPI application documents it.
    path
        Of the route.
    takers
        Who counts the labels.
    bearer
        Who may post; None for everybody.
    failures
        Where to count failures of the monitoring.
    """
    endpoint = FeedbackEndpoint(FeedbackPost(takers, failures), bearer).answer
    fastapi = sys.modules.get("fastapi")
    if fastapi is not None and isinstance(app, fastapi.FastAPI):
        from modelmeter.serving.feedback_docs import documented_route

        return documented_route(path, endpoint)
    return Route(path, endpoint, methods=["POST"], name="feedback")


class FeedbackEndpoint:
    """Reads posts of labels and answers them in threads of its own.

    Parameters
    ----------
    post
        Answers them.
    bearer
        Who may post; None for everybody.
    """

    def __init__(self, post: FeedbackPost, bearer: Bearer | None) -> None:
        self._post = post
        self._bearer = bearer
        self._limiter: CapacityLimiter | None = None

    async def answer(self, request: Request) -> Response:
        """Count labels of earlier predictions."""
        answer = await self._answer(request)
        return Response(answer.body, answer.status, dict(answer.headers))

    async def _answer(self, request: Request) -> Answer:
        authorization = request.headers.get("authorization", "")
        if self._bearer is not None and not self._bearer.allows(authorization):
            challenge = ("WWW-Authenticate", 'Bearer realm="feedback"')
            return refuse(401, "a bearer token is needed here", challenge)
        # Threads of its own: a database that hangs must not take those of the predictions.
        if self._limiter is None:
            self._limiter = CapacityLimiter(_THREADS)
        if self._limiter.statistics().tasks_waiting >= _WAITING:
            return unavailable("too many labels are being posted")
        body = await _read(request)
        if body is None:
            return refuse(413, f"the body is too large: send at most {MAX_BYTES} bytes at once")
        return await to_thread.run_sync(self._post.answer, body, limiter=self._limiter)


async def _read(request: Request) -> bytes | None:
    """Return the body; None where it is too large."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > MAX_BYTES:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return bytes(body)
