"""Dashboards as files: valid, stable, complete, and the same every time."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from itertools import combinations

import pytest

from generate.conftest import make_profile
from generate.dashboards.conftest import SETTINGS, of_task
from generate.dashboards.grafana import variables_of
from generate.dashboards.services import ODD, ODD_MODEL
from modelmeter import names
from modelmeter.generate import alarm_series, series
from modelmeter.generate.dashboards import boards, dashboards
from modelmeter.generate.dashboards.drawing import tidy
from modelmeter.generate.dashboards.ids import MODEL_PANELS, OVERVIEW_PANELS, OVERVIEW_UID
from modelmeter.generate.dashboards.sdk import JSONEncoder, dashboard
from modelmeter.generate.rules import recording_rules
from modelmeter.generate.settings import Settings

BATCHES = {"row:batch", "batch-age", "batch-rows", "batch-duration"}
"""Only where something is scored in batches."""

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?=\{)")


@pytest.fixture(scope="module")
def documents(profiles):
    """Every dashboard's JSON by path, parsed."""
    return {path: json.loads(text) for path, text in dashboards(profiles, SETTINGS).items()}


def queries_of(all_boards):
    """Yield every query of every panel, and of every mark and variable."""
    for board in all_boards:
        for panel in board.panels:
            yield from (query.expr for query in panel.queries)
        yield from (mark.expr for mark in board.annotations)
        yield from (variable.query for variable in board.variables if variable.query)


def test_json_is_what_the_sdk_reads(documents):
    """Grafana's own types read every dashboard, and write back the same."""
    with warnings.catch_warnings():
        # Some panels that are not used here are deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("grafana_foundation_sdk.cog.plugins").register_default_plugins()
    for document in documents.values():
        read = dashboard.Dashboard.from_json(document)
        assert tidy(json.loads(json.dumps(read, cls=JSONEncoder))) == document
        assert read.schema_version >= 41


def test_files_are_the_same_every_time(profiles):
    """Neither a second run nor the order of profiles changes a byte."""
    first = dashboards(profiles, SETTINGS)
    assert dashboards(reversed(profiles), SETTINGS) == first
    for text in first.values():
        assert text.endswith("}\n")
        again = json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False)
        assert text == again + "\n"


def test_uids_follow_from_names(documents):
    """A file is named by its uid, which is the same when everything else has changed."""
    for path, document in documents.items():
        assert path == f"grafana/dashboards/{document['uid']}.json"
        assert re.fullmatch("[a-z0-9-]{1,40}", document["uid"])
        assert document.get("id") is None
        assert re.search(r"by modelmeter [0-9.]+\S*, schema_version 1\.", document["description"])
    other = replace(of_task("three", "regression", (), ("y_pred",)), version="9")
    changed = dashboards([other], Settings(windows=("5m",)))
    assert set(changed) < set(documents)


def test_versions_share_a_dashboard():
    """A new version of a model is on the model's dashboard, not on one of its own."""
    assert len(dashboards([make_profile("1"), make_profile("2")], SETTINGS)) == 2


