"""`modelmeter rehearse`: which alerts would have fired, before anybody is paged."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from modelmeter.cli.shared import (
    AlarmsPerMonth,
    ProfilePath,
    ShortWindow,
    SmallestCoverage,
    SmallestDrift,
    SmallestLoss,
    SmallestRate,
    Trust,
    Windows,
    errors,
    output,
    windows_of,
)

if TYPE_CHECKING:
    from modelmeter.rehearsal.rehearse import OnProgress
    from modelmeter.rehearsal.result import Episode, Rehearsal

_SHOWN: Final = 3
"""Features that are named in a line of the table."""

_WIDE: Final = 120
_ROOMY: Final = 100
"""Columns of a log, and from how many on there is room for the last time too."""


class Format(StrEnum):
    """How the result is printed."""

    table = "table"
    json = "json"


def rehearse(
    profile: ProfilePath,
    data: Annotated[
        Path,
        typer.Option(help="The history: .parquet or .csv, in any order.", show_default=False),
    ],
    time: Annotated[
        str, typer.Option(help="Column with the time of each row; UTC where it has no zone.")
    ],
    model: Annotated[
        str | None,
        typer.Option(help="Model to ask, where the history holds no answers, as for `serve`."),
    ] = None,
    prediction: Annotated[
        str | None, typer.Option(help="Column with what the model answered.")
    ] = None,
    score: Annotated[str | None, typer.Option(help="Column with its scores.")] = None,
    target: Annotated[str | None, typer.Option(help="Column with what came true.")] = None,
    label_time: Annotated[
        str | None, typer.Option(help="Column with the time at which that became known.")
    ] = None,
    label_lag: Annotated[
        str | None,
        typer.Option(help="How long after the prediction it became known, such as 1d."),
    ] = None,
    window: Windows = None,
    short_window: ShortWindow = "1h",
    step: Annotated[
        str | None,
        typer.Option(help="Time between evaluations. By default such that there are some 10,000."),
    ] = None,
    alarms_per_month: AlarmsPerMonth = 1.0,
    smallest_drift: SmallestDrift = 0.05,
    smallest_rate: SmallestRate = 0.02,
    smallest_loss: SmallestLoss = 0.02,
    smallest_coverage: SmallestCoverage = 0.5,
    format: Annotated[  # noqa: A002 - the option's name
        Format, typer.Option(help="For a person, or a program.")
    ] = Format.table,
    trust: Trust = None,
) -> None:
    """Replay history through the generated rules, and say which alerts would have fired."""
    from modelmeter.generate.durations import parse_duration
    from modelmeter.generate.settings import Settings
    from modelmeter.profile.profile import Profile
    from modelmeter.rehearsal.history import Columns
    from modelmeter.rehearsal.rehearse import rehearse as run
    from modelmeter.serving.load import load_model

    lag = 0 if label_lag is None else parse_duration(label_lag, field="label_lag") / 1000
    columns = Columns(
        time=time,
        prediction=prediction,
        score=score,
        target=target,
        label_time=label_time,
        label_lag=lag,
    )
    settings = Settings(
        windows=windows_of(window or ["24h"], short_window),
        alarms_per_month=alarms_per_month,
        smallest_drift=smallest_drift,
        smallest_rate=smallest_rate,
        smallest_loss=smallest_loss,
        smallest_coverage=smallest_coverage,
    )
    loaded_profile = Profile.load(profile)
    asked = None if model is None else load_model(model, trusted=trust or ())
    with _ending_well(), _bar() as on_progress:
        found = run(
            loaded_profile,
            data,
            columns,
            model=asked,
            settings=settings,
            step=step,
            on_progress=on_progress,
        )
    if format is Format.json:
        output.out(json.dumps(found.document(), indent=1, ensure_ascii=False), highlight=False)
    else:
        _print(found)


@contextmanager
def _ending_well() -> Iterator[None]:
    """Let a request to end be an exception, so that Prometheus and its folder go first."""

    def end(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _bar() -> Iterator[OnProgress]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    bar = Progress(
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
    )
    with bar:
        task = bar.add_task("starting", total=None)

        def tell(what: str, done: int, of: int) -> None:
            bar.update(task, description=f"{what} {done:,} of {of:,}", completed=done, total=of)

        yield tell


def _print(found: Rehearsal) -> None:
    from rich.markup import escape

    console = _console()
    console.print(
        f"{escape(found.model)} version {escape(found.version)}: {found.rows:,} rows and "
        # The first step ends where the history begins, the last where it is over.
        f"{found.labels:,} labels from {_day(found.start + found.step)} to "
        f"{_day(found.end - found.step)} "
        f"({found.months:.1f} months), every {_duration(found.step)}"
    )
    if found.invalid_labels:
        console.print(f"{found.invalid_labels:,} values can be no label of this model")
    console.print(_table(found, wide=console.width >= _ROOMY))
    if silent := [name for name in found.rehearsed if not found.of(name)]:
        console.print(f"silent: {', '.join(silent)}")
    number = len(found.episodes)
    console.print(
        f"{number:,} alarm{'' if number == 1 else 's'}, {found.per_month(number):.1f} in a month; "
        f"false ones that are accepted: {found.alarms_per_month:g}"
    )
    if advice := found.advice():
        console.print(escape(advice), style="yellow")
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, why in found.not_rehearsed.items():
        by_reason[why].append(name)
    for why, alerts in by_reason.items():
        console.print(f"[dim]not rehearsed, {escape(why)}: {', '.join(alerts)}[/]")


def _console() -> Console:
    """Return where the result is printed: a log or a pipe has no width of its own."""
    if output.is_terminal or "COLUMNS" in os.environ:
        return output
    return Console(width=_WIDE, highlight=False)


def _table(found: Rehearsal, *, wide: bool) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("alert", no_wrap=True)
    for title in ("alarms", "a month"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("first", "last", "longest") if wide else ("first", "longest"):
        table.add_column(title, no_wrap=True)
    table.add_column("of what", overflow="fold")
    for name in found.rehearsed:
        if episodes := found.of(name):
            table.add_row(
                name,
                f"{len(episodes):,}",
                f"{found.per_month(len(episodes)):.1f}",
                _day(episodes[0].began),
                *([_day(episodes[-1].began)] if wide else []),
                _duration(max(one.seconds(found.end) for one in episodes)),
                escape(_whats(episodes)),
            )
    return table


def _whats(episodes: list[Episode]) -> str:
    counted = Counter(one.what for one in episodes if one.what).most_common()
    text = ", ".join(f"{what} {number}" for what, number in counted[:_SHOWN])
    return f"{text} and {len(counted) - _SHOWN} more" if len(counted) > _SHOWN else text


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def _duration(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    span = timedelta(seconds=round(seconds))
    hours, minutes = divmod(span.seconds // 60, 60)
    parts = [(span.days, "d"), (hours, "h"), (minutes, "min")]
    shown = [f"{number} {unit}" for number, unit in parts if number][:2]
    return " ".join(shown) or f"{span.seconds} s"
