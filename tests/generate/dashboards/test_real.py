"""Real services, a real Prometheus: every query of every dashboard is answered."""

from __future__ import annotations

import re

import pytest

from generate.dashboards.grafana import All, fill
from generate.dashboards.services import COLUMNS, ODD, ODD_MODEL, Service, working
from modelmeter.generate import alarm_series, label_series, performance_series
from modelmeter.generate.alarms import alarm_rules
from modelmeter.generate.dashboards import boards
from modelmeter.generate.promql import Labels
from modelmeter.generate.rulefile import Group, render
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import Settings
from modelmeter.stats.budget import AlarmBudget
from real.prometheus import Prometheus

SETTINGS = Settings(
    windows=("10s", "40s"), scrape_interval="1s", evaluation_interval="1s", keep_labels=["cluster"]
)
WINDOW = "40s"


def rules():
    """Return all recording rules, those that judge included."""
    timing = SETTINGS.timing
    groups = recording_rules(
        windows=SETTINGS.windows,
        scrape_interval="1s",
        evaluation_interval="1s",
        keep_labels=SETTINGS.keep_labels,
        job=SETTINGS.job,
    )
    if any(rule.record == alarm_series.DRIFT_STATE.name for g in groups for rule in g.rules):
        return groups
    judging = tuple(alarm_rules(Labels(("cluster",)), timing, AlarmBudget()))
    return [*groups, Group("alarms", timing.evaluation_interval, judging)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Four services at work, scraped for a while; Prometheus, the boards, and the time."""
    folder = tmp_path_factory.mktemp("world")
    services = [
        Service("binary", ODD_MODEL, folder / "binary.db"),
        Service("multiclass", "three", folder / "multiclass.db"),
        Service("regression", "amount", folder / "regression.db"),
        Service("regression", "amount", folder / "next.db", version="2"),
    ]
    with working(services):
        targets = ", ".join(f"'127.0.0.1:{service.port}'" for service in services)
        (folder / "rules.yml").write_text(render(rules()))
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            "rule_files: [rules.yml]\n"
            f"scrape_configs:\n  - job_name: {SETTINGS.job}\n    static_configs:\n"
            f"      - targets: [{targets}]\n        labels: {{cluster: eu}}\n"
        )
        with Prometheus(folder) as prometheus:
            whole = f'segment="",source="realised",window="{WINDOW}"'
            for wanted in (
                f"count({performance_series.Z.name}{{{whole}}}) > 20",
                f"count({performance_series.PERFORMANCE_ROWS.name}{{{whole}}} > 500) == 4",
                f"count({label_series.LAG_SECONDS.name}) > 5",
                f"count({alarm_series.DRIFT_STATE.name}{{role='feature'}} == 1) == 4",
            ):
                (found, *_) = prometheus.wait_for(wanted, seconds=90)
            assert prometheus.problems() == ""
            profiles = [service.profile for service in services]
            yield prometheus, boards(profiles, SETTINGS), found.time


def label_values(prometheus, query):
    """Return what a variable can be, as Grafana finds it."""
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", query, flags=re.DOTALL)
    series = prometheus.api("series", **{"match[]": match[1]})
    return {one[match[2]] for one in series if match[2] in one}


WHAT = {
    "segment": "kind=new",
    "feature": ODD,
    "keep_cluster": "eu",
    "version": ["1"],
    # Between backquotes no backquote can be chosen: the one limit to names.
    "model": ["amount", "three"],
}


def choices(prometheus, board, *, everything):
    """Return values of all variables: "All" where there is such a choice, or one of each."""
    values = {"__rate_interval": "10s", "datasource": "uid"}
    for variable in board.variables:
        name = variable.name
        if variable.query:
            found = label_values(prometheus, fill(variable.query, values))
            assert found, f"nothing to choose from: {variable}"
            one = WHAT.get(name, sorted(found))
            assert set([one] if isinstance(one, str) else one) <= found
            assert variable.default in {"", *found}
            use_all = variable.all_value and everything
            values[name] = All(variable.all_value) if use_all else one
        elif variable.values:
            values[name] = variable.values[0] if variable.hidden else WINDOW
            assert values[name] in variable.values
    return values


@pytest.mark.parametrize("everything", [True, False], ids=["all", "one"])
@pytest.mark.parametrize("place", range(4), ids=["overview", "regression", "binary", "multiclass"])
def test_every_query_is_answered(world, place, everything):
    """With everything chosen, and with one of each, every query of every panel has data."""
    prometheus, all_boards, time = world
    board = all_boards[place]
    values = choices(prometheus, board, everything=everything)
    empty = []
    for panel in board.panels:
        for query in panel.queries:
            found = prometheus.query(fill(query.expr, values), time=time)
            assert all("{{" not in query.legend or one.labels for one in found)
            if not found:
                empty.append((panel.key, query.expr))
    assert not empty, "\n".join(f"{key}: {expr}" for key, expr in empty)


def test_marks_on_the_time_axis(world):
    """A version that was not there is marked; alerts are asked for in words Prometheus knows."""
    prometheus, all_boards, time = world
    for board in all_boards[1:]:
        versions, alerts = board.annotations
        values = choices(prometheus, board, everything=True)
        marks = prometheus.query(fill(versions.expr, values), time=time)
        assert {f"Model: {mark.labels['model']}" for mark in marks} == {board.title}
        expected = {"1", "2"} if board.title == "Model: amount" else {"1"}
        assert {mark.labels["version"] for mark in marks} == expected
        # No rule alerts here.
        assert prometheus.query(fill(alerts.expr, values), time=time) == []


def test_bars_lie_over_each_other(world):
    """Live and training have the same bins, in the order of their values."""
    prometheus, all_boards, time = world
    board = all_boards[2]
    values = choices(prometheus, board, everything=True)
    for key in ("feature-bins", "scores", "answers"):
        (panel,) = (panel for panel in board.panels if panel.key == key)
        found = prometheus.query(fill(panel.queries[0].expr, values), time=time)
        by_series = {}
        for one in sorted(found, key=lambda one: one.labels["place"]):
            by_series.setdefault(one.labels["series"], []).append(one)
        live, training = by_series["live, version 1"], by_series["training, version 1"]
        assert len(by_series) == 2
        assert [one.labels["bin"] for one in live] == [one.labels["bin"] for one in training]
        assert sum(one.value for one in live) == pytest.approx(1)
        assert sum(one.value for one in training) == pytest.approx(1)
        ordered = [one.labels["ord"] for one in live if "ord" in one.labels]
        assert ordered == sorted(ordered)
        kinds = [one.labels["kind"] for one in live]
        assert key == "answers" or kinds.index("interval") < kinds.index("missing")


def test_overview_knows_the_dashboard_of_every_model(world):
    """Every line of the list has the uid that its link leads to, and what went wrong."""
    prometheus, all_boards, time = world
    overview = all_boards[0]
    values = choices(prometheus, overview, everything=True)
    (panel,) = (panel for panel in overview.panels if panel.key == "list")
    uids = {board.title.removeprefix("Model: "): board.uid for board in all_boards[1:]}
    titles = {column.field: column.title for column in panel.columns}
    for letter, query in zip("ABCDEFGH", panel.queries, strict=True):
        found = prometheus.query(fill(query.expr, values), time=time)
        assert {one.labels["model"]: one.labels["uid"] for one in found} == uids
        if titles[f"Value #{letter}"] == "Drifted":
            # The rows that are sent differ from training in one feature.
            assert [one.value for one in found] == [1, 1, 1, 1]


def test_ranking_starts_with_what_drifted(world):
    """The feature that moved is the first of its table, in words and in numbers."""
    prometheus, all_boards, time = world
    for board in all_boards[1:]:
        values = choices(prometheus, board, everything=True)
        (panel,) = (panel for panel in board.panels if panel.key == "ranking")
        drift, state, *_ = (
            prometheus.query(fill(query.expr, values), time=time) for query in panel.queries
        )
        assert max(drift, key=lambda one: one.value).labels["feature"] == "size"
        assert {one.labels["feature"] for one in state if one.value == 1} == {"size"}
        assert {one.labels["feature"] for one in drift} == set(COLUMNS)


def test_the_shortest_window_has_no_verdict(world):
    """Drift is not judged over the shortest window, but still measured and ranked."""
    prometheus, all_boards, time = world
    judging = (alarm_series.DRIFTED_FEATURES.name, alarm_series.DRIFT_STATE.name)
    found = set()
    for board in all_boards:
        values = choices(prometheus, board, everything=True) | {"window": "10s"}
        for panel in board.panels:
            if panel.key not in ("list", "drifted", "drift", "ranking"):
                continue
            for query in panel.queries:
                judged = any(name in query.expr for name in judging)
                some = prometheus.query(fill(query.expr, values), time=time) != []
                found.add((panel.key, judged, some))
    assert {some for _, judged, some in found if judged} == {False}
    assert ("ranking", False, True) in found
    assert ("ranking", False, False) not in found
