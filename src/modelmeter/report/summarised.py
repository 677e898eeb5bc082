"""Findings as an object that shows itself, for people in a notebook or an interpreter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from modelmeter.profile.notebook import MOST_ROWS, box, more, picture, table
from modelmeter.report.markdown import STATE_WORDS, markdown_report
from modelmeter.report.problems import figure_name
from modelmeter.report.schema import FeaturePart, Findings
from modelmeter.report.words import count, figure, percent

_COLOURS: Final = {"alarm": "#d1242f", "ok": "#2da44e"}


@dataclass(frozen=True)
class Summary:
    """What was found out about a model.

    Parameters
    ----------
    findings
        The plain dict, see docs/reference/findings.md.
    """

    findings: Findings

    @property
    def verdict(self) -> str:
        """One sentence."""
        return self.findings["verdict"]

    @property
    def state(self) -> str:
        """``alarm``, ``ok``, ``few_rows`` or ``few_training_rows``."""
        return self.findings["state"]

    def to_json(self) -> str:
        """Return the findings as JSON."""
        return json.dumps(self.findings, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def to_html(self) -> str:
        """Return the findings as one file of HTML, with pictures; see docs/report.md."""
        from modelmeter.report.html import html_report

        return html_report(self.findings)

    def to_markdown(self) -> str:
        """Return the findings as Markdown."""
        return markdown_report(self.findings)

    def __repr__(self) -> str:
        model = self.findings["model"]
        return f"<Summary of {model['name']}/{model['version']}: {self.verdict}>"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: self-contained, on a light or a dark ground."""
        findings = self.findings
        model = findings["model"]
        features = findings["features"]
        title = f"{count(findings['rows'])} rows, {findings['window']['text']}"
        header = ("", "", "live, and training as a line", "PSI beyond noise", "missing", "unseen")
        parts = [
            f"<strong>{escape(model['name'])} {escape(model['version'])}</strong>, {escape(title)}",
            f'<p style="margin:8px 0;font-size:15px">{escape(findings["verdict"])}.</p>',
            table(header, map(_feature, (*findings["predictions"], *features[:MOST_ROWS]))),
            more(len(features)),
            _performance(findings),
        ]
        return box("".join(parts))


def _feature(part: FeaturePart) -> Sequence[str]:
    colour = _COLOURS.get(part["state"], "currentColor")
    drift = part["drift"]
    changed = [rate["check"] for rate in part["rates"] if rate["state"] == "alarm"]
    word = STATE_WORDS[drift["state"]].strip("*")
    if changed:
        word = ", ".join([*([word] if drift["state"] == "alarm" else []), *changed])
    rates = {rate["check"]: percent(rate["rate"]) for rate in part["rates"]}
    training, live = ([one[share] for one in part["bins"]] for share in ("training_share", "share"))
    excess = drift["psi_excess"]
    return (
        escape(part["name"]),
        f'<span style="color:{colour}">● {escape(word.replace("_", " "))}</span>',
        picture(training, live if part["rows"] else ()),
        "" if excess is None else f"{max(excess, 0.0):.3f} of {figure(drift['threshold'])}",
        rates.get("missing", ""),
        rates.get("unseen", ""),
    )


def _performance(findings: Findings) -> str:
    performance = findings["performance"]
    if performance is None or not performance["metrics"]:
        return ""
    rows = [
        (
            escape(figure_name(metric)),
            *(
                "" if side is None else figure(side["value"])
                for side in (metric["realised"], metric["estimated"], metric["baseline"])
            ),
        )
        for metric in performance["metrics"]
    ]
    return f"<br>{table(('', 'realised', 'estimated', 'training'), rows)}"
