"""Manifests for Kubernetes, as a kustomize base.

::

    out/kubernetes/
      kustomization.yaml      both of the following; either can be used alone
      monitoring/             what is scraped, rules, dashboards: for the Prometheus Operator and
                              a Grafana with the sidecar that reads ConfigMaps
      service/                the models: Deployment, Service, profile, a place for labels

What differs between clusters (names of images, namespaces, labels that a Prometheus looks for)
is left to an overlay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from modelmeter.generate.kubernetes.monitoring import monitoring_files
from modelmeter.generate.kubernetes.objects import FOLDER, kustomization
from modelmeter.generate.kubernetes.service import service_files
from modelmeter.generate.settings import Settings
from modelmeter.profile.profile import Profile

__all__ = ["FOLDER", "manifests"]


def manifests(
    profiles: Iterable[Profile], settings: Settings, texts: Mapping[str, str], start: str
) -> dict[str, str]:
    """Make the manifests.

    Parameters
    ----------
    profiles
        Of every model and version that is served.
    settings
        How to scrape, and what the services need.
    texts
        The other files that were generated, by path: rules and dashboards are taken from them.
    start
        The comment that every file starts with.

    Returns
    -------
    dict of str to str
        Text by path inside the generated directory.

    Raises
    ------
    ConfigurationError
        A rule group or a dashboard is larger than Kubernetes takes.
    """
    parts = {
        **_below("monitoring", monitoring_files(settings, texts)),
        **_below("service", service_files(profiles, settings)),
    }
    found = {"kustomization.yaml": kustomization(["monitoring", "service"]), **parts}
    return {
        f"{FOLDER}/{name}": text if name.endswith(".json") else start + text
        for name, text in found.items()
    }


def _below(folder: str, texts: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in texts.items()}
