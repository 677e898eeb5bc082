"""What is not told, because something else that fires says it already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from modelmeter.generate.alerts import names
from modelmeter.generate.service_levels import BURNS

_MODEL: Final = ("model", "version")


@dataclass(frozen=True, slots=True)
class Inhibition:
    """What is not told while something else fires.

    Parameters
    ----------
    source, target
        Matchers of the alert that fires, and of those that are kept back.
    equal
        Labels that both share.
    why
        For the reader of the file.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    equal: tuple[str, ...]
    why: str


def _either(*values: str) -> str:
    return "|".join(values)


def _is(*alerts: str) -> str:
    """Return a matcher of alerts by name."""
    return f'alertname="{alerts[0]}"' if len(alerts) == 1 else f'alertname=~"{_either(*alerts)}"'


_BURNS: Final = (names.ERROR_BUDGET_BURN, names.LATENCY_BUDGET_BURN)


def _faster_burns() -> Iterator[Inhibition]:
    for burn, slower in pairwise(BURNS):
        windows = _either(*(one.long for one in BURNS[BURNS.index(slower) :]))
        yield Inhibition(
            (_is(*_BURNS), f'window="{burn.long}"'),
            (_is(*_BURNS), f'window=~"{windows}"'),
            ("alertname", *_MODEL),
            f"What is spent too fast over {burn.long} soon is over {slower.long} too.",
        )


INHIBITIONS: Final = (
    Inhibition(
        (_is(names.TARGET_DOWN),),
        (
            f'area=~"{_either(*names.AREAS)}"',
            f'alertname!~"{_either(names.TARGET_DOWN, names.RULES_FAILING)}"',
        ),
        ("job",),
        "While no replica answers, all else that is said of the service is old, or follows from "
        "it. One replica of several is another alert, which silences nothing.",
    ),
    Inhibition(
        (_is(names.NOT_SERVED),),
        (f'area=~"{_either(*names.AREAS)}"', f'alertname!="{names.NOT_SERVED}"'),
        ("job", "model"),
        "While no replica serves a model, all else that is said of the model is old.",
    ),
    *_faster_burns(),
    Inhibition(
        (_is(*names.BROKEN, *names.UNUSUAL),),
        (_is(names.FEATURE_DRIFT),),
        (*_MODEL, "feature"),
        "Values that are missing, invalid, never seen, out of range or frozen are drift too.",
    ),
    Inhibition(
        (_is(names.FEATURE_ABSENT),),
        (_is(names.SCHEMA_MISMATCH), 'check="missing"'),
        (*_MODEL, "feature"),
        "An absent column is a mismatch of the schema too.",
    ),
    Inhibition(
        (_is(*names.BROKEN),),
        (_is(names.PREDICTION_DRIFT), 'check="drift"'),
        _MODEL,
        "Without its inputs a model answers otherwise: that is no second fault. That its "
        "performance must have fallen is told all the same: it says what the fault costs.",
    ),
    Inhibition(
        (_is(names.PERFORMANCE_LOW),),
        (_is(names.ESTIMATED_PERFORMANCE_LOW),),
        _MODEL,
        "What labels say is known; an estimate without them adds nothing.",
    ),
)
"""In the order in which they are written."""
