"""One sentence that says how things are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelmeter.report.problems import RATE_WORDS, figure_name, rate_sentence
from modelmeter.report.schema import FeaturePart, FigurePart, Findings, State
from modelmeter.report.words import count, figure

_TELLABLE: Final = ("ok", "alarm")
_MOST_OTHERS: Final = 2
# Said in words of their own.
_TOLD: Final = ("drift", "prediction", "performance", "estimated", *RATE_WORDS)


def state_of_all(findings: Findings) -> State:
    """Return alarm if there is a problem, ok if anything can be said, else why it cannot."""
    if findings["problems"]:
        return "alarm"
    parts = [*findings["features"], *findings["predictions"]]
    if not findings["rows"] or not parts:
        return "few_rows"
    states = {part["state"] for part in parts}
    if states.intersection(_TELLABLE):
        return "ok"
    return "few_training_rows" if states == {"few_training_rows"} else "few_rows"


def verdict_of(findings: Findings) -> str:
    """Say how things are: drift, performance, and what else is the matter.

    Parameters
    ----------
    findings
        All else of them.

    Examples
    --------
    ``2 of 14 features drifted; estimated accuracy 0.81, training 0.84; 6 % of pressure missing
    (training 2 %)``
    """
    if not findings["rows"] and not findings["problems"]:
        return "No rows yet: nothing can be said"
    parts = [_drift(findings), *_outputs(findings), *_performance(findings), *_rest(findings)]
    text = "; ".join(part for part in parts if part)
    return text[:1].upper() + text[1:]


def _drift(findings: Findings) -> str:
    features = findings["features"]
    drifted = [part for part in features if part["drift"]["state"] == "alarm"]
    unknown = [part for part in features if part["drift"]["state"] not in _TELLABLE]
    if drifted:
        one = len(features) == 1
        return f"{len(drifted)} of {len(features)} feature{'' if one else 's'} drifted"
    if len(unknown) == len(features):
        return _too_few(findings, unknown)
    text = f"none of {len(features)} features drifted"
    if len(features) == 1:
        text = "the feature did not drift"
    return f"{text} ({len(unknown)} cannot be told yet)" if unknown else text


def _too_few(findings: Findings, unknown: list[FeaturePart]) -> str:
    if not unknown:
        return "the model has no features"
    if all(part["drift"]["state"] == "few_training_rows" for part in unknown):
        return "too few training rows to tell drift"
    needed = [n for part in unknown if (n := part["drift"]["rows_needed"]) is not None]
    # Rounded up to two digits: it is a power calculation.
    about = f"; about {count(float(f'{min(needed):.1e}'))} are needed" if needed else ""
    return f"too few rows to tell drift ({count(findings['rows'])}{about})"


def _outputs(findings: Findings) -> Iterator[str]:
    if any(part["drift"]["state"] == "alarm" for part in findings["predictions"]):
        yield "predictions drifted"


def _performance(findings: Findings) -> Iterator[str]:
    """Say the main figure: realised where there are labels, else estimated; and any that is bad."""
    for metric in findings["performance"]["metrics"] if findings["performance"] else ():
        realised, estimated = metric["realised"], metric["estimated"]
        shown = metric["main"] or _is_bad(realised) or _is_bad(estimated)
        if shown and realised is not None:
            yield _beside_training(figure_name(metric), realised, metric["baseline"])
        if shown and estimated is not None and (realised is None or _is_bad(estimated)):
            name = f"estimated {figure_name(metric)}"
            yield _beside_training(name, estimated, metric["baseline"])


def _is_bad(side: FigurePart | None) -> bool:
    return side is not None and side["state"] == "alarm"


def _beside_training(name: str, side: FigurePart, baseline: FigurePart | None) -> str:
    then = f", training {figure(baseline['value'])}" if baseline is not None else ""
    return f"{name} {figure(side['value'])}{then}"


def _rest(findings: Findings) -> Iterator[str]:
    """Name the worst rate, and what else is wrong."""
    rates = [
        (abs((rate["rate"] or 0.0) - (rate["training_rate"] or 0.0)), part["name"], rate)
        for part in (*findings["features"], *findings["predictions"])
        for rate in part["rates"]
        if rate["state"] == "alarm"
    ]
    if rates:
        _, name, worst = max(rates, key=lambda one: one[0])
        more = len(rates) - 1
        beside = f" and {more} more rate{'s' if more > 1 else ''} changed" if more else ""
        yield f"{rate_sentence(name, worst)}{beside}"
    others = [one for one in findings["problems"] if one["check"] not in _TOLD]
    yield from (problem["text"] for problem in others[:_MOST_OTHERS])
    if len(others) > _MOST_OTHERS:
        yield f"{len(others) - _MOST_OTHERS} more problems"
