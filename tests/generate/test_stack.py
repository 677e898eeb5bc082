"""Generated files: accepted by Prometheus, the same every time, and refused with a reason."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from generate.conftest import make_profile
from modelmeter._errors import ConfigurationError
from modelmeter.generate.alertmanager import ALERTMANAGER_FILE, TEMPLATE_FILE
from modelmeter.generate.compose import COMPOSE_FILE, PROMETHEUS_INSIDE_FILE
from modelmeter.generate.dashboards.ids import OVERVIEW_UID, model_uid
from modelmeter.generate.rulefile import Group, Rule, render
from modelmeter.generate.settings import Settings
from modelmeter.generate.stack import (
    ALERTS_FILE,
    PROMETHEUS_FILE,
    RULES_FILE,
    files,
    generate,
)
from real.prometheus import Prometheus, promtool

GOLDEN = Path(__file__).parent / "golden"


def without_version(text):
    """The writer's version, and so the hash of what it wrote, change with every release."""
    text = re.sub("modelmeter.files: '?[0-9a-f]+'?", "modelmeter.files: HASH", text)
    return re.sub(r"modelmeter [0-9.]+\w*,", "modelmeter VERSION,", text, count=1)


def test_prometheus_accepts_what_is_generated(profile, tmp_path):
    """Promtool finds no fault with the configuration and the rules that it names."""
    token = tmp_path / "token"
    token.write_text("secret")
    written = generate(
        [profile, make_profile("2")],
        tmp_path,
        targets=["api-1:5000", "[::1]:5000"],
        token_file=str(token),
        scheme="https",
        keep_labels=["cluster"],
        windows=["1h", "24h", "7d"],
        job='a "job"',
    )
    assert written[:2] == [tmp_path / PROMETHEUS_FILE, tmp_path / RULES_FILE]
    promtool("check", "config", tmp_path / PROMETHEUS_FILE)
    promtool("check", "rules", tmp_path / RULES_FILE)
    scrape = yaml.safe_load((tmp_path / PROMETHEUS_FILE).read_text())["scrape_configs"][0]
    assert scrape["authorization"] == {"type": "Bearer", "credentials_file": str(token)}
    assert scrape["static_configs"] == [{"targets": ["api-1:5000", "[::1]:5000"]}]
    assert (scrape["job_name"], scrape["scheme"]) == ('a "job"', "https")


def test_generated_files_are_as_reviewed(profile):
    """Files for a small profile are those in the golden folder, byte for byte.

    To accept a change: ``MODELMETER_WRITE_GOLDEN=1 pytest`` and read the diff.
    """
    settings = Settings(windows=("1h", "24h"), image="registry.example/m:1", kubernetes=True)
    written = files(profile, settings)
    service = "kubernetes/service/modelmeter-flight-delay-de85b53e"
    manifests = [f"{service}-deployment.yaml", "kubernetes/monitoring/servicemonitor.yaml"]
    reviewed = (
        PROMETHEUS_FILE,
        RULES_FILE,
        ALERTS_FILE,
        ALERTMANAGER_FILE,
        COMPOSE_FILE,
        *manifests,
    )
    for name, text in ((name, written[name]) for name in reviewed):
        golden = GOLDEN / Path(name).name
        if os.environ.get("MODELMETER_WRITE_GOLDEN"):
            golden.write_text(without_version(text))
        assert without_version(text) == golden.read_text()


def test_generating_twice_gives_the_same_bytes(profile, tmp_path):
    """Neither a second run, nor the order of the profiles, nor an old file changes a byte."""
    other = make_profile("2")
    first = [path.read_bytes() for path in generate([profile, other], tmp_path / "a")]
    (tmp_path / "a" / PROMETHEUS_FILE).write_text("old")
    assert [path.read_bytes() for path in generate((other, profile), tmp_path / "a")] == first
    assert all(text.endswith(b"\n") and b"\r" not in text for text in first)
    found = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(tmp_path / "a")) for path in found) == [
        ALERTMANAGER_FILE,
        COMPOSE_FILE,
        f"grafana/dashboards/{model_uid('flight-delay')}.json",
        f"grafana/dashboards/{OVERVIEW_UID}.json",
        "grafana/provisioning/dashboards/modelmeter.yml",
        "grafana/provisioning/datasources/modelmeter.yml",
        PROMETHEUS_INSIDE_FILE,
        PROMETHEUS_FILE,
        ALERTS_FILE,
        RULES_FILE,
        TEMPLATE_FILE,
    ]


def test_files_say_who_wrote_them_for_which_models(profile):
    """The header has the writer's version, the schema's, and every model and version."""
    for name, text in files([profile, make_profile("2")], Settings()).items():
        if name.endswith(".json"):  # has no comments, and says it to whoever looks at it
            assert "Written by modelmeter" in json.loads(text)["description"]
            continue
        if name == TEMPLATE_FILE:  # is the same for all models
            continue
        start = text[:300].replace("\n# ", " ")
        assert re.match(r"# Written by modelmeter [0-9.]+\S*, schema_version 1\.", start)
        if not name.startswith("grafana/"):
            assert "'flight-delay' version '1', 'flight-delay' version '2'" in start


