"""Alertmanager: who is told, what is told together, what is not told, and in which words."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from generate.conftest import make_profile
from modelmeter._errors import ConfigurationError
from modelmeter.generate.alertmanager import ALERTMANAGER_FILE
from modelmeter.generate.alerts import names
from modelmeter.generate.notify import Notify
from modelmeter.generate.settings import Settings
from modelmeter.generate.stack import files, generate
from real.alertmanager import Alertmanager, amtool
from real.inbox import Inbox, Mailbox
from real.prometheus import promtool
from real.server import wait_for

EMAIL = {
    "to": ["ml-team@example.com", "Boss <boss@example.com>"],
    "from": "modelmeter@example.com",
    "smarthost": "smtp.example.com:587",
}
LOGIN = {"username": "modelmeter", "password_file": "/run/secrets/smtp"}
SLACK = {"api_url_file": "/run/secrets/slack", "channel": "#ml-alerts"}
WEBHOOK = {"url": "https://pager.example.com/hook"}
EVERYTHING = {
    "email": {"team": {**EMAIL, **LOGIN}, "boss": {**EMAIL, "require_tls": False}},
    "slack": {"ml": SLACK, 'odd "name"\n': {**SLACK, "channel": 'it\'s "odd": {x}'}},
    "webhook": {"pager": {**WEBHOOK, "credentials_file": "/run/secrets/pager"}, "log": WEBHOOK},
    "route": {
        "critical": ["webhook.pager", "slack.ml", 'slack.odd "name"\n'],
        "warning": ["slack.ml", "email.team", "email.boss"],
        "info": ["webhook.log"],
    },
}


OF_JOB = (names.TARGET_DOWN, names.REPLICA_DOWN, names.SATURATED)


def labels_of(alert, **more):
    """Labels as Prometheus sends them."""
    found = {"alertname": alert, "area": names.AREA_OF[alert], "severity": "warning", "job": "j"}
    if alert.startswith("ModelFeature"):
        found["feature"] = "f"
    found |= {"model": "m", "version": "1", **more}
    return {key: text for key, text in found.items() if key != "model" or alert not in OF_JOB}


@pytest.mark.parametrize("document", [{}, {"email": {"team": EMAIL}}, EVERYTHING])
@pytest.mark.parametrize("keep", [(), ("cluster", "namespace")])
def test_alertmanager_accepts_what_is_generated(document, keep, profile, tmp_path):
    """Amtool and promtool find no fault, with nobody, somebody and everybody to be told."""
    generate(profile, tmp_path, notify=Notify.of(document), keep_labels=keep)
    assert "SUCCESS" in amtool("check-config", tmp_path / ALERTMANAGER_FILE)
    promtool("check", "config", tmp_path / "prometheus.yml")
    written = yaml.safe_load((tmp_path / ALERTMANAGER_FILE).read_text())
    assert written["route"]["group_by"] == [*keep, "job", "model", "area"]
    assert all(rule["equal"][: len(keep)] == list(keep) for rule in written["inhibit_rules"])


@pytest.mark.parametrize(
    ("document", "receivers"),
    [
        ({}, {"critical": "nobody", "warning": "nobody", "info": "nobody"}),
        (
            {"email": {"team": EMAIL}},
            {"critical": "critical", "warning": "warning", "info": "nobody"},
        ),
        (
            {"slack": {"a": SLACK}, "route": {"warning": []}},
            {"critical": "critical", "warning": "nobody", "info": "nobody"},
        ),
        (EVERYTHING, {"critical": "critical", "warning": "warning", "info": "info", "": "warning"}),
    ],
)
def test_severity_decides_who_is_told(document, receivers, profile, tmp_path):
    """Each severity goes where the file says; by default all but what is only good to know."""
    generate(profile, tmp_path, notify=Notify.of(document))
    for severity, receiver in receivers.items():
        found = amtool(
            "config",
            "routes",
            "test",
            f"--config.file={tmp_path / ALERTMANAGER_FILE}",
            "alertname=ModelFeatureMissing",
            *([f"severity={severity}"] if severity else []),
        )
        assert found.split() == [receiver]


def test_receivers_hold_what_the_file_says(profile):
    """Every setting of every channel is where Alertmanager looks for it."""
    text = files(profile, Settings(notify=Notify.of(EVERYTHING)))[ALERTMANAGER_FILE]
    receivers = {one["name"]: one for one in yaml.safe_load(text)["receivers"]}
    pager = receivers["critical"]["webhook_configs"][0]
    assert pager["url"] == WEBHOOK["url"]
    authorization = {"type": "Bearer", "credentials_file": "/run/secrets/pager"}
    assert pager["http_config"] == {"authorization": authorization}
    slack, odd = receivers["critical"]["slack_configs"]
    assert (slack["api_url_file"], slack["channel"]) == ("/run/secrets/slack", "#ml-alerts")
    assert odd["channel"] == EVERYTHING["slack"]['odd "name"\n']["channel"]
    team, boss = receivers["warning"]["email_configs"]
    assert team["to"] == "ml-team@example.com, Boss <boss@example.com>"
    assert (team["from"], team["smarthost"]) == (EMAIL["from"], EMAIL["smarthost"])
    assert (team["auth_username"], team["auth_password_file"]) == tuple(LOGIN.values())
    assert (team["require_tls"], boss["require_tls"]) == (True, False)
    assert "auth_username" not in boss
    assert receivers["info"]["webhook_configs"][0] == {**WEBHOOK, "send_resolved": True}
    configs = [c for one in receivers.values() for key in one if key != "name" for c in one[key]]
    assert all(config["send_resolved"] for config in configs)


def test_alerts_are_sent_to_every_alertmanager(profile):
    """Prometheus is told of each, or of none; then there is no Alertmanager to configure."""
    written = files(profile, Settings(alertmanagers=("am-1:9093", "am-2:9093")))
    alerting = yaml.safe_load(written["prometheus.yml"])["alerting"]
    targets = alerting["alertmanagers"][0]["static_configs"]
    assert targets == [{"targets": ["am-1:9093", "am-2:9093"]}]
    written = files(profile, Settings(alertmanagers=()))
    assert "alerting" not in yaml.safe_load(written["prometheus.yml"])
    assert not [name for name in written if name == ALERTMANAGER_FILE or "templates" in name]
    with pytest.raises(ConfigurationError, match=r"notify .* without alertmanagers"):
        Settings(alertmanagers=(), notify=Notify.of(EVERYTHING))


def email_with(**fields):
    return {"email": {"team": {**EMAIL, **fields}}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"emial": {}}, "emial is not known: did you mean 'email'?"),
        ({"email": "a@b.org"}, "email must be a table"),
        ({"email": EMAIL}, "email.to must be a table: name it, as in [email.team]"),
        (email_with(form="a@b.org"), "email.team.form is not known: did you mean 'from'?"),
        ({"email": {"t": {"to": ["a@b.org"]}}}, "email.t needs from"),
        (email_with(to="a@b.org"), "email.team.to must be a list"),
        (email_with(to=[]), "email.team.to must be a list"),
        (email_with(to=["nobody"]), "email.team.to must be an address"),
        (email_with(**{"from": "a b@c.org"}), "email.team.from must be an address"),
        (email_with(**{"from": 5}), "email.team.from must be a printable text"),
        (email_with(smarthost="smtp.example.com"), "email.team.smarthost must be 'host:port'"),
        (email_with(require_tls="no"), "email.team.require_tls must be true or false"),
        (email_with(username="u"), "email.team needs username and password_file, or neither"),
        (
            email_with(username="u", password_file="pw"),
            "email.team.password_file must be the absolute path",
        ),
        ({"slack": {"a": {"channel": "#a"}}}, "slack.a needs api_url_file"),
        ({"slack": {"a": {**SLACK, "channel": ""}}}, "slack.a.channel must be a printable text"),
        ({"webhook": {"a": {}}}, "webhook.a needs url or url_file"),
        ({"webhook": {"a": {**WEBHOOK, "url_file": "/f"}}}, "webhook.a needs url or url_file"),
        ({"webhook": {"a": {"url": "pager"}}}, "webhook.a.url must be an http or https URL"),
        ({"webhook": {"a": {"url": "http://[x"}}}, "webhook.a.url must be an http or https URL"),
        ({"route": {"fatal": []}}, "route.fatal is not known"),
        ({"route": {"info": "email.team"}}, "route.info must be a list of channels"),
        (
            {"slack": {"a": SLACK}, "route": {"info": ["slak.a"]}},
            "route.info names 'slak.a', which is not there: did you mean 'slack.a'?",
        ),
        (
            {"slack": {"a": SLACK}, "route": {"critical": [], "warning": []}},
            "route sends nothing to slack.a",
        ),
        ({"timing": {"repeat": "1h"}}, "timing.repeat is not known: did you mean"),
        ({"timing": {"group_wait": "soon"}}, "timing.group_wait must be a positive"),
        ({"timing": {"repeat_interval": "1m"}}, "timing.repeat_interval must be at least"),
    ],
)
def test_what_cannot_work_is_refused(document, message):
    """The error names the field, and says what was meant where that can be guessed."""
    with pytest.raises(ConfigurationError) as error:
        Notify.of(document)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("kind", "fields", "instead"),
    [
        ("email", {**EMAIL, "username": "u", "password": "hunter2"}, "password_file"),
        ("email", {**EMAIL, "username": "u", "password_file": "hunter2"}, "/run/secrets/name"),
        ("slack", {"channel": "#a", "api_url": "https://hooks/hunter2"}, "api_url_file"),
        ("slack", {"channel": "#a", "api_url_file": "https://hooks/hunter2"}, "/run/secrets/name"),
        ("webhook", {**WEBHOOK, "token": "hunter2"}, "credentials_file"),
        ("webhook", {**WEBHOOK, "credentials": "hunter2"}, "credentials_file"),
        ("webhook", {"url": "https://u:hunter2@x.org"}, "url_file"),
        ("webhook", {"url": "https://x.org/?key=hunter2"}, "url_file"),
    ],
)
def test_secrets_are_files(kind, fields, instead):
    """A secret in the settings is refused, not repeated, and the error says where it belongs."""
    with pytest.raises(ConfigurationError) as error:
        Notify.of({kind: {"team": fields}})
    assert str(error.value).startswith(f"{kind}.team.")
    assert instead in str(error.value)
    assert "hunter2" not in str(error.value)


def test_file_that_cannot_be_read_is_an_error(tmp_path):
    """Not there, no TOML, or wrong inside: the error names the file."""
    path = tmp_path / "notify.toml"
    for text, message in (
        (None, "cannot read notify file"),
        ("to = [", "cannot read notify file"),
        ("[emial.team]", "in notify file"),
    ):
        if text is not None:
            path.write_text(text)
        with pytest.raises(ConfigurationError, match=message) as error:
            Notify.load(path)
        assert str(path) in str(error.value)
    with pytest.raises(ConfigurationError, match="notify must be what"):
        Settings(notify=str(path))


def test_documented_settings_are_all_there_are():
    """The example in docs/alerts.md is accepted, and shows every field."""
    text = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    example = tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])
    notify = Notify.of(example)
    shown = {(channel.kind, key) for channel in notify.channels.values() for key in channel.fields}
    every = {("email", key) for key in (*EMAIL, *LOGIN, "require_tls")}
    every |= {("slack", key) for key in SLACK}
    every |= {("webhook", key) for key in ("url", "url_file", "credentials_file")}
    assert shown == every
    assert example["timing"] == notify.timing == Notify().timing
    assert set(example["route"]) == set(names.SEVERITIES)


def test_command_reads_the_file(profile, tmp_path):
    """`modelmeter generate --notify FILE --alertmanager HOST` writes what they say."""
    replace(profile, unmeasured="no labels").save(tmp_path / "p.json")
    (tmp_path / "notify.toml").write_text('[webhook.w]\nurl = "https://x.example/hook"\n')

    def run(*options):
        return subprocess.run(
            [sys.executable, "-m", "modelmeter.cli", "generate", "--profile", "p.json",
             "--out", "out", *options],
            cwd=tmp_path, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    done = run("--notify", "notify.toml", "--alertmanager", "am:9093")
    assert done.returncode == 0, done.stderr
    assert "https://x.example/hook" in (tmp_path / "out" / ALERTMANAGER_FILE).read_text()
    assert '- "am:9093"' in (tmp_path / "out" / "prometheus.yml").read_text()
    (tmp_path / "notify.toml").write_text("[emial.team]\n")
    done = run("--notify", "notify.toml")
    assert done.returncode != 0
    assert "did you mean 'email'?" in done.stderr.replace("\n", " ")
    assert run("--no-alertmanager", "--out", "none").returncode == 0
    assert not (tmp_path / "none" / ALERTMANAGER_FILE).exists()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A real Alertmanager that tells a webhook, a Slack and a mailbox."""
    out = tmp_path_factory.mktemp("alertmanager")
    (out / "token").write_text("token-of-pager")
    (out / "password").write_text("password-of-mail")
    with Inbox() as inbox, Mailbox("modelmeter", "password-of-mail") as mailbox:
        (out / "slack").write_text(f"{inbox.url}/slack")
        notify = Notify.of(
            {
                "email": {
                    "team": {
                        "to": ["a@example.com", "b@example.com"],
                        "from": "modelmeter@example.com",
                        "smarthost": mailbox.address,
                        "username": "modelmeter",
                        "password_file": str(out / "password"),
                        "require_tls": False,
                    }
                },
                "slack": {"ml": {"api_url_file": str(out / "slack"), "channel": "#ml"}},
                "webhook": {
                    "w": {"url": f"{inbox.url}/hook", "credentials_file": str(out / "token")}
                },
                "route": {"critical": ["email.team", "slack.ml", "webhook.w"], "warning": []},
                "timing": {"group_wait": "2s", "group_interval": "1s"},
            }
        )
        generate(make_profile(), out, notify=notify, keep_labels=["cluster"])
        with Alertmanager(out) as alertmanager:
            yield alertmanager, inbox, mailbox


