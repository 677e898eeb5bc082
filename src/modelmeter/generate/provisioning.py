"""What tells Grafana where its data and its dashboards are, read from files at its start."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from modelmeter.generate.durations import format_duration
from modelmeter.generate.rulefile import header, quote
from modelmeter.generate.settings import Settings

DATASOURCE_FILE: Final = "grafana/provisioning/datasources/modelmeter.yml"
DASHBOARDS_FILE: Final = "grafana/provisioning/dashboards/modelmeter.yml"

DATASOURCE_UID: Final = "modelmeter-prometheus"
"""Of the Prometheus, for links to it; dashboards let people choose another."""

DEFAULT_URL: Final = "http://prometheus:9090"
DEFAULT_PATH: Final = "/etc/grafana/dashboards"


def provisioning(
    settings: Settings, *, url: str = DEFAULT_URL, path: str = DEFAULT_PATH
) -> dict[str, str]:
    """Make the provisioning files.

    Parameters
    ----------
    settings
        How often services are scraped.
    url
        Of Prometheus, as Grafana sees it.
    path
        Where Grafana finds the dashboards' files.

    Returns
    -------
    dict of str to str
        YAML by path inside the generated directory.
    """
    scrape = format_duration(settings.timing.scrape_interval)
    datasource = f"""apiVersion: 1

datasources:
  - name: Prometheus
    uid: {DATASOURCE_UID}
    type: prometheus
    access: proxy
    url: {quote(url)}
    isDefault: true
    editable: false
    jsonData:
      httpMethod: POST
      prometheusType: Prometheus
      timeInterval: {scrape}
"""
    provider = f"""apiVersion: 1

providers:
  - name: modelmeter
    type: file
    # Changed files are read again without a restart.
    updateIntervalSeconds: 30
    allowUiUpdates: false
    disableDeletion: false
    folder: Models
    folderUid: modelmeter
    options:
      path: {quote(path)}
"""
    start = header(version("modelmeter"), "What Grafana reads at its start.")
    return {DATASOURCE_FILE: start + datasource, DASHBOARDS_FILE: start + provider}
