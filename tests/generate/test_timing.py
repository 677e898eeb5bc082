"""Durations, windows and intervals that fit each other, or a refusal that says why not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelmeter._errors import ConfigurationError
from modelmeter.generate.durations import format_duration, parse_duration
from modelmeter.generate.timing import plan_timing


@given(st.integers(1, 10**12))
def test_durations_survive_writing_and_reading(milliseconds):
    """Any duration is read back as it was."""
    assert parse_duration(format_duration(milliseconds), field="x") == milliseconds


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("15s", 15_000), ("1h30m", 5_400_000), ("2w", 1_209_600_000), ("1d", 86_400_000), ("5ms", 5)],
)
def test_durations_are_those_of_prometheus(text, milliseconds):
    """Every unit that Prometheus knows, from large to small."""
    assert parse_duration(text, field="window") == milliseconds


@pytest.mark.parametrize("text", ["", "0s", "5", "1.5h", "5 m", "-1h", "1m1h", "1h\n", None, 60])
def test_what_is_no_duration_is_refused(text):
    """The error names the setting and echoes what came."""
    with pytest.raises(ConfigurationError, match="scrape_interval must be") as error:
        parse_duration(text, field="scrape_interval")
    assert repr(text) in str(error.value)


def plan(*windows, scrape="15s", evaluation=None):
    return plan_timing(windows, scrape_interval=scrape, evaluation_interval=evaluation)


def test_windows_are_built_from_the_shortest_that_fits():
    """Multiples add up what the shortest recorded; others read the counters."""
    found = {w.text: w.base and w.base.text for w in plan("24h", "1h", "90m", "7d").windows}
    assert found == {"1h": None, "90m": None, "24h": "1h", "7d": "1h"}
    found = {w.text: w.base and w.base.text for w in plan("1h", "90m", "3h").windows}
    assert found == {"1h": None, "90m": None, "3h": "1h"}


def test_window_that_is_no_multiple_of_the_interval_reads_the_counters():
    """Adding up needs a whole number of evaluations in a window."""
    timing = plan("100s", "200s", scrape="5s", evaluation="40s")
    assert [w.base and w.base.text for w in timing.windows] == [None, "100s"]
    timing = plan("100s", "300s", scrape="5s", evaluation="40s")
    assert [w.base for w in timing.windows] == [None, None]


@pytest.mark.parametrize(
    ("window", "interval"),
    [("1h", 60_000), ("10m", 60_000), ("5m", 30_000), ("30s", 2_000), ("10s", 1_000), ("4s", 400)],
)
def test_evaluation_interval_follows_the_shortest_window(window, interval):
    """At least ten evaluations fit in a window, and at most one a minute is made."""
    assert plan(window, scrape="1s").evaluation_interval == interval


@pytest.mark.parametrize(
    ("windows", "scrape", "signal"),
    [(["1h", "24h"], "15s", "5m"), (["30s"], "1s", "30s"), (["1h"], "2m", "8m")],
)
def test_signals_look_back_over_at_least_four_scrapes(windows, scrape, signal):
    """Rates and latencies are of five minutes, shorter where everything is shorter."""
    assert plan(*windows, scrape=scrape).signal_window == signal


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"windows": "1h"}, "windows"),
        ({"windows": []}, "windows"),
        ({"windows": ["1h", "60m"]}, "windows"),
        ({"windows": ["hour"]}, "windows"),
        ({"windows": ["20s"], "scrape_interval": "15s"}, "scrape_interval"),
        ({"scrape_interval": "often"}, "scrape_interval"),
        ({"windows": ["10m"], "evaluation_interval": "6m"}, "evaluation_interval"),
        ({"windows": ["24h"], "evaluation_interval": "10m"}, "evaluation_interval"),
        ({"evaluation_interval": "0s"}, "evaluation_interval"),
    ],
)
def test_settings_that_do_not_fit_are_refused(arguments, field):
    """The error starts with the name of the setting that cannot work."""
    usual = {"windows": ["1h"], "scrape_interval": "15s", "evaluation_interval": None}
    chosen = {**usual, **arguments}
    with pytest.raises(ConfigurationError, match=f"^{field} must"):
        plan_timing(chosen.pop("windows"), **chosen)
