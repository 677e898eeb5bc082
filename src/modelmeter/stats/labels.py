"""Names of bins: readable, short, and no two alike."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b

import numpy as np


def is_label(text: str) -> bool:
    """Tell whether a text can name a series: neither blank nor beyond UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return bool(text.strip())


def hash_category(value: object) -> str:
    """Return a short hash that tells values apart without keeping them.

    A training value that is too rare to become a label (it may be personal) is only kept
    so: enough to say that training had it, not to read it (who suspects a value can try
    it). Two values share a hash with probability 2e-10.
    """
    text = value if isinstance(value, str) else _number_text(value)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def plain(value: object) -> object:
    """Return numpy scalars and decimals as Python's numbers, whole ones as integers."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, (Decimal, Fraction)):
        value = float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number_text(value: object) -> str:
    # True is 1: values that are equal have one hash.
    number = plain(value)
    return repr(int(number) if isinstance(number, bool) else number)


def interval_labels(edges: Sequence[float], *, is_time: bool = False) -> list[str]:
    """Name the intervals between edges: ``[12, 15.5)``, the last one closed.

    An interval that holds a single number is named by it. Numbers are as short as keeps
    the edges apart.

    Parameters
    ----------
    edges
        Strictly increasing, at least two; the last is the next float above the maximum.
    is_time
        Whether the edges are seconds since 1970.

    Returns
    -------
    list of str
        One per interval, no two alike.
    """
    highest = math.nextafter(edges[-1], -math.inf)
    starts = list(edges[:-1])
    # The last interval may hold nothing but its own start.
    shown = starts if starts[-1] == highest else [*starts, highest]
    texts: list[str] = []
    for digits in (6, 9, 17):
        texts = [_edge_text(edge, digits, is_time=is_time) for edge in shown]
        if len(set(texts)) == len(texts):
            break
    else:
        texts = [repr(edge) for edge in shown]
    last = len(texts) - 2
    labels = [
        f"[{low}, {high}{']' if i == last and len(texts) > len(starts) else ')'}"
        for i, (low, high) in enumerate(itertools.pairwise(texts))
    ]
    return labels if len(texts) > len(starts) else [*labels, texts[-1]]


def _edge_text(edge: float, digits: int, *, is_time: bool) -> str:
    if is_time:
        # Years outside 1 to 9999 have no calendar date.
        if -62135596800 <= edge < 253402300800:
            moment = datetime.fromtimestamp(edge, UTC)
            text = moment.isoformat(timespec="auto" if digits > 9 else "seconds")
            return text.removesuffix("+00:00").removesuffix("T00:00:00")
    elif math.isclose(edge, round(edge, digits), rel_tol=1e-12) and abs(edge) < 1e15:
        # Adding zero takes the sign from a negative zero.
        return f"{round(edge, digits) + 0.0:.15g}"
    return f"{edge:.{digits}g}"


def category_labels(categories: Sequence[object]) -> list[str]:
    """Name categories by their text, at most 60 characters, made unique where they clash."""
    labels: list[str] = []
    taken = {"other", "unseen", "missing", "invalid"}
    for category in categories:
        label = _category_text(category)
        while label in taken:
            label = f"{label} (category)"
        taken.add(label)
        labels.append(label)
    return labels


def _category_text(category: object) -> str:
    # A lone surrogate is in no encoding, and an empty label is none to Prometheus.
    text = str(plain(category)).encode("utf-8", "backslashreplace").decode() or "(empty)"
    return text if len(text) <= 60 else f"{text[:51]}~{hash_category(text)}"
