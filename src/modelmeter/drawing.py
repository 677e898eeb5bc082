"""What the command line draws while a command works, and at its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

if TYPE_CHECKING:
    from modelmeter.report.schema import Findings
    from modelmeter.serving.backfill import Progress
    from modelmeter.serving.score import Scored

_MOST_PROBLEMS = 10


def draw_backfill(steps: Iterable[Progress], *, bar_on: Console, result_on: Console) -> None:
    """Show how labels are counted, and what became of them.

    Parameters
    ----------
    steps
        From `backfill`.
    bar_on, result_on
        Where the bar is drawn, and where the table is left.
    """
    from modelmeter.serving.backfill import MEANINGS

    bar = Bar(
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("labels, {task.fields[rate]}"),
        console=bar_on,
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None, rate="")
        for progress in steps:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f} per second" if speed else ""
            bar.update(task, total=progress.total, completed=progress.rows, rate=rate)
    table = Table("outcome", "labels", "meaning")
    table.columns[1].justify = "right"
    for outcome, meaning in MEANINGS.items():
        if progress.outcomes[outcome]:
            table.add_row(outcome, f"{progress.outcomes[outcome]:,}", meaning)
    if progress.empty:
        table.add_row("", f"{progress.empty:,}", "rows without a true value, passed over")
    result_on.print(table)
    for row, reason in progress.examples:
        result_on.print(f"row {row:,}: {escape(reason)}")


def draw_scored(scored: Scored, findings: Findings, *, result_on: Console) -> None:
    """Show what came of a file that was scored, and what is wrong with it.

    Parameters
    ----------
    scored
        From `score`.
    findings
        Of what was counted.
    result_on
        Where it is shown.
    """
    from modelmeter.report.words import count, duration

    lines = [
        f"{count(scored.rows)} rows in {duration(scored.seconds)}: {escape(str(scored.out))}",
        escape(findings["verdict"]),
    ]
    problems = findings["problems"]
    lines += [f"- {escape(problem['text'])}" for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        lines.append(f"- and {len(problems) - _MOST_PROBLEMS} more: modelmeter report says all")
    for reason, number in scored.not_kept.items():
        lines.append(f"{count(number)} predictions are not kept for labels: {reason}")
    for line in lines:
        result_on.print(line)