def missing(number):
    """Return as many alerts of missing features, in words with signs that mean something."""
    return [
        {
            "labels": labels_of(names.FEATURE_MISSING, feature=f"f{i:02d}", severity="critical"),
            "annotations": {
                "summary": f"f{i:02d} is missing in 62 % & more; normal is <2 %",
                "dashboard_url": f"http://grafana.test/d/m?var-feature=f{i:02d}&x=1",
                "runbook_url": "http://docs.test/runbook#modelfeaturemissing",
            },
        }
        for i in range(number)
    ]


def test_forty_broken_features_are_one_message(running):
    """Each channel gets one, in which twenty are listed with links; and one when it is over."""
    alertmanager, inbox, mailbox = running
    alerts = missing(40)
    alertmanager.send(*alerts)
    wait = {"seconds": 30, "what": "the notification"}
    hook = inbox.wait_for(lambda post: post.path == "/hook", **wait)
    slack = inbox.wait_for(lambda post: post.path == "/slack", **wait)
    wait_for(lambda: mailbox.messages, explain=lambda: alertmanager.log, **wait)
    assert hook.authorization == "Bearer token-of-pager"
    assert hook.body["status"] == "firing"
    assert [a["labels"] for a in hook.body["alerts"]] == [a["labels"] for a in alerts]
    assert hook.body["groupLabels"] == {"job": "j", "model": "m", "area": "data"}

    title = "[critical] m: 40 alerts about data: ModelFeatureMissing"
    message = slack.body["attachments"][0]
    assert (slack.body["channel"], message["title"], message["color"]) == ("#ml", title, "danger")
    lines = message["text"].splitlines()
    assert lines[0] == (
        "• f00 is missing in 62 % &amp; more; normal is &lt;2 % · "
        "<http://grafana.test/d/m?var-feature=f00&x=1|dashboard> · "
        "<http://docs.test/runbook#modelfeaturemissing|what to do>"
    )
    assert lines[20:] == ["These are 20 of 40."]

    mail = mailbox.messages[0]
    assert (mail["Subject"], mail["X-Recipients"]) == (title, "a@example.com, b@example.com")
    plain = mail.get_body(("plain",)).get_content().splitlines()
    assert plain[:3] == [
        "- f00 is missing in 62 % & more; normal is <2 %",
        "  Dashboard: http://grafana.test/d/m?var-feature=f00&x=1",
        "  What to do: http://docs.test/runbook#modelfeaturemissing",
    ]
    assert "These are 20 of 40." in plain
    html = mail.get_body(("html",)).get_content()
    assert "62 % &amp; more; normal is &lt;2 %" in html
    assert 'href="http://grafana.test/d/m?var-feature=f00&amp;x=1"' in html
    assert html.count("<li>") == 20

    alertmanager.send(*alerts, resolved=True)
    over = inbox.wait_for(
        lambda post: post.path == "/slack" and "[resolved]" in post.body["attachments"][0]["title"],
        **wait,
    )
    assert over.body["attachments"][0]["title"].startswith("[resolved] m: 40 alerts about data")
    assert over.body["attachments"][0]["color"] == "good"
    inbox.wait_for(lambda post: post.body.get("status") == "resolved", **wait)
    wait_for(lambda: mailbox.messages[-1]["Subject"].startswith("[resolved] m"), **wait)
    assert [post.path for post in inbox.posts].count("/hook") == 2


