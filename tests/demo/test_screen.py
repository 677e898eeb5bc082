"""Tests of modelmeter.demo.screen, plain and closing: what a person sees."""

import io
import math
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from modelmeter.demo import closing
from modelmeter.demo.plain import PlainScreen, describe
from modelmeter.demo.reading import FIGURES, SOURCES, FeatureReading, Reading
from modelmeter.demo.replay import Progress
from modelmeter.demo.screen import TerminalScreen, make_screen
from modelmeter.demo.summary import Month
from modelmeter.demo.words import make_console
from modelmeter.stats.rates import RateScore

NAMES = ["temp", "dewp", "pressure", "humid", "visib", "wind_speed", "wind_gust", "precip"]
MONTHS = ["Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
PROGRESS = Progress(pd.Timestamp("2013-07-17 14:00"), share=0.4, answered=100_000)


def reading() -> Reading:
    """Return a reading with everything in it."""
    movers = [
        FeatureReading(
            "feature", name, 28_000, 18.2 / 2**i, 200 / 2**i,
            {"missing": RateScore(0.152, 0.111, 20)},
        )
        for i, name in enumerate(NAMES)
    ]  # fmt: skip
    still = [
        FeatureReading("feature", name, 28_000, 0.003, 6)
        for name in ("weekday", "distance", "hour", "carrier", "origin")
    ]
    dest = FeatureReading("feature", "dest", 28_000, 0.02, 15, {"unseen": RateScore(0.0073, 0, 20)})
    outputs = [
        FeatureReading("prediction", name, 28_000, 0.001, 1) for name in ("y_pred", "y_score")
    ]
    return Reading(
        at=0.0,
        features=(*movers, *still, dest, *outputs),
        rows_per_second=2_844.4,
        requests_per_second=18,
        error_ratio=0,
        median_seconds=0.021,
        slow_seconds=0.048,
        positive=0.081,
        reference_positive=0.072,
        performance={
            (metric, source): 0.7 + 0.01 * i
            for metric in FIGURES
            for i, source in enumerate(SOURCES)
        },
        labelled=0.972,
    )


def drawn(
    width: int,
    height: int,
    progress: Progress = PROGRESS,
    shown: Reading | None = None,
    months: int = 0,
):
    """Return the lines that a terminal of that size shows."""
    console = Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None,
        legacy_windows=False,
    )  # fmt: skip
    screen = TerminalScreen(console, "Prometheus", "10 s = 31 days", 90)
    with console.capture() as capture:
        past = [Month(name, reading(), 0.2) for name in MONTHS[:months]]
        console.print(screen.draw(progress, shown or reading(), past))
    return capture.get().splitlines()


@pytest.mark.parametrize("months", [0, 9])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 40), (200, 60), (80, 16)])
def test_fits_the_terminal(width: int, height: int, months: int):
    """Nothing is wider or higher than the terminal."""
    lines = drawn(width, height, months=months)
    assert max(map(len, lines)) <= width
    assert len(lines) < height


def test_everything_is_there():
    """Date, progress, traffic, latency, drift, rates and controls can be read off."""
    text = "\n".join(drawn(100, 40))
    for expected in (
        "Wed 17 Jul 2013", "40%  0:36 of 1:30", "2,844 flights/s in 18 requests/s",
        "median 21 ms, 95 % in 48 ms", "errors 0%", "predicted late 8.1% (training 7.2%)",
        "window 10 s = 31 days", "15.2% (11.1%)", "0.73%",
    ):  # fmt: skip
        assert expected in text
    rows = {line.split()[0]: line.split() for line in drawn(100, 40) if line.strip()}
    assert rows["temp"][1] == "18.2"
    assert rows["temp"][3:5] == ["200", "drift"]
    assert "small" in rows["hour"]
    assert "quiet" in rows["y_pred"]


def test_months_stand_below():
    """How good the model was in the months that are over stands beside training."""
    lines = drawn(100, 40, months=3)
    first = next(i for i, line in enumerate(lines) if line.startswith("by month"))
    assert lines[first].split() == ["by", "month", "training", "Apr", "May", "Jun"]
    assert lines[first + 1].split() == ["accuracy", "estimated", "0.720", *["0.700"] * 3]
    assert lines[first + 4].split() == ["AUC", "realised", "0.720", *["0.710"] * 3]
    assert lines[first + 5].split() == ["with", "a", "label", *["97.2%"] * 3]


