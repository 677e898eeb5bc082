"""The harness itself: it never skips, and says what is wrong."""

from __future__ import annotations

import pytest

from real.prometheus import Prometheus, promtool, require
from real.replica import Replica
from real.server import wait_for


def test_missing_program_is_an_error(monkeypatch, tmp_path):
    """Without the binary a test fails with how to install it, it is not skipped."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for start in (lambda: require("promtool"), lambda: Prometheus(tmp_path).start()):
        with pytest.raises(RuntimeError, match="apt-get install prometheus"):
            start()


def test_configuration_that_is_wrong_shows_the_log(tmp_path):
    """When Prometheus does not start, its own words are in the error."""
    (tmp_path / "prometheus.yml").write_text("nonsense: true\n")
    with pytest.raises(RuntimeError, match="field nonsense not found"):
        Prometheus(tmp_path).start()
    with pytest.raises(AssertionError, match="field nonsense not found"):
        promtool("check", "config", tmp_path / "prometheus.yml")


def test_scrape_query_and_range(tmp_path):
    """What a replica says can be asked for, now and over time."""
    with Replica(lambda: b'# TYPE x gauge\nx{a="b"} 3\n') as replica:
        (tmp_path / "prometheus.yml").write_text(
            "scrape_configs:\n  - job_name: j\n    scrape_interval: 1s\n"
            f"    static_configs: [{{targets: ['{replica.target}']}}]\n"
        )
        with Prometheus(tmp_path) as prometheus:
            (found,) = prometheus.wait_for("x == 3")
            assert (found.labels["a"], found.value) == ("b", 3)
            assert prometheus.value("1 + 1") == 2
            assert prometheus.problems() == ""
            replica.wait_for_scrapes(1)
            start, end = found.time - 1, found.time
            (line,) = prometheus.query_range("x", start=start, end=end, step=0.5)
            assert {value for _, value in line.points} == {3}
            with pytest.raises(RuntimeError, match="parse error"):
                prometheus.query("x +")
        assert prometheus.log == ""


def test_waiting_in_vain_says_for_what():
    """At the deadline the error names what did not come, and why."""
    with pytest.raises(AssertionError, match="in vain for rain\nno cloud"):
        wait_for(lambda: False, seconds=0, what="rain", explain=lambda: "no cloud")
