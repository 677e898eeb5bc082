"""What alerts say: names, values, what is normal, links; whatever things are called."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from generate.alerting import Case, check, only
from generate.conftest import make_profile
from generate.test_alarms import NAMES as KINDS
from generate.test_alarms import Seen
from modelmeter import names as metrics
from modelmeter.cli import app
from modelmeter.generate.alerts import names, words
from modelmeter.generate.alerts.rules import FAMILIES, alert_rules
from modelmeter.generate.dashboards.ids import (
    MODEL_PANELS,
    OVERVIEW_PANELS,
    OVERVIEW_UID,
    model_uid,
)
from modelmeter.generate.rulefile import render
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.series import RATE, REFERENCE_RATE
from modelmeter.generate.settings import Settings
from modelmeter.generate.stack import ALERTS_FILE, RULES_FILE, files
from real.prometheus import promtool

ODD = 'a "b" {{ c }} \\d `e` <b>&amp;</b> ü\n%s'
SETTINGS = Settings(scrape_interval="1m", windows=("10m", "1h"))
ALL = sorted(names.AREA_OF)


def described(profile, **options):
    groups = alert_rules([profile], Settings(**options))
    return [alert for group in groups for alert in group.rules]


def test_every_alert_is_made_but_those_of_batches(profile):
    """Names, areas and severities are those of the list that notifications are grouped by."""
    found = described(profile)
    assert {alert.alert for alert in found} == set(ALL) - set(names.BATCHES)
    for alert in found:
        assert alert.labels["area"] == names.AREA_OF[alert.alert]
        assert alert.labels["severity"] in names.SEVERITIES
        assert alert.labels["job"] == "modelmeter"


def test_every_alert_says_what_where_and_what_is_normal(profile):
    """A summary of one line, a description in sentences, a dashboard, a page to read on."""
    panels = {*MODEL_PANELS.values(), *OVERVIEW_PANELS.values()}
    for alert in described(profile, runbook_url="https://wiki/runbook"):
        texts = alert.annotations
        assert set(texts) == {"summary", "description", "dashboard_url", "runbook_url"}
        assert "\n" not in texts["summary"]
        assert re.search(r"\{\{ \$labels\.(model|job|rule_group) ", texts["summary"])
        assert re.search(r"[.})]$", texts["description"])
        assert texts["runbook_url"] == f"https://wiki/runbook#{alert.alert.lower()}"
        panel = re.search(r"viewPanel=panel-(\d+)&", texts["dashboard_url"])
        assert int(panel[1]) in panels
        assert not re.search(r"\b(PSI|z-score|p-value|sigma|quantile|variance)\b", str(texts))


def test_promtool_accepts_the_file_and_knows_no_duplicate(profile, tmp_path):
    """For one window or three, with further labels, any job, several models of every task."""
    regression = replace(
        profile, name=ODD, model=replace(profile.model, task="regression", classes=())
    )
    several = [profile, make_profile("2"), regression]
    for options in (
        {"windows": ("1h",)},
        {"windows": ("1h", "24h", "7d"), "keep_labels": ("cluster",), "job": '{{ "x" }} `'},
        {"scrape_interval": "10m"},
    ):
        text = files(several, Settings(**options))[ALERTS_FILE]
        (tmp_path / "alerts.yml").write_text(text)
        assert "SUCCESS" in promtool("check", "rules", tmp_path / "alerts.yml")
        assert files(reversed(several), Settings(**options))[ALERTS_FILE] == text
        for group in yaml.safe_load(text)["groups"]:
            assert group["name"].startswith("modelmeter_alerts_")


def missing(feature, **labels):
    """A tenth missing where 2 % are normal, as the rules record it."""
    one = {"role": "feature", "feature": feature, "check": "missing", "segment": ""} | labels
    case = Case("missing")
    for series, value in (
        (RATE, 0.1),
        ("model_feature:rate_state", 1),
        ("model_feature:rate_z", 9),
    ):
        name = series if isinstance(series, str) else series.name
        case.sees(name, f"{value}+0x40", **one, window="10m")
    return case.sees(REFERENCE_RATE.name, "0.02+0x40", **one), one


@pytest.mark.parametrize("odd", [ODD, "航班/延误 #1?&=+%", "plain"])
def test_texts_and_links_are_right_whatever_things_are_called(profile, tmp_path, odd):
    """Quotes, braces, HTML, line breaks and other scripts come through as they are."""
    named = replace(profile, name=odd, version=odd)
    known = {"model": odd, "version": odd, "cluster": odd}
    case, one = missing(odd, **known)
    settings = replace(SETTINGS, keep_labels=("cluster",), job='a "{{ job }}"')
    groups = only(alert_rules([named], settings), names.FEATURE_MISSING)
    labels = {
        **{name: text for name, text in one.items() if text},
        "alertname": names.FEATURE_MISSING,
        "severity": "warning",
        "area": "data",
        "job": 'a "{{ job }}"',
        "window": "10m",
    }
    url = (
        f"http://localhost:3000/d/{model_uid(odd)}?viewPanel=panel-{MODEL_PANELS['feature-missing']}"
        f"&var-keep_cluster={quoted(odd)}&var-version={quoted(odd)}&var-feature={quoted(odd)}"
        "&var-window=10m&from=now-24h&to=now"
    )
    assert parse_qs(urlsplit(url).query)["var-feature"] == [odd]
    texts = groups[0].rules[0].annotations
    case.says(
        names.FEATURE_MISSING,
        "20m",
        labels,
        {
            "summary": f"{odd} version {odd}: {odd} is missing in 10% of the rows of the last 10m; "
            "normal is 2%",
            "description": texts["description"],
            "dashboard_url": url,
            "runbook_url": "docs/runbook.md#modelfeaturemissing",
        },
    )
    check(tmp_path, groups, [case])


def quoted(text):
    """Quote as Go does in a query."""
    from urllib.parse import quote_plus

    return quote_plus(text, safe="")


def test_drift_names_the_bins_that_moved_most(profile, tmp_path):
    """From scraped counters on: the largest first, three at most, each with both shares."""
    trained = (4000, 4000, 2000, 0, 0, 0)
    live = (100, 500, 300, 95, 5, 0)
    drifted = Seen(ODD, trained, live, kinds=KINDS)
    same = Seen("same", trained, (400, 400, 200, 0, 0, 0), kinds=KINDS)
    case = Case("drift")
    inputs = case.document()["input_series"]
    for feature in (drifted, same):
        inputs += list(feature.series("flight-delay"))
    alert = names.FEATURE_DRIFT
    case.fires(alert, "45m", number=1).silent(alert, "45m", feature="same")
    unseen = Case("unseen")
    unseen.document()["input_series"].extend(inputs)
    unseen.fires(names.FEATURE_UNSEEN, "26m", window="10m", feature=ODD).silent(alert, "45m")
    rules = recording_rules(scrape_interval="1m", windows=("10m", "1h"), evaluation_interval="1m")
    groups = alert_rules([profile], SETTINGS)
    case.says(
        alert,
        "45m",
        {
            "alertname": alert,
            "severity": "warning",
            "area": "data",
            "job": "modelmeter",
            "model": "flight-delay",
            "version": "1",
            "role": "feature",
            "feature": ODD,
            "check": "drift",
            "window": "1h",
        },
        {
            "summary": f"flight-delay version 1: the values of {ODD} have changed: 29.85% of the "
            "rows of the last 1h lie elsewhere than in training",
            "description": "The drift score is 1.20; up to 0.05 is normal. What moved most:\n"
            "- bin 3: 0.004999% of rows in training, 9.453% now\n"
            "- bin 0: 39.99% of rows in training, 10.15% now\n"
            "- bin 2: 20% of rows in training, 29.95% now",
            "dashboard_url": f"http://localhost:3000/d/{model_uid('flight-delay')}?viewPanel=panel-"
            f"{MODEL_PANELS['feature-bins']}&var-version=1&var-feature={quoted(ODD)}&var-window=1h"
            "&from=now-24h&to=now",
            "runbook_url": "docs/runbook.md#modelfeaturedrift",
        },
    )
    needed = only(rules[:1], *(rule.record for rule in rules[0].rules))
    check(tmp_path, [*needed, *only(groups, alert)], [case])
    # The unseen value says it already.
    check(tmp_path, [*needed, *only(groups, alert, names.FEATURE_UNSEEN)], [unseen])


def test_a_process_names_the_models_that_it_serves(profile, tmp_path):
    """A saturated process has no model; its text says which are concerned."""
    service = {"job": "modelmeter", "instance": "a"}
    case = Case("busy").sees(
        metrics.THREADPOOL_BUSY.name, "0.95+0x30", model=None, version=None, **service
    )
    for version in ("1", "2"):
        case.sees(metrics.MODEL_INFO.name, "1+0x30", **service, version=version)
    groups = only(alert_rules([profile], SETTINGS), names.SATURATED)
    labels = {
        **service,
        "alertname": names.SATURATED,
        "severity": "warning",
        "area": "service",
        "resource": "threads",
    }
    case.says(
        names.SATURATED,
        "15m",
        labels,
        {
            "summary": "Service modelmeter on a: 95% of the worker threads are busy; normal is "
            "less than 90%",
            "description": "The fullest of its worker processes, for ten minutes. When all are "
            "busy further requests wait, however idle the processor is. Models: flight-delay "
            "version 1, flight-delay version 2.",
            "dashboard_url": f"http://localhost:3000/d/{OVERVIEW_UID}?viewPanel=panel-"
            f"{OVERVIEW_PANELS['saturation']}&var-job=modelmeter&from=now-24h&to=now",
            "runbook_url": "docs/runbook.md#modelsaturated",
        },
    )
    check(tmp_path, groups, [case])


def test_models_without_a_dashboard_link_to_the_overview():
    """Rules hold for every model that is scraped, also for one without a profile here."""
    assert words.one_of("model", {}, "overview") == "overview"
    assert words.one_of("model", {"a": "x"}) == (
        '{{ if eq $labels.model "a" }}x{{ else }}{{ $labels.model }}{{ end }}'
    )


def test_alerts_in_yaml_are_the_alerts(profile):
    """What is read back from the file is what was written: expressions, texts, labels."""
    groups = alert_rules([replace(profile, name=ODD)], Settings(job=" x: {{ # "))
    read = yaml.safe_load(render(groups))["groups"]
    assert [rule for group in read for rule in group["rules"]] == [
        alert.fields() for group in groups for alert in group.rules
    ]
    assert [group["name"] for group in read] == [f"modelmeter_alerts_{name}" for name in FAMILIES]


def test_options_of_the_command_line_reach_the_rules(profile, tmp_path):
    """What is promised, what matters, and where links lead are options of `modelmeter generate`."""
    replace(profile, unmeasured="no rows").save(tmp_path / "p.json")
    options = {
        "--availability": "0.999",
        "--latency": "0.97",
        "--latency-seconds": "0.25",
        "--smallest-loss": "0.03",
        "--smallest-coverage": "0.2",
        "--grafana-url": "https://grafana/",
        "--runbook-url": "https://wiki/runbook",
    }
    words_of = [word for option in options.items() for word in option]
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["generate", "--profile", str(tmp_path / "p.json"), "--out", str(out), *words_of]
    )
    assert done.exit_code == 0, done.output
    alerts, rules = ((out / name).read_text() for name in (ALERTS_FILE, RULES_FILE))
    for text in (
        "failed; normal is at most 0.1%",
        "took longer than 0.25 s; normal is at most 3%",
        ">= 0.2",
        "https://grafana/d/modelmeter-overview?viewPanel=",
        "https://wiki/runbook#modeltargetdown",
    ):
        assert text in alerts
    assert 'loss{metric!="mae"} > 0.03' in rules
    assert 'le=~"0[.]25"' in rules
