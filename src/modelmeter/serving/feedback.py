"""What ``POST /feedback`` answers: labels in JSON, and what became of each."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from modelmeter._errors import MissingExtraError, StoreUnavailableError
from modelmeter.live.merge import Family
from modelmeter.serving.failures import Failures
from modelmeter.serving.scrape import Answer

try:
    from modelmeter.live.labels import Outcome, OutcomeKind
except ImportError as error:
    raise MissingExtraError("sqlalchemy", "serve") from error

MAX_ITEMS: Final = 10_000
"""Labels in one request."""

MAX_BYTES: Final = 10_000_000
"""Bytes of one request."""

RETRY_SECONDS: Final = 5

AGAIN: Final = (
    "some of the labels may have been counted; send the same again later, which is safe for "
    "those with a prediction_id: each is counted once"
)


class LabelTaker(Protocol):
    """Who counts the labels of a model: a ``Monitor``."""

    @property
    def labels(self) -> tuple[str, str]:
        """Name and version of the model."""

    @property
    def store(self) -> str | None:
        """Where they are kept."""

    def label(self, items: Sequence[Any]) -> list[Outcome]:
        """Count labels; raise StoreUnavailableError where the database is away."""

    def label_families(self) -> list[Family]:
        """Return the totals of the labels; never raises."""

    def open(self) -> bool:
        """Keep predictions from now on."""

    def close(self, timeout: float) -> bool:
        """Write what waits, for so long at most, and stop."""


class FeedbackPost:
    """Answers posts of labels.

    Parameters
    ----------
    takers
        Who counts them, read at each post: others may come. Of several with a model of the
        same name, such as a champion and its challenger, the first is asked for all.
    failures
        Where to count failures that are not the database's.
    """

    def __init__(self, takers: Sequence[LabelTaker], failures: Failures) -> None:
        self._takers = takers
        self._failures = failures
        failures.expect("feedback")

    def answer(self, body: bytes) -> Answer:
        """Return the response to a POST; never raises, and may wait for the database."""
        try:
            given = _parse(body)
        except (RecursionError, ValueError) as error:
            return refuse(400, f"the body is not JSON: {error}")
        items = given if isinstance(given, list) else [given]
        if not isinstance(given, (dict, list)):
            return refuse(400, "the body is an object with a label, or a list of such objects")
        if len(items) > MAX_ITEMS:
            return refuse(
                413, f"{len(items)} labels are too many: send at most {MAX_ITEMS} at once"
            )
        try:
            outcomes = self._count(items)
        except StoreUnavailableError as error:
            return unavailable(str(error))
        except Exception as error:  # noqa: BLE001 - a service does not fail for its monitoring
            self._failures.count("feedback", error)
            return unavailable("the labels could not be counted, which is logged")
        counts = dict.fromkeys(map(str, OutcomeKind), 0)
        for outcome in outcomes:
            counts[str(outcome.kind)] += 1
        told = [
            {"prediction_id": _shown(one.prediction_id), "outcome": one.kind, "reason": one.reason}
            for one in outcomes
        ]
        return _json(200, {"outcomes": told, "counts": counts})

    def _count(self, items: Sequence[Any]) -> list[Outcome]:
        takers: dict[str, LabelTaker] = {}
        for taker in self._takers:
            takers.setdefault(taker.labels[0], taker)
        outcomes: dict[int, Outcome] = {}
        rows: dict[str, list[int]] = defaultdict(list)
        for i, item in enumerate(items):
            name = item.get("model") if isinstance(item, Mapping) else None
            if name is None and len(takers) == 1:
                name = next(iter(takers))
            if isinstance(name, str) and name in takers:
                rows[name].append(i)
                continue
            known = ", ".join(map(repr, takers))
            given = item.get("prediction_id") if isinstance(item, Mapping) else None
            reason = f"model is one of {known}, not {_shortened(name)}"
            if name is None:
                reason = f"model is needed here, one of {known}"
            outcomes[i] = Outcome(given, OutcomeKind.INVALID, reason)
        for name, places in rows.items():
            outcomes |= zip(places, takers[name].label([items[i] for i in places]), strict=True)
        return [outcomes[i] for i in range(len(items))]


class _NoNumber:
    """``NaN`` or ``Infinity`` in what should be JSON: no value that any field can have."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def refuse(status: int, detail: str, *headers: tuple[str, str]) -> Answer:
    """Return the response to a request that is not looked into."""
    return _json(status, {"detail": detail}, *headers)


def unavailable(reason: str) -> Answer:
    """Return the response that asks to send the same labels again."""
    return refuse(503, f"{reason}; {AGAIN}", ("Retry-After", str(RETRY_SECONDS)))


def _parse(body: bytes) -> Any:
    return json.loads(body, parse_constant=_NoNumber)


def _json(status: int, content: Mapping[str, Any], *headers: tuple[str, str]) -> Answer:
    body = json.dumps(content, allow_nan=False).encode()
    return Answer(status, [("Content-Type", "application/json"), *headers], body)


def _shown(prediction_id: Any) -> str | int | None:
    """Return an id as it came; None for what cannot be one, which may be no JSON."""
    return prediction_id if type(prediction_id) in (str, int) else None


def _shortened(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