def test_names_cannot_break_out_of_the_comment(profile):
    """A model's name with line breaks stays inside the header's comment."""
    odd = replace(profile, name="x\ngroups: []\u2028y")
    for name, text in files(odd, Settings()).items():
        if name != TEMPLATE_FILE:
            assert json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
        assert "\ngroups: []" not in text


def test_generated_files_can_be_read_by_prometheus_user(profile, tmp_path):
    """Prometheus runs as another user: files and folders are readable whatever the umask."""
    before = os.umask(0o077)
    try:
        written = generate(profile, tmp_path / "out", kubernetes=True)
    finally:
        os.umask(before)
    for path in written:
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        for folder in path.relative_to(tmp_path / "out").parents[:-1]:
            assert stat.S_IMODE((tmp_path / "out" / folder).stat().st_mode) == 0o755


def test_real_prometheus_loads_the_default_stack(profile, tmp_path):
    """Prometheus starts on the generated files as they are and evaluates every rule."""
    generate(profile, tmp_path, targets=["127.0.0.1:1"])
    with Prometheus(tmp_path) as prometheus:
        groups = prometheus.api("rules")["groups"]
        intervals = {group["name"]: group["interval"] for group in groups}
        for name in ("drift", "performance", "traffic", "alerts_data"):
            assert intervals[f"modelmeter_{name}"] == 60
        prometheus.reload()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"targets": []}, "targets"),
        ({"targets": "localhost:5000"}, "targets"),
        ({"targets": ["http://localhost:5000"]}, "targets"),
        ({"targets": ["localhost:5000/metrics"]}, "targets"),
        ({"targets": ["localhost:0"]}, "targets"),
        ({"targets": ["localhost:70000"]}, "targets"),
        ({"targets": [""]}, "targets"),
        ({"targets": [5000]}, "targets"),
        ({"targets": ["a:1", "a:1"]}, "targets"),
        ({"windows": "1h"}, "windows"),
        ({"windows": ["soon"]}, "windows"),
        ({"scrape_interval": "1h"}, "scrape_interval"),
        ({"evaluation_interval": "1h"}, "evaluation_interval"),
        ({"job": ""}, "job"),
        ({"job": "two\nlines"}, "job"),
        ({"job": None}, "job"),
        ({"metrics_path": "metrics"}, "metrics_path"),
        ({"scheme": "ftp"}, "scheme"),
        ({"token_file": " "}, "token_file"),
        ({"keep_labels": ["version"]}, "keep_labels"),
        ({"window": ["1h"]}, "unknown settings ['window']"),
    ],
)
def test_settings_that_cannot_work_are_refused(options, field, profile, tmp_path):
    """The error names the setting, and nothing is written."""
    with pytest.raises(ConfigurationError) as error:
        generate(profile, tmp_path / "out", **options)
    assert str(error.value).startswith(field)
    assert not (tmp_path / "out").exists()


def test_profiles_that_cannot_be_told_apart_are_refused(profile, tmp_path):
    """There must be a profile, and no two with one name and version."""
    with pytest.raises(ConfigurationError, match="at least one profile"):
        generate([], tmp_path)
    with pytest.raises(ConfigurationError, match="share one name and version"):
        generate([profile, profile], tmp_path)


def test_settings_and_options_are_not_mixed(profile, tmp_path):
    """Either settings, or their fields by name."""
    assert generate(profile, tmp_path, settings=Settings(job="j"))
    with pytest.raises(ConfigurationError, match="not both"):
        generate(profile, tmp_path, settings=Settings(), job="j")


def test_prometheus_watches_itself_where_it_is_told(profile, tmp_path):
    """Its own metrics, of which ModelRulesFailing speaks, are a scrape job of their own."""
    text = files(profile, Settings(prometheus="localhost:9090"))[PROMETHEUS_FILE]
    assert 'job_name: "prometheus"' in text
    (tmp_path / "prometheus.yml").write_text(text.replace("rules/", "none/"))
    promtool("check", "config", tmp_path / "prometheus.yml")
    with pytest.raises(ConfigurationError, match="job must not be 'prometheus'"):
        Settings(prometheus="localhost:9090", job="prometheus")


def test_directory_that_cannot_be_written_is_an_error(profile, tmp_path):
    """A file where the directory should be: the error names it."""
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigurationError, match="out_dir") as error:
        generate(profile, tmp_path / "out")
    assert str(tmp_path / "out") in str(error.value)


@pytest.mark.parametrize("text", ['say "hi"', "back\\slash", "ü → 🙂", "yes", "a: b # c", "*x"])
def test_rule_files_say_what_the_rules_say(text):
    """Any text in labels and expressions is read back from the YAML as it was."""
    rule = Rule("a:b", f"vector(1)\n+ x{{y={text!r}}}", {"label": text}, "Why: because.")
    one_line = Rule("a:c", text)
    group = Group("name", 1500, (rule, one_line), "What it is for.")
    read = yaml.safe_load(render([group]))["groups"]
    assert read == [
        {"name": "name", "interval": "1s500ms", "rules": [rule.fields(), one_line.fields()]}
    ]
