"""`modelmeter check`: stop a bad batch in a pipeline."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from modelmeter.cli.report import Asked, Prediction, Score, Target
from modelmeter.cli.shared import AlarmsPerMonth, ProfilePath, Trust, output
from modelmeter.report.check import Checked
from modelmeter.report.problems import CHECKS
from modelmeter.report.schema import State
from modelmeter.stats.budget import AlarmBudget

_SHOWN: Final[tuple[State, ...]] = ("ok", "alarm", "few_rows")


class Format(StrEnum):
    """How the outcome is printed."""

    table = "table"
    json = "json"
    junit = "junit"
    github = "github"


def check(
    profile: ProfilePath,
    data: Annotated[
        Path, typer.Option(help="Rows to check: .parquet, .csv or .csv.gz.", show_default=False)
    ],
    fail_on: Annotated[
        str | None,
        typer.Option(help=f"What counts, by commas: {', '.join(CHECKS)}. Everything by default."),
    ] = None,
    prediction: Prediction = None,
    score: Score = None,
    target: Target = None,
    model: Asked = None,
    trust: Trust = None,
    alarms_per_month: AlarmsPerMonth = 1.0,
    format: Annotated[  # noqa: A002 - the option's name
        Format, typer.Option(help="For a person, a program, a CI server, GitHub Actions.")
    ] = Format.table,
) -> None:
    """Check rows against training; exit with 0 (fine), 1 (something is wrong), 2 (cannot tell)."""
    from modelmeter.cli import reading
    from modelmeter.report.check import check_findings

    chosen = None if fail_on is None else [one.strip() for one in fail_on.split(",")]
    columns = reading.columns_of(prediction, score, target)
    findings = reading.of_data(
        reading.profile_of(profile),
        data,
        columns,
        model,
        trust or (),
        AlarmBudget(alarms_per_month=alarms_per_month),
    )
    checked = check_findings(findings, chosen)
    _print(checked, format)
    raise typer.Exit(checked.exit_code)


def _print(checked: Checked, chosen: Format) -> None:
    from modelmeter.report.machines import github, junit
    from modelmeter.report.terminal import COLOURS, WIDE, findings_view

    if chosen is Format.table:
        # A log has no width of its own.
        screen = output if output.is_terminal else Console(width=WIDE, highlight=False)
        screen.print(findings_view(checked.findings, width=screen.width))
        screen.print()
        screen.print(Text(checked.outcome, style=COLOURS[_SHOWN[checked.exit_code]]))
        return
    text = {
        Format.json: lambda: json.dumps(checked.document(), indent=1, ensure_ascii=False) + "\n",
        Format.junit: lambda: junit(checked),
        Format.github: lambda: github(checked),
    }[chosen]()
    output.out(text, end="", highlight=False)
