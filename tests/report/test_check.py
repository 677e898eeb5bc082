"""Checks: what fails, what passes, what cannot be told, and how machines read it."""

from __future__ import annotations

import copy
import json
import re
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

import modelmeter as mm
from modelmeter._errors import ConfigurationError
from modelmeter.report.check import check_findings
from modelmeter.report.machines import github, junit
from modelmeter.report.problems import CHECKS
from modelmeter.report.summary import summarise
from report import example

CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase", "system-out", "system-err"],
    "properties": ["property"],
    "testcase": ["skipped", "error", "failure"],
}
REQUIRED = {
    "testsuite": ["name", "timestamp", "hostname", "tests", "failures", "errors", "time", "id"],
    "property": ["name", "value"],
    "testcase": ["name", "classname", "time"],
    "failure": ["message", "type"],
    "error": ["message", "type"],
}


def check_junit(text):
    """Check what the schema of Ant's JUnit reports asks for: order, attributes, counts."""
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        tags = [child.tag for child in element]
        allowed = CHILDREN.get(element.tag, [])
        assert set(tags) <= set(allowed), (element.tag, tags)
        assert tags == sorted(tags, key=allowed.index)
        assert set(REQUIRED.get(element.tag, ())) <= set(element.attrib), element.tag
    suite = root.find("testsuite")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases)
    for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.get(name)) == len(suite.findall(f"testcase/{kind}"))
    assert all(len(case) <= 1 for case in cases)
    return {(c.get("classname"), c.get("name")): [k.tag for k in c] for c in cases}


@pytest.fixture(scope="module")
def findings(profile, observed):
    """The example's findings."""
    return summarise(profile, observed)


@pytest.fixture(scope="module")
def numbers():
    """A profile of one number, and rows like those it is of."""
    X = pd.DataFrame({"x": np.random.default_rng(0).normal(size=5_000)})
    return mm.Profile.build(None, X, name="numbers", version="1"), X


def test_everything_counts_by_default(findings):
    """Without a choice every problem fails the check."""
    checked = check_findings(findings)
    assert checked.exit_code == 1
    assert len(checked.failed) == len(findings["problems"])
    assert checked.text.startswith("flight-delay/7: 3 of 5 features drifted")


def test_only_what_is_named_counts(findings):
    """Problems of other checks are told, and fail nothing."""
    checked = check_findings(findings, ["unseen"])
    assert [one["check"] for one in checked.failed] == ["unseen"]
    assert len(checked.others) == len(findings["problems"]) - 1
    assert check_findings(findings, ["invalid", "schema"]).exit_code == 0


@pytest.mark.parametrize("fail_on", [["drift", "drifts"], [], "missing,unseen"])
def test_checks_that_do_not_exist_are_refused(findings, fail_on):
    """A misspelt check would never fail: it is an error that lists them all."""
    with pytest.raises(ConfigurationError, match=r"fail_on names checks, .*: canary, "):
        check_findings(findings, fail_on)


def test_the_function_passes_and_fails(numbers):
    """In a test, good rows give a summary, bad ones an assertion that says what is wrong."""
    profile, X = numbers
    assert mm.check(profile, X).state == "ok"
    with pytest.raises(
        AssertionError, match=r"(?s)numbers/1: 1 of 1 feature drifted.*- drift: x d"
    ):
        mm.check(profile, X + 1)
    assert mm.check(profile, X + 1, fail_on=["missing"]).state == "alarm"


def test_too_few_rows_cannot_be_told(numbers):
    """A few rows pass no check: nothing that matters would have been seen."""
    profile, X = numbers
    findings = mm.compare(profile, X[:20]).findings
    checked = check_findings(findings)
    assert (checked.exit_code, checked.cannot_tell) == (2, ["drift"])
    with pytest.raises(AssertionError, match="cannot tell drift of numbers/1 from 20 rows"):
        mm.check(profile, X[:20])


def test_performance_that_is_asked_for_needs_labels(findings, numbers):
    """Asking for performance where there is no truth, or too little, is not passed."""
    profile, X = numbers
    checked = check_findings(mm.compare(profile, X).findings, ["performance"])
    assert (checked.exit_code, checked.cannot_tell) == (2, ["performance"])
    changed = copy.deepcopy(findings)
    [judged] = [m for m in changed["performance"]["metrics"] if m["judged"]]
    for state, code in (("few_rows", 2), ("ok", 0)):
        judged["realised"]["state"] = state
        assert check_findings(changed, ["performance"]).exit_code == code


@pytest.mark.parametrize("fail_on", [None, ["drift"], ["unseen", "missing"]])
def test_junit_is_as_its_schema_asks(findings, fail_on):
    """A test case for each check and feature, failed, skipped or passed; names may be anything."""
    cases = check_junit(junit(check_findings(findings, fail_on)))
    assert cases["modelmeter.unseen", "origin"] == (
        ["failure"] if fail_on is None or "unseen" in fail_on else ["skipped"]
    )
    if fail_on is None:
        assert cases["modelmeter.drift", example.HOSTILE] == []
        assert cases["modelmeter.drift", "temp"] == ["failure"]


def test_junit_says_what_cannot_be_told(numbers):
    """Too few rows are an error, not a pass; characters that XML cannot hold are replaced."""
    profile, X = numbers
    cases = check_junit(junit(check_findings(mm.compare(profile, X[:20]).findings)))
    assert cases["modelmeter.drift", "drift"] == ["error"]
    odd = X.rename(columns={"x": "a\x00\x1b]b"})
    strange = mm.Profile.build(None, odd, name="a\x01b", version="1")
    cases = check_junit(junit(check_findings(mm.compare(strange, odd).findings)))
    assert ("modelmeter.drift", "a\ufffd\ufffd]b") in cases


def test_github_gets_one_annotation_a_line(findings):
    """Errors for what counts, warnings for the rest; no name can begin a command of its own."""
    lines = github(check_findings(findings, ["unseen"])).splitlines()
    assert lines[0].startswith("::error title=modelmeter%3A unseen origin::3 %25 of origin")
    assert {line.partition(" ")[0] for line in lines} == {"::error", "::warning", "::notice"}
    X = pd.DataFrame({"a\n::error::b,c": np.random.default_rng(0).normal(size=5_000)})
    profile = mm.Profile.build(None, X, name="x", version="1")
    text = github(check_findings(mm.compare(profile, X + 1).findings))
    assert all(line.startswith("::") for line in text.splitlines())
    assert "::error::" not in text.replace("%3A%3Aerror%3A%3A", "").replace("\\n::error::", "")


def test_github_says_what_cannot_be_told(numbers):
    """Too few rows are an error."""
    profile, X = numbers
    text = github(check_findings(mm.compare(profile, X[:20]).findings))
    assert text.startswith("::error title=modelmeter%3A numbers::cannot tell drift")


def test_the_document_is_json(findings):
    """The outcome and its findings are plain JSON."""
    document = json.loads(json.dumps(check_findings(findings).document(), allow_nan=False))
    assert document["exit_code"] == 1
    assert document["findings"]["verdict"] == findings["verdict"]
    assert set(CHECKS) == set(document["fail_on"])
