"""Provisioning files: what Grafana reads at its start."""

from __future__ import annotations

import re

import yaml

from modelmeter.generate.dashboards.ids import FOLDER
from modelmeter.generate.provisioning import (
    DASHBOARDS_FILE,
    DATASOURCE_FILE,
    DATASOURCE_UID,
    provisioning,
)
from modelmeter.generate.settings import Settings


def test_datasource_is_prometheus():
    """Grafana gets one Prometheus, with a uid of its own and the interval of its scrapes."""
    files = provisioning(Settings(scrape_interval="5s"), url='http://p:9090/a "b"')
    (source,) = yaml.safe_load(files[DATASOURCE_FILE])["datasources"]
    assert (source["uid"], source["type"]) == (DATASOURCE_UID, "prometheus")
    assert source["url"] == 'http://p:9090/a "b"'
    assert source["isDefault"]
    assert source["jsonData"]["timeInterval"] == "5s"
    assert len(DATASOURCE_UID) <= 40


def test_provider_reads_the_dashboards():
    """Dashboards come from files, which are the truth: nobody changes them in the browser."""
    files = provisioning(Settings(), path="/here/dashboards")
    document = yaml.safe_load(files[DASHBOARDS_FILE])
    (provider,) = document["providers"]
    assert document["apiVersion"] == 1
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    assert provider["options"]["path"] == "/here/dashboards"
    assert FOLDER.endswith("/dashboards")


def test_files_are_the_same_every_time():
    """The same settings give the same bytes, with a final newline."""
    first = provisioning(Settings())
    assert provisioning(Settings()) == first
    for text in first.values():
        assert text.endswith("\n")
        assert re.match(r"# Written by modelmeter [0-9.]+\S*, schema_version 1\.", text)
