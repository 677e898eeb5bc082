"""Which HTTP request is being answered, and by which model."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False)
class RequestRecord:
    """What is noted about a request while it is being answered.

    Parameters
    ----------
    model
        Name and version of the model that predicted for it; None until one did. Whoever
        observes the prediction sets it.
    answers
        Ids under which its predictions wait for labels, with the number of rows and the
        model; None until there is one.
    """

    model: tuple[str, str] | None = None
    answers: list[tuple[Any, int, tuple[str, str]]] | None = None

    def given_id(self) -> str | None:
        """Return the id that the client gave to its prediction; None where it gave none."""
        return None


current_request: ContextVar[RequestRecord | None] = ContextVar(
    "modelmeter_current_request", default=None
)
"""The request that this task or worker thread is answering; None outside of one.

The record is shared with the threads and tasks that answer the request, because they
inherit the context: what they set on it the middleware sees.
"""