def test_movers_first_controls_last():
    """The top mover heads the table; the controls are its end."""
    lines = drawn(100, 40)
    first = next(i for i, line in enumerate(lines) if line.startswith("feature"))
    assert lines[first + 1].startswith("temp")
    assert [line.split()[0] for line in lines[-5:-1]] == ["controls", "hour", "carrier", "origin"]


def test_small_screen_keeps_what_tells():
    """On a small screen the least moved are cut, but neither controls nor unseen categories."""
    lines = drawn(80, 18)
    text = "\n".join(lines)
    assert "… " in text
    assert "0.73%" in text
    for name in ("temp", "dest", "hour", "carrier", "origin"):
        assert any(line.startswith(name) for line in lines), name


def test_sampling_is_said():
    """When flights are left out, or not answered, the screen says so at any size."""
    progress = replace(PROGRESS, left_out=25_000, failed=70)
    lines = drawn(80, 24, progress)
    assert "70 flights not answered" in lines[-1]
    assert "20% of the flights left out" in lines[-1]


def test_nothing_known_yet():
    """Before the first reading there are dashes."""
    lines = drawn(80, 24, shown=Reading(0.0))
    assert "- flights/s" in "\n".join(lines)


def test_unknown_scores_are_dashes():
    """A feature without data has neither score nor verdict."""
    feature = FeatureReading("feature", "temp", 0, math.nan, math.nan)
    lines = drawn(100, 40, shown=Reading(0.0, (feature,)))
    assert any(line.split()[:4] == ["temp", "-", "-", "no"] for line in lines if line.strip())


def test_files_get_plain_lines():
    """Off a terminal the screen writes plain lines, not a table."""
    assert isinstance(make_screen(make_console(io.StringIO()), "x", "x", 90), PlainScreen)


def test_terminals_get_a_table():
    """On a terminal the screen is redrawn in place."""
    console = Console(file=io.StringIO(), force_terminal=True)
    assert isinstance(make_screen(console, "x", "x", 90), TerminalScreen)


def test_plain_line_says_the_same():
    """A plain line has date, traffic, drift, controls, and what is left out."""
    line = describe(replace(PROGRESS, left_out=25_000, failed=70), reading())
    assert "\x1b" not in line
    assert line == (
        "17 Jul 2013  40% | 2,844 flights/s, median 21 ms | "
        "drift: temp 18.2, dewp 9.10, pressure 4.55, humid 2.27 | "
        "controls: hour 0.003, carrier 0.003, origin 0.003 | pressure missing 15.2% | "
        "dest unseen 0.73% | sampled: 20% of the flights left out to keep up | "
        "70 flights not answered"
    )


def test_plain_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch):
    """Not every update is a line: a log gets about eighteen."""
    now = 0.0
    monkeypatch.setattr("modelmeter.demo.plain.time.monotonic", lambda: now)
    file = io.StringIO()
    with PlainScreen(make_console(file), 90) as screen:
        for tick in range(360):
            now = tick / 4
            screen.update(PROGRESS, reading())
    assert 15 <= len(file.getvalue().splitlines()) <= 18


@pytest.mark.parametrize("terminal", [True, False])
def test_summary_fits_eighty_columns(terminal: bool):
    """The table of nine months, controls apart, is at most 80 wide; the findings follow."""
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=terminal, color_system=None, width=80, legacy_windows=False
    )
    labels = ["Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    closing.show(console, [Month(label, reading(), 0.279) for label in labels], "Prometheus")
    lines = file.getvalue().splitlines()
    table = lines[: lines.index("")]
    assert max(map(len, table)) <= 80
    assert table[1].split() == ["train", *labels]
    assert table[2].split() == ["temp", *["18.2"] * 9]
    assert sum(line.startswith("✓") for line in lines) == 5
    assert lines[-1] == "All of it is what the data holds."


def test_summary_says_what_is_not_expected():
    """Readings that are not what the data holds are called that."""
    file = io.StringIO()
    calm = replace(reading(), features=(FeatureReading("feature", "temp", 10, 0.001, 0),))
    closing.show(make_console(file), [Month("Apr", calm)], "Prometheus")
    assert "✗" in file.getvalue()
    assert "Not all of it is what the data holds" in file.getvalue()


def test_summary_of_nothing():
    """Nothing measured is said, not an empty table."""
    file = io.StringIO()
    closing.show(make_console(file), [], "Prometheus")
    assert file.getvalue() == "Nothing was measured.\n"
