"""What a cluster's Prometheus and Grafana read: targets, rules, dashboards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from modelmeter._errors import ConfigurationError
from modelmeter.generate.dashboards.ids import FOLDER as DASHBOARDS
from modelmeter.generate.kubernetes.objects import (
    MAX_DATA,
    PART_OF,
    TOKEN_KEY,
    TOKEN_SECRET,
    kustomization,
    make,
)
from modelmeter.generate.settings import Settings
from modelmeter.generate.yamlfile import dump, load

_OPERATOR: Final = "monitoring.coreos.com/v1"

MAX_RULES: Final = 450_000
"""Bytes of one PrometheusRule: the operator puts each into a ConfigMap of 512 KiB at most."""


def monitoring_files(settings: Settings, texts: Mapping[str, str]) -> dict[str, str]:
    """Make what is read by Prometheus and Grafana.

    Parameters
    ----------
    settings
        How to scrape.
    texts
        The other files that were generated, by path.

    Returns
    -------
    dict of str to str
        YAML by file name, with a ``kustomization.yaml``.
    """
    found = {"servicemonitor.yaml": dump(_service_monitor(settings))}
    for path, text in texts.items():
        if path.startswith("rules/"):
            name = PurePosixPath(path).name.removesuffix(".rules.yml")
            for part, groups in enumerate(_parts(load(text)["groups"])):
                full = f"{name}-{part + 1}" if part else name
                found[f"prometheusrule-{full}.yaml"] = dump(
                    make(_OPERATOR, "PrometheusRule", full, spec={"groups": groups})
                )
        elif path.startswith(DASHBOARDS):
            uid = PurePosixPath(path).stem
            found[f"dashboard-{uid}.yaml"] = dump(_dashboard(uid, text))
    return {"kustomization.yaml": kustomization(list(found)), **found}


def _service_monitor(settings: Settings) -> dict[str, Any]:
    endpoint: dict[str, Any] = {
        "port": "http",
        "path": settings.metrics_path,
        "scheme": settings.scheme,
        "interval": settings.scrape_interval,
        # The rules look for this job; by itself it would be the name of each service. A dollar
        # sign would be replaced.
        "relabelings": [{"targetLabel": "job", "replacement": settings.job.replace("$", "$$")}],
    }
    if settings.token_file is not None:
        token = {"name": TOKEN_SECRET, "key": TOKEN_KEY}
        endpoint["authorization"] = {"type": "Bearer", "credentials": token}
    spec = {"selector": {"matchLabels": PART_OF}, "endpoints": [endpoint]}
    return make(_OPERATOR, "ServiceMonitor", "modelmeter", spec=spec)


def _parts(groups: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Put as many groups together as one object holds, in their order."""
    part: list[dict[str, Any]] = []
    total = 0
    for group in groups:
        size = len(dump(group).encode())
        if size > MAX_RULES:
            raise ConfigurationError(
                f"the rule group {group['name']!r} takes {size:,} bytes, and the Prometheus "
                f"Operator takes {MAX_RULES:,}: generate for fewer models or windows at once"
            )
        if part and total + size > MAX_RULES:
            yield part
            part, total = [], 0
        part.append(group)
        total += size
    yield part


def _dashboard(uid: str, text: str) -> dict[str, Any]:
    if len(text.encode()) > MAX_DATA:
        # Without the spaces that make it readable it is about half as large.
        text = json.dumps(json.loads(text), separators=(",", ":")) + "\n"
    if (size := len(text.encode())) > MAX_DATA:
        raise ConfigurationError(
            f"the dashboard {uid} takes {size:,} bytes, and a ConfigMap holds {MAX_DATA:,}: "
            f"give Grafana {DASHBOARDS}/{uid}.json in another way, and generate without kubernetes"
        )
    return make(
        "v1",
        "ConfigMap",
        uid,
        # What the sidecar of Grafana's chart looks for.
        labels={"grafana_dashboard": "1"},
        annotations={"grafana_folder": "Models"},
        data={f"{uid}.json": text},
    )