def test_ids_and_places(documents):
    """Ids are unique; panels are inside the grid and none lies over another."""
    for document in documents.values():
        panels = document["panels"]
        ids = [panel["id"] for panel in panels]
        assert len(set(ids)) == len(ids)
        for panel in panels:
            place = panel["gridPos"]
            assert 0 <= place["x"] < place["x"] + place["w"] <= 24
            assert place["h"] > 0
        for one, other in combinations([panel["gridPos"] for panel in panels], 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert beside or above, (one, other)


def test_ids_come_from_the_tables(all_boards):
    """Every id in the tables is of a panel of some model, and no id is there twice."""
    used = {key for board in all_boards[1:] for row in board.rows for key in keys(row)}
    # Rows asked again need a profile that keeps some.
    assert used == set(MODEL_PANELS) - {"canary"} - BATCHES
    assert {key for row in all_boards[0].rows for key in keys(row)} == set(OVERVIEW_PANELS)
    for table in (MODEL_PANELS, OVERVIEW_PANELS):
        assert len(set(table.values())) == len(table)


def keys(row):
    return [row.key, *(panel.key for panel in row.panels)]


def test_targets(documents):
    """Every query is named within its panel, and reads from the data source that is chosen."""
    source = {"type": "prometheus", "uid": "${datasource}"}
    for document in documents.values():
        for panel in document["panels"]:
            targets = panel.get("targets", [])
            assert bool(targets) == (panel["type"] != "row")
            assert all(target["datasource"] == source for target in targets)
            refs = [target["refId"] for target in targets]
            assert refs == sorted(set(refs))
        first, *others = document["templating"]["list"]
        assert (first["name"], first["type"]) == ("datasource", "datasource")
        asked = [one for one in others if one["type"] == "query"]
        assert all(
            one["datasource"] == source for one in [*asked, *document["annotations"]["list"]]
        )


def test_every_panel_is_explained(all_boards):
    """Panels and variables say what they show, in whole sentences."""
    for board in all_boards:
        for panel in board.panels:
            assert re.search(r"[A-Z].{30,}[.)]$", panel.description, flags=re.DOTALL), panel.key
        assert all(variable.description.endswith(".") for variable in board.variables)


def test_only_series_that_exist(all_boards):
    """Every name in a query is one that is exported or recorded."""
    known = {metric.name for metric in names.ALL} | {
        one.name for one in (*series.ALL, *alarm_series.ALL)
    }
    found = {name for expr in queries_of(all_boards) for name in NAME.findall(expr)}
    assert found - known == {"up", "ALERTS"}


def test_recorded_series_wherever_there_is_one(all_boards):
    """No query reads a raw series that a recording rule reads: what it records is read instead."""
    rules = [rule.fields() for group in recording_rules() for rule in group.rules]
    read = {name for rule in rules for name in re.findall(r"[a-zA-Z_:]+", rule["expr"])}
    raw = {metric.name for metric in names.ALL}
    assert names.FEATURE_BIN.name in read & raw
    assert names.HTTP_REQUESTS.name in read & raw
    found = {name for expr in queries_of(all_boards) for name in NAME.findall(expr)}
    assert not found & read & raw


def test_variables_are_declared(all_boards):
    """Queries, titles and links use variables of their own dashboard only, or Grafana's own."""
    grafana = {"__rate_interval", "__url_time_range", "__value", "__data", "__field", "1"}
    for board in all_boards:
        declared = {variable.name for variable in board.variables}
        assert len(declared) == len(board.variables)
        texts = [
            text
            for row in board.rows
            for panel in row.panels
            for text in (row.title, panel.title, panel.description, *links(panel))
        ]
        for text in [*texts, *queries_of([board])]:
            assert variables_of(text) <= declared | grafana, text


def links(panel):
    of_columns = [column.link.url for column in panel.columns if column.link]
    return [*of_columns, panel.link.url] if panel.link else of_columns


def test_links_lead_from_the_overview_to_a_model_to_a_feature(documents):
    """A model of the list opens its dashboard, a feature of the ranking its rows, and back."""
    overview = documents[f"grafana/dashboards/{OVERVIEW_UID}.json"]
    (panel,) = (panel for panel in overview["panels"] if panel["id"] == OVERVIEW_PANELS["list"])
    assert "/d/${__data.fields.uid}?" in json.dumps(panel["fieldConfig"])
    uids = {document["uid"] for document in documents.values()} - {OVERVIEW_UID}
    for target in panel["targets"]:
        assert set(re.findall(r'"uid", "([^"]+)", "model"', target["expr"])) == uids
    for document in documents.values():
        if document["uid"] == OVERVIEW_UID:
            continue
        assert document["links"][0]["url"] == f"/d/{OVERVIEW_UID}"
        ranking = next(p for p in document["panels"] if p["id"] == MODEL_PANELS["ranking"])
        url = f"/d/{document['uid']}?${{__url_time_range}}"
        assert url in json.dumps(ranking["fieldConfig"])
        assert "&var-feature=${__value.raw:percentencode}" in json.dumps(ranking["fieldConfig"])


def test_the_chosen_feature_has_a_row(documents):
    """The row of a feature is repeated for those that are chosen, at first the most important."""
    for document in documents.values():
        repeated = [panel for panel in document["panels"] if panel.get("repeat")]
        if document["uid"] == OVERVIEW_UID:
            assert not repeated
            continue
        (row,) = repeated
        assert (row["type"], row["repeat"], row["title"]) == ("row", "feature", "Feature: $feature")
        variables = {one["name"]: one for one in document["templating"]["list"]}
        assert variables["feature"]["multi"]
        if document["title"] == f"Model: {ODD_MODEL}":
            assert variables["feature"]["current"]["value"] == [ODD]
        assert variables["window"]["current"]["value"] == "24h"


def test_tables_are_sorted_by_a_column_of_theirs(all_boards):
    """Columns are of the panel's own queries, each shown once, and sorting is by one of them."""
    for panel in (panel for board in all_boards for panel in board.panels):
        values = {f"Value #{letter}" for letter, _ in zip("ABCDEFGH", panel.queries, strict=False)}
        fields = [column.field for column in panel.columns]
        assert len(set(fields)) == len(fields)
        if panel.kind == "table":
            assert {field for field in fields if field.startswith("Value")} == values
            assert panel.sort in {"", *(column.title for column in panel.columns)}
        else:
            assert not fields


def test_a_thousand_features_need_no_more_room():
    """The dashboard does not grow with the features: it ranks them, and shows the chosen."""
    few = make_profile()
    many = replace(
        few, features=tuple(replace(few.features[0], name=f"f{i:03d}") for i in range(1000))
    )
    small, large = (list(dashboards([one], SETTINGS).values())[1] for one in (few, many))
    assert abs(len(large) - len(small)) < 100


def test_a_model_without_predictions_has_no_empty_rows(all_boards):
    """What a model cannot have is not on its dashboard."""
    (board,) = (board for board in all_boards if board.title == "Model: clusters")
    shown = {row.key for row in board.rows}
    assert shown == {"row:signals", "row:ranking", "row:feature", "row:skew"}
    bare = replace(make_profile(), features=())
    _, board = boards([bare], SETTINGS)
    assert "feature" not in {variable.name for variable in board.variables}
    assert not {"row:ranking", "row:feature"} & {row.key for row in board.rows}


def test_without_the_sdk_an_error_says_what_to_install():
    """Where Grafana's SDK is not installed the error names the extra."""
    code = (
        "import sys; sys.modules['grafana_foundation_sdk'] = None\n"
        "from modelmeter._errors import MissingExtraError\n"
        "from modelmeter.generate.dashboards import dashboards\n"
        "from modelmeter.generate.settings import Settings\n"
        "try: dashboards([], Settings())\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'modelmeter[generate]'" in done.stdout
