"""Findings as Markdown, HTML of a notebook, and text of a terminal: whole, and never markup."""

from __future__ import annotations

import io
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import modelmeter as mm
from modelmeter.report.markdown import markdown_report
from modelmeter.report.summarised import Summary
from modelmeter.report.summary import summarise
from modelmeter.report.terminal import findings_view, spark
from report import example

EVIL = '<script>alert("x")</script>|[red]*a*\n# b'
VOID = {"br", "rect", "path"}


class Tags(HTMLParser):
    """Which tags there are, and that each is closed."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.text = set(), [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs), attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.found.add(tag)

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def findings(profile, observed):
    """The example's findings."""
    return summarise(profile, observed)


@pytest.fixture(scope="module")
def evil():
    """A profile and findings whose every name is an attack."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({EVIL: random.choice([EVIL, "b"], 3_000), "n": random.normal(size=3_000)})
    profile = mm.Profile.build(None, X, name=EVIL, version=EVIL)
    return profile, mm.compare(profile, X.assign(**{EVIL: EVIL}))


def terminal(findings, width):
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(findings_view(findings, width=width))
    return out.getvalue()


def test_markdown_tells_verdict_problems_and_features(findings):
    """The verdict, each problem, each feature and each figure are there."""
    text = markdown_report(findings)
    assert text.startswith("# flight-delay 7\n")
    assert "3 of 5 features drifted" in text
    assert text.count("\n- ") == len(findings["problems"])
    assert "| temp | **drift** | 0.566 | 0.05 |" in text
    assert "| pressure | **drift**, **missing** |" in text
    assert "| accuracy | 0.772 ± 0.00838 |" in text
    assert "latency median 4.48 ms, p95 9.51 ms, p99 33.5 ms" in text


def test_markdown_takes_names_as_text(evil):
    """Names are no markup, and break neither the table nor the line."""
    text = evil[1].to_markdown()
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = {line.replace("\\|", "").count("|") for line in rows}
    assert cells == {8}


def test_notebook_shows_a_summary(findings):
    """The HTML is whole, loads nothing, and tells verdict, features and figures."""
    html = Summary(findings)._repr_html_()
    tags = Tags(html)
    assert (
        tags.found <= {"div", "strong", "p", "table", "tr", "th", "td", "span", "svg", "br"} | VOID
    )
    assert "3 of 5 features drifted" in tags.text
    assert example.HOSTILE in tags.text
    assert "http" not in html
    assert "0.772" in tags.text


def test_notebook_shows_a_profile(profile, evil):
    """A profile shows its features, and names are never markup."""
    assert "roc auc 0.825" in Tags(profile._repr_html_()).text
    for shown in (evil[0], evil[1]):
        tags = Tags(shown._repr_html_())
        assert "script" not in tags.found
        assert EVIL in tags.text


def test_long_lists_are_cut():
    """Hundreds of features are counted, not listed."""
    X = np.random.default_rng(0).normal(size=(300, 200))
    profile = mm.Profile.build(None, X, name="wide", version="1")
    assert "and 170 more features" in profile._repr_html_()
    summary = mm.compare(profile, X)
    assert "and 170 more features" in summary._repr_html_()
    assert "and 150 more" in summary.to_markdown()
    assert "and 160 more features" in terminal(summary.findings, 140)


@pytest.mark.parametrize("width", [60, 80, 100, 140, 200])
def test_terminal_fits_its_width(findings, evil, width):
    """Names, states and live pictures are there at any width, and no line is wider."""
    text = terminal(findings, width)
    assert all(len(line) <= width for line in text.splitlines())
    for name in ("temp", "origin", "weekend", "y_pred"):
        [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        assert ("drift" in line) == (name != "weekend")
    assert ("training " in text.split("realised")[0].split("live")[0][-60:]) == (width >= 100)
    assert "[red]" in terminal(evil[1].findings, width)


def test_sparks_have_a_mark_for_whatever_is_there():
    """A small share is not nothing, and many bins are drawn together."""
    assert spark([]) == spark([None, 0.0]) == ""
    assert spark([1.0, 0.001, 0.0]) == "█▁ "
    assert len(spark([0.01] * 100)) <= 14


def test_summary_is_short_in_an_interpreter(findings):
    """An interpreter shows one line."""
    assert repr(Summary(findings)).startswith("<Summary of flight-delay/7: 3 of 5 features drifted")
    assert Summary(findings).to_json().startswith('{\n "schema_version": 1,')
