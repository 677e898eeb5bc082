"""`modelmeter report`: how a model does, for a person."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from modelmeter._errors import ConfigurationError
from modelmeter.cli.shared import AlarmsPerMonth, Trust, errors, output
from modelmeter.report.schema import Findings
from modelmeter.stats.budget import AlarmBudget


class Format(StrEnum):
    """How a report is written."""

    html = "html"
    json = "json"
    markdown = "markdown"


_SUFFIXES = {
    "": Format.html,
    ".html": Format.html,
    ".htm": Format.html,
    ".json": Format.json,
    ".md": Format.markdown,
    ".markdown": Format.markdown,
}

Prediction = Annotated[
    str | None,
    typer.Option(help="Column with the model's answers; y_pred by default, where there is one."),
]
Score = Annotated[
    str | None, typer.Option(help="Column with its scores; y_score by default, where there is one.")
]
Target = Annotated[str | None, typer.Option(help="Column with the true values, for performance.")]
Asked = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="A .skops, .joblib or .pkl file, or module:attribute, to be asked for its answers.",
    ),
]


def report(
    profile: Annotated[
        Path | None,
        typer.Option(
            help="The model's profile; not needed with --reference or --url.",
            envvar="MODELMETER_PROFILE",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Rows to look at: .parquet, .csv or .csv.gz.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Rows to compare --data with, without model and profile.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="A service to ask: all that it counted since it started.")
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(help="A Prometheus to ask: all replicas, any window.")
    ] = None,
    window: Annotated[str, typer.Option(help="With --prometheus: how far to look back.")] = "24h",
    prediction: Prediction = None,
    score: Score = None,
    target: Target = None,
    model: Asked = None,
    trust: Trust = None,
    alarms_per_month: AlarmsPerMonth = 1.0,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the bearer token that --url or --prometheus asks."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write; the screen by default.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, typer.Option(help="By the ending of --out, or html, by default.")
    ] = None,
) -> None:
    """Compare rows, a service, or a window of Prometheus with training, for a person to read."""
    from modelmeter.cli import reading

    sources = {"--data": data, "--url": url, "--prometheus": prometheus}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        raise ConfigurationError(
            f"give one of --data, --url and --prometheus, not {' and '.join(given) or 'none'}"
        )
    chosen = format or _format_of(out)
    budget = AlarmBudget(alarms_per_month=alarms_per_month)
    token = None if token_file is None else token_file.read_text().strip()
    if data is not None:
        columns = reading.columns_of(prediction, score, target)
        known = reading.profile_of(profile, reference)
        found = reading.of_data(known, data, columns, model, trust or (), budget)
    elif url is not None:
        found = reading.of_url(profile, url, token, budget)
    else:
        found = reading.of_prometheus(profile, str(prometheus), window, token, budget)
    text = _written(found, chosen)
    if out is not None:
        out.write_text(text, encoding="utf-8")
        errors.print(f"{escape(str(out))}: {escape(found['verdict'])}", soft_wrap=True)
    else:
        output.out(text, end="", highlight=False)


def _format_of(out: Path | None) -> Format:
    suffix = "" if out is None else out.suffix.lower()
    if suffix not in _SUFFIXES:
        known = ", ".join(filter(None, _SUFFIXES))
        raise ConfigurationError(f"--out ends in {suffix!r}, not {known}: say which --format")
    return _SUFFIXES[suffix]


def _written(findings: Findings, chosen: Format) -> str:
    from modelmeter.report.summarised import Summary

    if chosen is Format.json:
        return Summary(findings).to_json()
    if chosen is Format.markdown:
        return Summary(findings).to_markdown()
    from modelmeter.report.html import html_report

    return html_report(findings)
