"""Findings as Markdown: for a pull request, an issue, a chat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from modelmeter.report.problems import figure_name
from modelmeter.report.schema import FeaturePart, FigurePart, Findings
from modelmeter.report.words import count, duration, figure, percent

STATE_WORDS: Final = {
    "alarm": "**drift**",
    "ok": "ok",
    "few_rows": "insufficient data",
    "few_training_rows": "insufficient training data",
}
MOST_FEATURES: Final = 50
"""So many features are listed; the others are counted."""

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~&$@]|^[-+])")


def markdown_report(findings: Findings) -> str:
    """Return findings as Markdown that GitHub, GitLab and others draw.

    Parameters
    ----------
    findings
        From `summarise`.
    """
    return "\n".join(_lines(findings)) + "\n"


def escaped(text: str) -> str:
    r"""Return text that Markdown takes as it is, on one line.

    Examples
    --------
    >>> print(escaped("a|b <i>*x*"))
    a\|b \<i\>\*x\*
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _lines(findings: Findings) -> Iterator[str]:
    model = findings["model"]
    yield f"# {escaped(model['name'])} {escaped(model['version'])}"
    yield ""
    yield f"**{escaped(findings['verdict'])}.**"
    yield ""
    where = f", {escaped(findings['source']['where'])}" if findings["source"]["where"] else ""
    rows = f"{count(findings['rows'])} rows, {findings['window']['text']}{where}"
    yield f"{rows}; training: {count(model['training_rows'])} rows. {findings['created']}"
    if findings["problems"]:
        yield from ("", "## Problems", "")
        yield from (f"- {escaped(problem['text'])}" for problem in findings["problems"])
    yield from _signals(findings)
    yield from _features("Predictions", findings["predictions"])
    yield from _features("Features", findings["features"])
    yield from _performance(findings)
    limit = findings["judging"]
    yield ""
    accepted = limit["alarms_per_month"]
    yield (
        f"Drift is PSI beyond noise above the threshold, and z above {figure(limit['z_threshold'])}"
        f": {figure(accepted)} false alarm{' a month is' if accepted == 1 else 's a month are'} "
        "accepted."
    )


def _signals(findings: Findings) -> Iterator[str]:
    signals = findings["signals"]
    if signals is None or not signals["requests"]:
        return
    latency = [
        f"{name} {duration(value)}"
        for name, value in (
            ("median", signals["latency"]["p50"]),
            ("p95", signals["latency"]["p95"]),
            ("p99", signals["latency"]["p99"]),
        )
        if value is not None
    ]
    asked = f"{count(signals['requests'])} request{'' if signals['requests'] == 1 else 's'}"
    yield from ("", "## Service", "")
    yield (
        f"{asked} ({figure(signals['requests_per_second'])} a second"
        f"), {percent(signals['error_ratio'])} failed; latency {', '.join(latency) or 'unknown'}"
    )


def _features(title: str, parts: Sequence[FeaturePart]) -> Iterator[str]:
    if not parts:
        return
    yield from ("", f"## {title}", "")
    header = ("name", "state", "PSI beyond noise", "threshold", "z", "missing", "moved most")
    yield from _table(header, (_feature(part) for part in parts[:MOST_FEATURES]))
    if len(parts) > MOST_FEATURES:
        yield from ("", f"and {len(parts) - MOST_FEATURES} more that drifted less")


def _feature(part: FeaturePart) -> Sequence[str]:
    drift = part["drift"]
    missing = next((rate for rate in part["rates"] if rate["check"] == "missing"), None)
    moved = ""
    if part["moved"] and drift["state"] == "alarm":
        most = part["bins"][part["moved"][0]]
        shares = f"{percent(most['share'])}, training {percent(most['training_share'])}"
        moved = f"{escaped(most['label'])}: {shares}"
    changed = [rate["check"] for rate in part["rates"] if rate["state"] == "alarm"]
    words = [STATE_WORDS[drift["state"]], *(f"**{name.replace('_', ' ')}**" for name in changed)]
    return (
        escaped(part["name"]),
        ", ".join(words),
        figure(drift["psi_excess"]),
        figure(drift["threshold"]),
        figure(drift["z"]),
        percent(missing["rate"]) if missing is not None else "",
        moved,
    )


def _performance(findings: Findings) -> Iterator[str]:
    performance = findings["performance"]
    if performance is None or not performance["metrics"]:
        return
    yield from ("", "## Performance", "")
    if performance["unmeasured"]:
        yield from (f"No baseline: {escaped(performance['unmeasured'])}.", "")
    header = (
        "metric",
        f"realised ({count(performance['labelled_rows'])} labels)",
        f"estimated ({count(performance['predicted_rows'])} rows)",
        "training",
    )
    rows = (
        (
            escaped(figure_name(metric)),
            _figure(metric["realised"]),
            _figure(metric["estimated"]),
            _figure(metric["baseline"]),
        )
        for metric in performance["metrics"]
    )
    yield from _table(header, rows)


def _figure(part: FigurePart | None) -> str:
    if part is None:
        return ""
    error = f" ± {figure(part['error'])}" if part["error"] is not None else ""
    text = f"{figure(part['value'])}{error}"
    return f"**{text}**" if part["state"] == "alarm" else text


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"