def test_one_alert_is_told_in_its_own_words(running):
    """The title of a single alert is its summary; a runbook that is no URL is no link."""
    alertmanager, inbox, _ = running
    alert = missing(1)[0]
    alert["labels"]["model"] = "single"
    alert["annotations"]["runbook_url"] = "docs/runbook.md#modelfeaturemissing"
    alertmanager.send(alert)
    slack = inbox.wait_for(
        lambda post: post.path == "/slack" and "single" in str(post.body),
        seconds=30,
        what="the notification",
    )
    message = slack.body["attachments"][0]
    assert message["title"] == (
        "[critical] single: f00 is missing in 62 % &amp; more; normal is &lt;2 %"
    )
    assert message["text"].rstrip().endswith("what to do: docs/runbook.md#modelfeaturemissing")


DRIFT = {"check": "drift"}
SILENCED = [
    *((source, {}, names.FEATURE_DRIFT, {}) for source in (*names.BROKEN, *names.UNUSUAL)),
    *((source, {}, names.PREDICTION_DRIFT, DRIFT) for source in names.BROKEN),
    *(
        (names.TARGET_DOWN, {}, target, {})
        for target in names.AREA_OF
        if target not in (names.TARGET_DOWN, names.RULES_FAILING)
    ),
    *((names.NOT_SERVED, {}, name, {}) for name in (names.FEATURE_DRIFT, names.NO_TRAFFIC)),
    (names.PERFORMANCE_LOW, {}, names.ESTIMATED_PERFORMANCE_LOW, {}),
    (names.FEATURE_ABSENT, {}, names.SCHEMA_MISMATCH, {"check": "missing", "feature": "f"}),
    *(
        (name, {"window": fast, "severity": "critical"}, name, {"window": slow})
        for name in (names.ERROR_BUDGET_BURN, names.LATENCY_BUDGET_BURN)
        for fast, slow in (("1h", "6h"), ("1h", "3d"), ("6h", "3d"))
    ),
]
TOLD = [
    # Of something else: another feature, version, job, cluster, burn.
    (names.FEATURE_MISSING, {"feature": "g"}, names.FEATURE_DRIFT, {}),
    (names.FEATURE_MISSING, {"version": "2"}, names.FEATURE_DRIFT, {}),
    (names.FEATURE_MISSING, {"cluster": "b"}, names.FEATURE_DRIFT, {}),
    (names.FEATURE_MISSING, {"version": "2"}, names.PREDICTION_DRIFT, DRIFT),
    (names.TARGET_DOWN, {"job": "other"}, names.FEATURE_DRIFT, {}),
    (names.TARGET_DOWN, {}, names.RULES_FAILING, {}),
    (names.NOT_SERVED, {"model": "other"}, names.FEATURE_DRIFT, {}),
    (names.NOT_SERVED, {}, names.REPLICA_DOWN, {}),
    (names.ERROR_BUDGET_BURN, {"window": "1h"}, names.LATENCY_BUDGET_BURN, {"window": "6h"}),
    (names.ERROR_BUDGET_BURN, {"window": "3d"}, names.ERROR_BUDGET_BURN, {"window": "1h"}),
    # One replica of several, and what no fault of the data explains.
    (names.REPLICA_DOWN, {}, names.FEATURE_DRIFT, {}),
    (names.FEATURE_MISSING, {}, names.PERFORMANCE_LOW, {}),
    (names.FEATURE_MISSING, {}, names.ESTIMATED_PERFORMANCE_LOW, {}),
    (names.FEATURE_MISSING, {}, names.PREDICTION_DRIFT, {"check": "invalid"}),
    (names.FEATURE_OUT_OF_RANGE, {}, names.PREDICTION_DRIFT, DRIFT),
    (names.FEATURE_DRIFT, {}, names.FEATURE_MISSING, {}),
    (names.ESTIMATED_PERFORMANCE_LOW, {}, names.PERFORMANCE_LOW, {}),
    (names.SCHEMA_MISMATCH, {"check": "missing", "feature": "f"}, names.FEATURE_ABSENT, {}),
    (names.FEATURE_ABSENT, {}, names.SCHEMA_MISMATCH, {"check": "dtype", "feature": "f"}),
]


def test_what_follows_from_something_else_is_not_told(running):
    """Every pair of alerts: the second is silenced by the first, or it is not."""
    alertmanager, _, _ = running
    batch, wanted = [], {}
    for number, (source, more, target, rest) in enumerate((*TOLD, *SILENCED)):
        # Every pair in a world of its own.
        world = {"model": f"m{number}", "job": f"j{number}", "cluster": "a"}
        pair = f"{source}{more} then {target}{rest}"
        batch.append({"labels": labels_of(source, **{**world, **more})})
        batch.append({"labels": labels_of(target, **{**world, **rest}, pair=pair)})
        wanted[pair] = {"active"} if number < len(TOLD) else {"suppressed"}
    alertmanager.send(*batch)

    def states():
        return {pair: state for pair, state in alertmanager.states("pair").items() if pair}

    # The last of them is suppressed when all the sources are known.
    wait_for(lambda: states().get(pair) == {"suppressed"}, seconds=30, what="the inhibitions")
    assert states() == wanted
