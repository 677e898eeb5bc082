"""``/monitor`` on an application: routes that answer on threads of their own."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

from modelmeter._errors import MissingExtraError
from modelmeter.serving.asgi import Receive, Scope, Send, leave_out
from modelmeter.serving.scrape import Answer
from modelmeter.serving.sending import send_answer
from modelmeter.serving.status import StatusPage

try:
    from anyio import CapacityLimiter, to_thread
    from starlette.routing import Route
except ImportError as error:
    raise MissingExtraError("starlette", "serve") from error

_WAITING: Final = 200  # requests for findings; more are told to come again


def page_routes(status: StatusPage) -> list[Route]:
    """Return the routes of the page, of its files and of the findings.

    Parameters
    ----------
    status
        Answers them.
    """
    endpoint = PageEndpoint(status)
    return [
        Route(path, endpoint, methods=["GET"], name="monitor", include_in_schema=False)
        for path in (status.path, f"{status.path}/{{rest:path}}")
    ]


class PageEndpoint:
    """The page as an ASGI application.

    Parameters
    ----------
    status
        Answers the requests.
    """

    def __init__(self, status: StatusPage) -> None:
        self._status = status
        self._limiters: MutableMapping[bool, CapacityLimiter] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, without counting it: it is not what the service is for."""
        leave_out()
        await send_answer(scope, send, await self._answer(scope))

    async def _answer(self, scope: Scope) -> Answer:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        rest = scope.get("path_params", {}).get("rest", "")
        # Threads of their own, so that predictions keep theirs; two of them, so that one that
        # waits for Prometheus holds up nobody else.
        limiter = self._limiters.setdefault(self._status.is_slow(query), CapacityLimiter(1))
        if limiter.statistics().tasks_waiting >= _WAITING:
            return Answer(503, [("Retry-After", "5")], b"")

        def answer() -> Answer:
            slash = scope["path"].endswith("/")
            return self._status.answer(rest, query, headers, slash=slash)

        return await to_thread.run_sync(answer, limiter=limiter)
