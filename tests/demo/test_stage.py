"""Tests of modelmeter.demo.stage; what it starts is tested by test_run."""

import pytest

from modelmeter.demo.stage import Pace
from modelmeter.generate.durations import format_duration
from modelmeter.generate.timing import plan_timing


@pytest.mark.parametrize(
    ("seconds", "scrape", "window"),
    [(5, "500ms", "3s"), (20, "500ms", "3s"), (90, "500ms", "10s500ms"), (900, "5s", "1m45s"),
     (3_600, "15s", "7m")],
)  # fmt: skip
def test_pace_fits_the_time(seconds: float, scrape: str, window: str):
    """A window is a month, and at least six scrapes: Prometheus can work with it."""
    pace = Pace(seconds)
    assert (format_duration(pace.scrape), format_duration(pace.window)) == (scrape, window)
    plan_timing([window], scrape_interval=scrape, evaluation_interval=scrape)


def test_days_of_the_window():
    """At ninety seconds a window of ten and a half is a month."""
    assert Pace(90).days == pytest.approx(32.1, abs=0.1)
