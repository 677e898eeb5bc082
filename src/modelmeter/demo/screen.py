"""What the demo shows: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from modelmeter.demo.closing import month_cells
from modelmeter.demo.plain import PlainScreen
from modelmeter.demo.reading import REAL_Z, FeatureReading, Reading, rate_matters
from modelmeter.demo.replay import Progress
from modelmeter.demo.summary import CONTROLS, Line, Month, performance_lines
from modelmeter.demo.words import clock, count, figure, milliseconds, percent

_STYLE = {"drift": "bold red", "small": "cyan", "quiet": "green", "no data": "dim"}
_MEANING = "drift: real (z) and large (PSI)   small: real, but too small   quiet: neither"
_BAR = " ▏▎▍▌▋▊▉█"
_SMALLEST, _LARGEST = 0.003, 30.0
_FIXED_LINES = 9
_ROOMY = 24
"""Lines of a terminal on which the months have room beside the features."""
_WORTH_SHOWING = {"missing": 0.005, "unseen": 1e-6}


class Screen(Protocol):
    """Where the demo shows how far it is."""

    def __enter__(self) -> Screen:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, leaving the terminal as it was."""

    def update(self, progress: Progress, reading: Reading, months: Sequence[Month] = ()) -> None:
        """Show where the replay is, what was measured last, and the months that are over."""


def make_screen(console: Console, source: str, window: str, seconds: float) -> Screen:
    """Return the screen that fits the console.

    Parameters
    ----------
    console
        From `make_console`.
    source
        Who measures.
    window
        What a reading looks back on, in words.
    seconds
        How long the replay takes.

    Returns
    -------
    Screen
    """
    if console.is_terminal and not console.is_dumb_terminal:
        return TerminalScreen(console, source, window, seconds)
    return PlainScreen(console, seconds)


class TerminalScreen:
    """A table that is redrawn in place.

    Parameters
    ----------
    console, source, window, seconds
        See `make_screen`.
    """

    def __init__(self, console: Console, source: str, window: str, seconds: float) -> None:
        self._console = console
        self._source, self._window, self._seconds = source, window, seconds
        self._live = Live(
            console=console, transient=True, auto_refresh=False, vertical_overflow="crop"
        )

    def __enter__(self) -> TerminalScreen:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Stopped on the way, what was seen last stays; at the end the summary takes its place.
        self._live.transient = kind is None
        self._live.__exit__(kind, error, trace)

    def update(self, progress: Progress, reading: Reading, months: Sequence[Month] = ()) -> None:
        """Redraw.

        Parameters
        ----------
        progress
            Where the replay is.
        reading
            What was measured last.
        months
            Those that are over.
        """
        self._live.update(self.draw(progress, reading, months), refresh=True)

    def draw(
        self, progress: Progress, reading: Reading, months: Sequence[Month] = ()
    ) -> RenderableType:
        """Return what is shown, no higher and no wider than the console."""
        width, height = self._console.size
        lines = performance_lines(months) if months and height >= _ROOMY else []
        head = Text("modelmeter", style="bold cyan", no_wrap=True, overflow="ellipsis")
        head.append(
            f"  flights from New York, replayed; measured by {self._source}", "dim not bold"
        )
        shown = _choose(reading, height - _FIXED_LINES - (len(lines) + 2 if lines else 0))
        below: list[RenderableType] = [Text(), _performance_table(lines, months)] if lines else []
        return Group(
            head,
            self._progress_line(progress),
            _traffic_line(reading),
            self._model_line(reading),
            _table(shown, len(reading.features), width),
            *below,
            _last_line(progress),
        )

    def _progress_line(self, progress: Progress) -> RenderableType:
        passed = progress.share * self._seconds
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(width=15)
        line.add_column(ratio=1)
        line.add_column(justify="right")
        line.add_row(
            Text(f"{progress.simulated:%a %d %b %Y}", style="bold"),
            ProgressBar(
                total=1,
                completed=progress.share,
                complete_style="cyan",
                finished_style="cyan",
            ),
            Text(f"{progress.share:4.0%}  {clock(passed)} of {clock(self._seconds)}"),
        )
        return line

    def _model_line(self, reading: Reading) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append("predicted late ", style="dim").append(percent(reading.positive))
        line.append(f" (training {percent(reading.reference_positive)})", style="dim")
        line.append(f"   window {self._window}", style="dim")
        return line


