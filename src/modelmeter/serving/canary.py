"""Canary rows: whether the model still answers here as it did where it was trained.

A profile may keep rows with the model's answers (``profile/canary.py``). When a model is
watched they are asked again, before any traffic comes. What is not as it was then (a library,
a type, a step of the preprocessing, the model file itself) shows in ``model_canary_rows``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import Any

from modelmeter import names
from modelmeter._errors import ModelError
from modelmeter.live.observer import Observer
from modelmeter.live.recording import paused
from modelmeter.profile.canary import Canary, canary_answers
from modelmeter.profile.columns import Array
from modelmeter.profile.facts import library_versions, predict_function
from modelmeter.profile.profile import Profile
from modelmeter.stats.values import Floats

logger = logging.getLogger("modelmeter")


def replay(model: Any, observer: Observer) -> None:
    """Ask a model about its profile's canary rows and count how it answers; never raises.

    Nothing else is counted. It costs one prediction (and one of the scores) of as many rows as
    the profile keeps, 1,000 at most.

    Parameters
    ----------
    model
        The model as it is, not yet watched; an asynchronous one is not asked.
    observer
        Whose profile has the rows.
    """
    canary = observer.profile.canary
    if canary is None:
        return
    with observer.guard("canary"):
        if _answers_later(predict_function(model)):
            _say_not_asked(observer)
            return
        rows = len(canary.rows)
        try:
            with paused():
                labels, scores = _ask(model, observer.profile, canary)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            observer.note_canary(failed=rows)
            _warn(observer, f"the model failed on all {rows} canary rows: {error!r}")
            return
        if len(labels) and isawaitable(labels[0]):
            if iscoroutine(labels[0]):
                labels[0].close()
            _say_not_asked(observer)
            return
        different = canary.differing(labels, scores)
        observer.note_canary(equal=rows - different, different=different)
        if different:
            what = _first_difference(canary, labels, scores)
            _warn(observer, f"{different} of {rows} canary rows are answered otherwise; {what}")


def _ask(model: Any, profile: Profile, canary: Canary) -> tuple[Array, Floats | None]:
    if predict_function(model) is None:
        raise ModelError(f"{type(model).__name__} has no predict and is not callable")
    labels, scores = canary_answers(profile, model, canary.rows)
    if len(labels) != len(canary.rows) and not (len(labels) and isawaitable(labels[0])):
        raise ModelError(f"it gave {len(labels)} answers for {len(canary.rows)} rows")
    return labels, scores


def _answers_later(predict: Any) -> bool:
    return iscoroutinefunction(predict) or iscoroutinefunction(getattr(predict, "__call__", None))  # noqa: B004


def _first_difference(canary: Canary, labels: Array, scores: Floats | None) -> str:
    """Describe the first row that is answered otherwise."""
    for i, row in enumerate(canary.rows):
        here = slice(i, i + 1)
        one = replace(canary, rows=(row,), y_pred=canary.y_pred[here], y_score=canary.y_score[here])
        now = None if scores is None else scores[here]
        if one.differing(labels[here], now):
            then = _answer(one.y_pred, one.y_score)
            got = _answer(labels[here].tolist(), () if now is None else now.tolist())
            # Real rows are in the profile, whose owner decides who reads it; not so a log.
            shown = f"row {i} {dict(row)}" if canary.source == "synthetic" else f"row {i}"
            return f"first {shown}: expected {then}, got {got}"
    return "no row by itself"  # an answer that depends on the rows beside it


def _answer(labels: Any, scores: Any) -> str:
    return f"{labels[0]!r} (score {scores[0]!r})" if len(scores) else repr(labels[0])


def _warn(observer: Observer, what: str) -> None:
    libraries = ", ".join(_library_mismatches(observer.profile))
    logger.warning(
        "%s does not answer as in training (see %s): %s; libraries that differ: %s",
        "/".join(observer.labels),
        names.CANARY_ROWS.name,
        what,
        libraries or "none",
    )


def _library_mismatches(profile: Profile) -> Iterator[str]:
    here = library_versions()
    for name, then in profile.libraries.items():
        now = here.get(name, "not installed")
        if now != then:
            yield f"{name} {then} in training, {now} here"


def _say_not_asked(observer: Observer) -> None:
    logger.info(
        "canary rows of %s are not asked again: the model is asynchronous",
        "/".join(observer.labels),
    )
