"""Drift, rates and performance over time, from what the rules recorded."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from modelmeter import names
from modelmeter.generate import performance_series, series
from modelmeter.generate.promql import selector
from modelmeter.generate.recorded import Series
from modelmeter.generate.rulefile import quote
from modelmeter.profile.profile import Profile
from modelmeter.report.performance import MAIN
from modelmeter.report.prometheus import Client, Sample, of_model
from modelmeter.report.schema import CurvePart, Findings, HistoryPart

MOST_FEATURES: Final = 20
"""So many features have curves: those that rank highest, and the outputs."""

POINTS: Final = 120
"""Points of a curve."""

TRAFFIC: Final = "predictions_per_second"
"""Name of the curve of rows predicted."""

_SHORTEST_STEP: Final = 1.0
_FIGURES: Final = (*MAIN, "roc_auc", "rmse")
_WHOLE: Final = 'segment=""'


def history_of(
    profile: Profile, client: Client, findings: Findings, *, rule_window: str = "24h"
) -> HistoryPart | None:
    """Ask for curves over the window of some findings.

    Parameters
    ----------
    profile
        Of the model.
    client
        The Prometheus.
    findings
        Say the window, and which features rank highest.
    rule_window
        Which window's recorded series to draw.

    Returns
    -------
    HistoryPart or None
        Without curves that nothing recorded; None where the window is not known.

    Raises
    ------
    SourceUnavailableError
        Prometheus does not answer.
    """
    since, until = findings["window"]["since"], findings["window"]["until"]
    if since is None or until is None:
        return None
    step = max((until - since) / POINTS, _SHORTEST_STEP)
    window = f"window={quote(rule_window)}"
    ranked = [part["name"] for part in findings["features"][:MOST_FEATURES]]
    ranked += [part["name"] for part in findings["predictions"]]
    chosen = f"feature=~{quote('|'.join(map(_literal, ranked)))}"
    figures = f'metric=~"{"|".join(_FIGURES)}"'

    def ask(recorded: Series, *matchers: str) -> list[Sample]:
        expr = selector(recorded.name, *of_model(profile, _WHOLE, window, *matchers))
        return client.query_range(expr, since=since, until=until, step=step)

    curves = [
        *(_curve("psi_excess", sample) for sample in ask(series.PSI_EXCESS, chosen)),
        *(_curve(sample.labels["check"], sample) for sample in ask(series.RATE, chosen)),
        *(
            _curve(sample.labels["metric"], sample)
            for sample in ask(performance_series.VALUE, figures, 'class=""')
        ),
    ]
    rate = f"rate({selector(names.PREDICTIONS.name, *of_model(profile))}[{max(step, 60):.0f}s])"
    traffic = client.query_range(f"sum ({rate})", since=since, until=until, step=step)
    curves += [_curve(TRAFFIC, sample) for sample in traffic]
    return {"since": since, "until": until, "step": step, "curves": curves}


def _curve(name: str, sample: Sample) -> CurvePart:
    points: Sequence[tuple[float, float]] = sample.points
    return {
        "name": name,
        "feature": sample.labels.get("feature"),
        "source": sample.labels.get("source"),
        "points": [(at, value) for at, value in points if math.isfinite(value)],
    }


def _literal(text: str) -> str:
    """Return a regular expression, in RE2's words, that is just this text."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