def _last_line(progress: Progress) -> Text:
    """Return what is wrong, or what the verdicts mean."""
    line = Text(no_wrap=True, overflow="ellipsis")
    if progress.failed:
        line.append(f"{progress.failed:,} flights not answered   ", style="bold red")
    if progress.left_out:
        text = f"too slow here: sampled, {progress.sampled:.0%} of the flights left out"
        line.append(text, style="bold yellow")
    return line or Text(_MEANING, style="dim", no_wrap=True, overflow="ellipsis")


def _choose(reading: Reading, room: int) -> tuple[list[FeatureReading], list[FeatureReading]]:
    """Return the movers and the controls to show in so many lines, movers cut first."""
    controls = [reading[name] for name in CONTROLS if reading.features]
    movers = [f for f in reading.movers() if f.name not in CONTROLS]
    room = max(room - len(controls), 3)
    if len(movers) > room:
        # Unseen destinations move the PSI little, and must not fall off a small screen.
        telling = [f for f in movers[room - 2 :] if f.name == "dest"]
        movers = movers[: room - 1 - len(telling)] + telling
    return movers, controls


def _table(
    shown: tuple[list[FeatureReading], list[FeatureReading]], total: int, width: int
) -> Table:
    movers, controls = shown
    bar = 20 if width >= 94 else 9
    table = Table(box=None, padding=(0, 1, 0, 0), expand=False, header_style="bold", pad_edge=False)
    table.add_column("feature", width=12, no_wrap=True)
    table.add_column("PSI", justify="right", width=7)
    table.add_column("log scale", width=bar)
    table.add_column("z", justify="right", width=5)
    table.add_column("verdict", width=8)
    table.add_column("missing (before)", justify="right", width=16)
    table.add_column("unseen", justify="right", width=8)
    for feature in movers:
        table.add_row(*_cells(feature, bar))
    hidden = total - len(movers) - len(controls)
    if hidden > 0:
        table.add_row(Text(f"… {hidden} more", style="dim"))
    if controls:
        table.add_row(Text("controls", style="dim italic"))
    for feature in controls:
        table.add_row(*_cells(feature, bar))
    return table


def _performance_table(lines: Sequence[Line], months: Sequence[Month]) -> Table:
    """Return how good the model was, by month, beside the training baseline."""
    table = Table(box=None, padding=(0, 1, 0, 0), expand=False, header_style="bold", pad_edge=False)
    table.add_column("by month", width=19, no_wrap=True)
    table.add_column("training", justify="right")
    for month in months:
        table.add_column(month.label, justify="right", width=5)
    for line in lines:
        before = "" if math.isnan(line.before) else line.words(line.before)
        table.add_row(line.label, Text(before, style="dim"), *month_cells(line))
    return table


def _cells(feature: FeatureReading, bar: int) -> list[Text]:
    style = _STYLE[feature.verdict]
    known = feature.verdict != "no data"
    return [
        Text(feature.name, style="" if feature.role == "feature" else "italic"),
        Text(figure(feature.psi_excess), style=style),
        Text(_bar(feature.psi_excess, bar), style=style),
        Text(f"{feature.z:.0f}" if known else "-", style="" if feature.z >= REAL_Z else "dim"),
        Text(feature.verdict, style=style),
        _rate_cell(feature, "missing"),
        _rate_cell(feature, "unseen"),
    ]


def _rate_cell(feature: FeatureReading, check: str) -> Text:
    score = feature.checks.get(check)
    if score is None or not max(score.rate, score.reference_rate) >= _WORTH_SHOWING[check]:
        return Text("")
    real = abs(score.z) >= REAL_Z
    style = "bold red" if rate_matters(score) else "yellow" if real else ""
    before = f" ({percent(score.reference_rate)})" if check == "missing" else ""
    return Text().append(percent(score.rate), style=style).append(before, style="dim")


def _traffic_line(reading: Reading) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(count(reading.rows_per_second)).append(" flights/s in ", style="dim")
    line.append(count(reading.requests_per_second)).append(" requests/s", style="dim")
    line.append("   median ", style="dim").append(milliseconds(reading.median_seconds))
    line.append(", 95 % in ", style="dim").append(milliseconds(reading.slow_seconds))
    line.append("   errors ", style="dim")
    bad = reading.error_ratio > 0
    line.append(percent(reading.error_ratio), style="bold red" if bad else "")
    return line


def _bar(value: float, width: int) -> str:
    """Return a bar on a logarithmic scale: PSI spans four powers of ten."""
    if math.isnan(value) or value <= _SMALLEST:
        return ""
    share = math.log(value / _SMALLEST) / math.log(_LARGEST / _SMALLEST)
    eighths = round(min(share, 1.0) * width * 8)
    return ("█" * (eighths // 8) + _BAR[eighths % 8]).rstrip()
