"""What the nine months showed, and whether that is what the data holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelmeter.demo.reading import FIGURES, SOURCES, FeatureReading, Reading, rate_matters
from modelmeter.demo.words import figure, percent, score

CONTROLS = ("hour", "carrier", "origin")
"""Features that hardly move over the year: drift here would be a false alarm."""

NAN = math.nan
MATTERS_PERFORMANCE = 0.02
"""A figure this far below that of training is worth a look."""

SEASONAL = ("temp", "dewp")
"""Features that summer takes far beyond anything that training in winter saw."""

NEW_DESTINATIONS = ("ABQ", "ACK", "ANC", "ILM", "LEX", "LGA", "MVY", "SBN", "TVC")
"""Airports that nobody flew to before April."""


@dataclass(frozen=True)
class Month:
    """One month of the replay.

    Parameters
    ----------
    label
        ``Apr``.
    reading
        What was measured at its end.
    late
        Share of its flights that were late, as became known later; NaN when unknown.
    """

    label: str
    reading: Reading
    late: float = math.nan


@dataclass(frozen=True)
class Finding:
    """One thing to say about the replay.

    Parameters
    ----------
    expected
        Whether it is what the data holds.
    text
        One sentence.
    """

    expected: bool
    text: str


@dataclass(frozen=True)
class Line:
    """One row of a table by month.

    Parameters
    ----------
    label
        What the numbers are.
    values
        One per month, NaN where there is none.
    worth
        Whether each is one to look at.
    words
        Writes one of them.
    before
        The same in training, NaN where it is not known.
    """

    label: str
    values: tuple[float, ...]
    worth: tuple[bool, ...]
    words: Callable[[float], str] = figure
    before: float = math.nan


def drift_lines(months: Sequence[Month]) -> list[Line]:
    """Return the PSI beyond noise of every feature and output by month, top movers first.

    Parameters
    ----------
    months
        In order.

    Returns
    -------
    list of Line
        Controls last; empty without months.
    """
    names = dict.fromkeys(f.name for month in months for f in month.reading.features)
    lines = [_drift_line(name, months) for name in names]
    return sorted(lines, key=lambda line: (line.label in CONTROLS, -_peak(line.values)))


def rate_lines(months: Sequence[Month]) -> list[Line]:
    """Return the rates that tell the story: missing, unseen, predicted and truly late.

    Parameters
    ----------
    months
        In order.

    Returns
    -------
    list of Line
    """
    readings = [month.reading for month in months]
    late = tuple(month.late for month in months)
    quiet = (False,) * len(months)
    return [
        _check_line("pressure missing", "pressure", "missing", readings),
        _check_line("dest unseen", "dest", "unseen", readings),
        Line("predicted late", tuple(r.positive for r in readings), quiet, words=percent),
        Line("late in truth", late, quiet, words=percent),
    ]


def performance_lines(months: Sequence[Month]) -> list[Line]:
    """Return how good the model was by month: estimated, then realised.

    Parameters
    ----------
    months
        In order.

    Returns
    -------
    list of Line
        With the figure of training; worth looking at where it is below that by more than
        `MATTERS_PERFORMANCE`.
    """
    lines = []
    for metric, name in FIGURES.items():
        training = next(
            (r for m in months if (r := m.reading.figure(metric, "training")) == r), NAN
        )
        for source in SOURCES[:2]:
            values = tuple(month.reading.figure(metric, source) for month in months)
            worth = tuple(value < training - MATTERS_PERFORMANCE for value in values)
            lines.append(Line(f"{name} {source}", values, worth, score, training))
    labelled = tuple(month.reading.labelled for month in months)
    return [*lines, Line("with a label", labelled, (False,) * len(months), words=percent)]


def findings(months: Sequence[Month]) -> list[Finding]:
    """Say what drifted, what did not, and whether that is as the data has it.

    Parameters
    ----------
    months
        In order.

    Returns
    -------
    list of Finding
        Empty without months.
    """
    if not months:
        return []
    lines = {line.label: line for line in drift_lines(months)}
    return [
        _moved(lines, months),
        _quiet(lines),
        _unseen(months),
        _missing(months),
        _performed(months),
    ]


def _moved(lines: Mapping[str, Line], months: Sequence[Month]) -> Finding:
    top = list(lines)[:3]
    peaks = ", ".join(f"{name} {figure(_peak(lines[name].values))}" for name in top)
    labels = [month.label for month in months]
    found = {name for name, line in lines.items() if any(line.worth)}
    when = {name: labels[_peak_index(lines[name].values)] for name in top}
    return Finding(
        set(SEASONAL) <= found,
        f"Drifted most: {peaks} (PSI beyond noise; temp at its peak in {when.get('temp', '-')}). "
        "A model trained in winter met the summer.",
    )


def _quiet(lines: Mapping[str, Line]) -> Finding:
    peaks = {name: _peak(lines[name].values) for name in CONTROLS if name in lines}
    loud = [name for name in peaks if any(lines[name].worth)]
    text = ", ".join(f"{name} {peak:.3f}" for name, peak in peaks.items())
    return Finding(
        len(peaks) == len(CONTROLS) and not loud,
        f"Stayed quiet: {text} at most. Airlines fly the same hours from the same airports "
        "all year."
        if not loud
        else f"Should have stayed quiet: {text}.",
    )


def _unseen(months: Sequence[Month]) -> Finding:
    rates = [_rate(month.reading["dest"], "unseen") for month in months]
    peak = _peak(rates)
    return Finding(
        peak > 0,
        f"Destinations never seen in training: up to {percent(peak)} of a month's flights "
        f"({', '.join(NEW_DESTINATIONS)}); the encoder turns them into zeros without a word.",
    )


def _missing(months: Sequence[Month]) -> Finding:
    rates = [r for m in months if not math.isnan(r := _rate(m.reading["pressure"], "missing"))]
    before = next((_reference(m.reading["pressure"], "missing") for m in months), math.nan)
    span = f"{percent(min(rates))} to {percent(max(rates))}" if rates else "unknown"
    return Finding(
        bool(rates) and max(rates) > before,
        f"Pressure missing: {span} by month, {percent(before)} in training; the imputer fills "
        "in the median.",
    )


def _performed(months: Sequence[Month]) -> Finding:
    """Say how good the model was, and how well that was foreseen."""
    readings = [month.reading for month in months]
    accuracy = [
        (r.figure("accuracy", "estimated"), r.figure("accuracy", "realised")) for r in readings
    ]
    known = [(guess, truth) for guess, truth in accuracy if guess == guess and truth == truth]
    auc = _known([r.figure("roc_auc", "realised") for r in readings])
    if not known or not auc:
        return Finding(False, "How good the model was: not known, no labels arrived.")
    training = _known([r.figure("accuracy", "training") for r in readings])
    off = max(known, key=lambda pair: abs(pair[0] - pair[1]))
    labels = [month.label for month in months]
    month = labels[accuracy.index(off)]
    return Finding(
        2 * len(known) >= len(months) and bool(training),
        f"Accuracy {min(t for _, t in known):.3f} to {max(t for _, t in known):.3f} by month "
        f"({training[0] if training else NAN:.3f} in training), AUC {min(auc):.2f} to "
        f"{max(auc):.2f}. Estimated before labels it was {off[0]:.3f} in {month} and turned out "
        f"{off[1]:.3f}: flights that look alike were late more or less often than in winter. That "
        "is concept drift, which no estimate without labels can see.",
    )


def _drift_line(name: str, months: Sequence[Month]) -> Line:
    features = [month.reading[name] for month in months]
    return Line(
        name,
        tuple(f.psi_excess for f in features),
        tuple(f.verdict == "drift" for f in features),
    )


def _check_line(label: str, feature: str, check: str, readings: Sequence[Reading]) -> Line:
    scores = [reading[feature].checks.get(check) for reading in readings]
    return Line(
        label,
        tuple(math.nan if score is None else score.rate for score in scores),
        tuple(score is not None and rate_matters(score) for score in scores),
        words=percent,
    )


def _rate(feature: FeatureReading, check: str) -> float:
    score = feature.checks.get(check)
    return math.nan if score is None else score.rate


def _reference(feature: FeatureReading, check: str) -> float:
    score = feature.checks.get(check)
    return math.nan if score is None else score.reference_rate


def _known(values: Sequence[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _peak(values: Sequence[float]) -> float:
    return max(_known(values), default=-math.inf)


def _peak_index(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda i: -math.inf if math.isnan(values[i]) else values[i])
