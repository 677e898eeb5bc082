"""Checks of what comes from outside: ids, true values and times."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np

from modelmeter.live.labels.records import Label, Prediction
from modelmeter.stats.bins import is_missing
from modelmeter.stats.labels import category_labels, plain

MAX_ID_LENGTH: Final = 200

CheckValue = Callable[[Any], str]
"""Brings a y_true into the text that is kept, or raises ValueError with the reason."""


def check_id(value: Any) -> str:
    """Return an id as it is kept.

    Parameters
    ----------
    value
        Text of 1 to 200 characters without control characters, or a whole number.

    Raises
    ------
    ValueError
        With the reason, when it cannot be an id.
    """
    if isinstance(value, np.integer):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**20:
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"an id is text or a whole number, not {_show(value)}")
    if not 1 <= len(value) <= MAX_ID_LENGTH:
        raise ValueError(f"an id has 1 to {MAX_ID_LENGTH} characters, not {len(value)}")
    reason = _unstorable(value)
    if reason:
        raise ValueError(f"an id has no {reason}: {_show(value)}")
    return value


def check_label(item: Mapping[str, Any], check: CheckValue, now: float) -> Label:
    """Return a checked label.

    Parameters
    ----------
    item
        With ``prediction_id``, ``y_true`` and, if known, ``time``: Unix time, a datetime or
        ISO text with a time zone.
    check
        Checks ``y_true``.
    now
        Unix time to use where the item has none.

    Raises
    ------
    ValueError
        With the reason.
    """
    if not isinstance(item, Mapping):
        raise ValueError(f"a label is an object with prediction_id and y_true, not {_show(item)}")
    for key in ("prediction_id", "y_true"):
        if key not in item:
            raise ValueError(f"{key} is missing")
    y_true = check(item["y_true"])
    return Label(check_id(item["prediction_id"]), y_true, _check_time(item.get("time"), now))


def is_storable(prediction: Prediction) -> bool:
    """Tell whether a database can hold a prediction as it is."""
    try:
        check_id(prediction.id)
        texts = [prediction.model, prediction.version, *prediction.segments]
        texts += [t for t in (prediction.y_pred, prediction.ord, prediction.bin) if t is not None]
        if prediction.value is not None:
            float(prediction.value)
        return math.isfinite(prediction.time) and not any(map(_unstorable, texts))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return False


def class_check(classes: Sequence[Any]) -> CheckValue:
    """Make the check of a classifier's labels.

    Parameters
    ----------
    classes
        The model's classes. A label may be given as the class itself or as its text, so that
        ``1``, ``1.0``, ``"1"`` and ``True`` all mean the class 1 where there is one.

    Returns
    -------
    callable
        Returns the class's name as in the metrics (`category_labels`); raises ValueError
        otherwise.

    Examples
    --------
    >>> check = class_check([0, 1])
    >>> check(1.0), check("0")
    ('1', '0')
    >>> check(2)
    Traceback (most recent call last):
    ...
    ValueError: y_true is one of the classes '0', '1', not 2
    """
    names = category_labels(classes)
    by_text = {str(plain(c)): name for c, name in zip(classes, names, strict=True)}
    by_text |= dict(zip(names, names, strict=True))
    by_value = {plain(c): name for c, name in zip(classes, names, strict=True)}
    expected = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")

    def check(value: Any) -> str:
        value = plain(value)
        try:
            found = by_value.get(value) or by_text.get(str(value))
        except TypeError:  # a list, an object
            found = None
        if found is None:
            raise ValueError(f"y_true is one of the classes {expected}, not {_show(value)}")
        return found

    return check


def number_check(value: Any) -> str:
    """Check a regression's label: return a finite number as text that gives it back exactly.

    Raises
    ------
    ValueError
        It is not a finite number.

    Examples
    --------
    >>> number_check(0.1), number_check(2)
    ('0.1', '2.0')
    """
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"y_true is a finite number, not {_show(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"y_true is a finite number, not {_show(value)}")
    return repr(number + 0.0)  # -0.0 and 0.0 are one truth


def _check_time(value: Any, now: float) -> float:
    if value is None or is_missing(value):
        return now
    given = value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"time is not in ISO form: {_show(given)}") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"time needs a time zone: {_show(given)}")
        return value.timestamp()
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e11:
        raise ValueError(f"time is Unix time in seconds or a datetime, not {_show(given)}")
    return float(value)


def _unstorable(text: str) -> str:
    """Return what keeps a text from being stored, empty when nothing does."""
    # Control characters: PostgreSQL cannot hold NUL, and no log line survives the others.
    if not text.isprintable():
        kinds = {unicodedata.category(c) for c in text}
        if "Cs" in kinds:
            return "lone surrogates (it is not valid Unicode)"
        if "Cc" in kinds:
            return "control characters"
    return ""


def _show(value: Any) -> str:
    """Echo a value, shortened."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # an integer of 5,000 digits, a nested list
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
