"""Ids of predictions: made, given by the caller, and told to the caller.

A call's predictions have one id, to which the number of the row is added where there are
several; so a response can name a thousand predictions in a short header.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from random import Random
from typing import Any, Final
from uuid import UUID

import numpy as np

from modelmeter.live.request import RequestRecord, current_request

Ids = str | Sequence[Any]
"""Id of a call, which `row_id` makes those of its rows of; or one id for every row."""

HEADER: Final = "X-Prediction-ID"
"""Of a request: the id to give its prediction. Of a response: the id that it was given."""

# The version, and twelve bits that tell ids made here from other people's: only of these is
# it known that the time in them is the prediction's.
_MARK: Final = "86d6"

_given: ContextVar[Ids | None] = ContextVar("modelmeter_given_ids", default=None)
_last: ContextVar[tuple[Ids, int] | None] = ContextVar("modelmeter_last_ids", default=None)


def new_id(now: float | None = None) -> str:
    """Make an id for a prediction.

    A UUID of version 8 (RFC 9562): milliseconds first, so that the database adds it at the
    end of its index; then a mark by which the store knows, of an id that is no longer there,
    whether the prediction was too old or never was; then 62 random bits.

    Parameters
    ----------
    now
        Unix time of the prediction; by default the present.

    Examples
    --------
    >>> new_id(1_700_000_000)[:19]
    '018bcfe5-6800-86d6-'
    """
    millis = int((time.time() if now is None else now) * 1000) & (1 << 48) - 1
    random = _randomness().getrandbits(62) | 0b10 << 62
    # Not by way of UUID, which takes four times as long.
    high, low = f"{millis:012x}", f"{random:016x}"
    return f"{high[:8]}-{high[8:]}-{_MARK}-{low[:4]}-{low[4:]}"


@cache
def _randomness() -> Random:
    """Return where random bits come from: a system call for each id would take ten times longer.

    Not the module's own generator, which a program may seed as it likes.
    """
    made = Random()
    if hasattr(os, "register_at_fork"):  # a child must not make its parent's ids
        os.register_at_fork(after_in_child=made.seed)
    return made


def row_id(call: str, row: int, rows: int) -> str:
    """Return the id of one row's prediction, given that of the call that it was part of.

    Examples
    --------
    >>> row_id("a", 0, 1), row_id("a", 7, 100)
    ('a', 'a-7')
    """
    return call if rows == 1 else f"{call}-{row}"


def time_of_id(text: str) -> float | None:
    """Return the time in an id that `new_id` made, with a row's number or not; else None."""
    if len(text) < 36 or text[14:18] != _MARK or text[19] not in "89ab":
        return None
    row = text[36:]
    if row and not (row[0] == "-" and row[1:].isdecimal()):
        return None
    try:
        return (UUID(text[:36]).int >> 80) / 1000
    except ValueError:
        return None


def settled_ids(ids: Any, rows: int) -> Ids:
    """Return given ids as they are kept: whoever gave a list may change it afterwards.

    Parameters
    ----------
    ids
        See `Ids`; a whole number is as good as its text.
    rows
        How many predictions they are for.

    Raises
    ------
    ValueError
        There are not as many.
    """
    if isinstance(ids, str):
        return ids
    if isinstance(ids, (int, np.integer)) and not isinstance(ids, bool):
        return str(ids)
    listed = list(ids)
    if len(listed) != rows:
        raise ValueError(f"there are {len(listed)} ids for {rows} predictions")
    return listed


@contextmanager
def identified(ids: Ids) -> Iterator[None]:
    """Give the predictions made meanwhile these ids."""
    token = _given.set(ids)
    try:
        yield
    finally:
        _given.reset(token)


def next_ids(model: tuple[str, str]) -> Ids:
    """Return the ids of the predictions that a model is about to make.

    Those that the caller has given (`identified`, or the request's header); else a new id.
    Several models that answer one request, such as a champion and its challenger, use one
    id, so that one label finds the predictions of both; one model that is called twice does
    not.

    Parameters
    ----------
    model
        Name and version.
    """
    given = _given.get()
    if given is not None:
        return given
    record = current_request.get()
    if record is not None:
        answers = record.answers or ()
        if not any(of_model == model for _, _, of_model in answers):
            shared = answers[0][0] if answers else record.given_id()
            # Ids of single rows are for as many rows as they were given for.
            if shared and isinstance(shared, str):
                return shared
    return new_id()


def note_ids(ids: Ids, rows: int, model: tuple[str, str]) -> None:
    """Note under which ids predictions were kept, for `last_ids` and the response."""
    _last.set((ids, rows))
    record = current_request.get()
    if record is not None:
        answer = (ids, rows, model)
        if record.answers is None:
            record.answers = [answer]
        elif record.answers[-1] != answer:  # not the second part of that answer
            record.answers.append(answer)


def last_ids() -> list[str]:
    """Return the ids of the last predictions of this request, or of this context."""
    record = current_request.get()
    if record is not None and record.answers:
        ids, rows, _ = record.answers[-1]
    else:
        ids, rows = _last.get() or ("", 0)
    return [row_id(ids, i, rows) if isinstance(ids, str) else str(ids[i]) for i in range(rows)]


def header_value(record: RequestRecord) -> bytes | None:
    """Return what a response says of its predictions' ids; None where it cannot say it.

    ``018b...`` for one row; ``018b...; rows=1000`` where the ids of the rows are that text, a
    dash and the number of the row; several calls with commas between.
    """
    told: dict[str, None] = {}
    for ids, rows, _ in record.answers or ():
        if not isinstance(ids, str) or not ids.isascii() or not ids.isprintable():
            return None
        told[ids if rows == 1 else f"{ids}; rows={rows}"] = None
    return ", ".join(told).encode() or None
