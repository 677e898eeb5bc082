"""The runbook: a section for every alert, and queries that Prometheus can answer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from modelmeter import names as metrics
from modelmeter.generate import series
from modelmeter.generate.alerts import names
from modelmeter.generate.alerts.rules import alert_rules
from modelmeter.generate.settings import Settings
from real.prometheus import promtool

PAGE = Path(__file__).parents[2] / "docs" / "runbook.md"
SECTIONS = dict(
    re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
)
PARTS = ("What it means.", "How to check.", "What to do.", "When it is a false alarm.")
QUERY = re.compile(r"```promql\n(.*?)```", re.DOTALL)
# Of Prometheus and of the Pushgateway.
FOREIGN = {
    "up",
    "push_time_seconds",
    "prometheus_rule_group_last_duration_seconds",
    "prometheus_rule_group_interval_seconds",
}


def test_every_alert_has_a_section_and_every_section_an_alert():
    """In the order of the list of alerts, each once."""
    assert list(SECTIONS) == [name for area in names.AREAS.values() for name in area]
    assert len(re.findall("^## ", PAGE.read_text(), re.MULTILINE)) == len(SECTIONS)


@pytest.mark.parametrize("alert", names.AREA_OF)
def test_every_section_says_what_to_know(alert):
    """What it means, how to check (with queries), what to do, when it is a false alarm."""
    found = re.findall(r"^\*\*(.+?)\*\*", SECTIONS[alert], re.MULTILINE)
    assert tuple(found) == PARTS
    checks = SECTIONS[alert].partition("**How to check.**")[2].partition("**What to do.**")[0]
    assert QUERY.search(checks)
    assert "<!--" not in SECTIONS[alert]


def test_links_between_sections_lead_somewhere():
    """Anchors are the names of alerts in lower case, as those in notifications are."""
    anchors = {name.lower() for name in SECTIONS}
    assert set(re.findall(r"\]\(#(\w+)\)", PAGE.read_text())) <= anchors
    texts = json.dumps(
        [alert.fields() for group in alert_rules([], Settings()) for alert in group.rules]
    )
    assert set(re.findall(r"runbook\.md#(\w+)", texts)) <= anchors


def test_queries_run(tmp_path):
    """Prometheus understands every query, and finds nothing where there is nothing."""
    queries = QUERY.findall(PAGE.read_text())
    assert len(queries) >= len(SECTIONS)
    (tmp_path / "rules.yml").write_text("groups: []")
    tests = [
        {"expr": f"({query.strip()}) or up", "eval_time": "1m", "exp_samples": [SAMPLE]}
        for query in queries
    ]
    document = {
        "rule_files": ["rules.yml"],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": 'up{job="modelmeter"}', "values": "0 0 0"}],
                "promql_expr_test": tests,
            }
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps(document))
    promtool("test", "rules", tmp_path / "test.yml")


SAMPLE = {"labels": 'up{job="modelmeter"}', "value": 0}


def test_queries_ask_for_what_is_there():
    """Every series in a query is exported or recorded, with the labels that it is asked for."""
    known = {metric.name: set(metric.labels) for metric in metrics.ALL}
    for one in series.ALL:
        known[one.name] = {*series.LEVELS[one.name.partition(":")[0]], *one.labels, "segment"}
    for query in QUERY.findall(PAGE.read_text()):
        asked = re.findall(
            r"\b((?:model|http|modelmeter|process)\w*(?::\w+|_\w+))(?:\{([^}]*)\})?", query
        )
        for name, matchers in asked:
            if name in FOREIGN:
                continue
            assert name in known, query
            assert set(re.findall(r"(\w+)(?:=|!=|=~)\"", matchers)) <= known[name], query


def test_areas_are_apart():
    """Every alert is in one area, and has one name."""
    listed = [name for area in names.AREAS.values() for name in area]
    assert len(set(listed)) == len(listed) == len(names.AREA_OF)
    assert all(re.fullmatch("Model[A-Z][A-Za-z]+", name) for name in listed)
