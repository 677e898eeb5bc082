"""Which calls belong to one answer: `predict` and then `predict_proba` for the same rows.

Both are told by the rows: the same object, with the same content, in the same context (the
same request, task or thread). The same method again is another answer, as when a program
fills one buffer over and over.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

KEPT = 8
"""Answers remembered per context: all batches are predicted, then all are scored."""

WHOLE = 1 << 13
"""Arrays of up to so many bytes are compared whole, larger ones by `SAMPLE` rows."""

SAMPLE = 64


class Answer(NamedTuple):
    """What was counted for some rows.

    Parameters
    ----------
    key
        Which watched model answered.
    rows
        Gives the rows, None once nobody else holds them.
    weak
        Whether `rows` lets go of them; lists and dicts can only be held.
    content
        Fingerprint of an array's values.
    methods
        Methods called for it.
    has_pred, has_score
        Whether classes (or values), and scores, were counted.
    ids
        Under which its predictions wait for labels; None where they do not.
    """

    key: object
    rows: Callable[[], Any]
    weak: bool
    content: int | None
    methods: frozenset[str] = frozenset()
    has_pred: bool = False
    has_score: bool = False
    ids: Any = None

    def extended(self, method: str, *, has_pred: bool, has_score: bool, ids: Any) -> Answer:
        """Return the answer after one more method."""
        return Answer(
            self.key,
            self.rows,
            self.weak,
            self.content,
            self.methods | {method},
            self.has_pred or has_pred,
            self.has_score or has_score,
            ids,
        )


_recent: ContextVar[tuple[Answer, ...]] = ContextVar("modelmeter_recent", default=())


def answer_to(key: object, rows: Any, method: str) -> Answer:
    """Return the answer that a call belongs to: one begun by another method, or a new one.

    Parameters
    ----------
    key
        Which watched model is called.
    rows
        What it is given.
    method
        Which of its methods.
    """
    content = _fingerprint(rows)
    for answer in _recent.get():
        if answer.key is key and answer.content == content and answer.rows() is rows:
            if method in answer.methods:
                break
            return answer
    try:
        return Answer(key, weakref.ref(rows), True, content)
    except TypeError:
        return Answer(key, lambda: rows, False, content)


def remember(answer: Answer) -> None:
    """Keep an answer, for as long as its rows live, in the place of its earlier state."""
    others = [
        other
        for other in _recent.get()
        if other.weak
        and not (other.key is answer.key and other.rows is answer.rows)
        and other.rows() is not None
    ]
    _recent.set((answer, *others[: KEPT - 1]))


def _fingerprint(rows: Any) -> int | None:
    """Return a hash of an array's values: a buffer that was filled anew is another answer."""
    if type(rows) is not np.ndarray:
        return None
    if rows.nbytes > WHOLE:
        rows = rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE]
    return hash(rows.tobytes())
