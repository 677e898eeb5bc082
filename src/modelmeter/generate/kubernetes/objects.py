"""What all objects for Kubernetes share: names, labels, how they are written."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from modelmeter.generate.dashboards.ids import model_uid
from modelmeter.generate.yamlfile import dump
from modelmeter.profile.profile import Profile

FOLDER: Final = "kubernetes"
PART_OF: Final = {"app.kubernetes.io/part-of": "modelmeter"}
LABELS: Final = {**PART_OF, "app.kubernetes.io/managed-by": "modelmeter"}

TOKEN_SECRET: Final = "modelmeter-metrics"
"""Name of the Secret that holds the bearer token, under the key `TOKEN_KEY`."""
TOKEN_KEY: Final = "token"  # where it is, not what it is

MAX_DATA: Final = 1_000_000
"""Bytes that a ConfigMap may hold: 1 MiB less what its name and labels take."""


def make(
    version: str,
    kind: str,
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Make an object.

    Parameters
    ----------
    version, kind, name
        ``apiVersion``, ``kind`` and ``metadata.name``.
    labels, annotations
        Beside those that all objects have.
    **fields
        All else, such as ``spec``.
    """
    metadata: dict[str, Any] = {"name": name, "labels": {**LABELS, **(labels or {})}}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def kustomization(resources: Sequence[str], **fields: Any) -> str:
    """Return a ``kustomization.yaml`` without the comment that it starts with."""
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return dump({**head, "resources": list(resources), **fields})


def service_names(profiles: Iterable[Profile]) -> dict[tuple[str, str], str]:
    """Return what the service of each model and version is called.

    A model's name makes it, so that a new version replaces the old one and finds the labels
    that wait. Versions that are given side by side are told apart.

    Parameters
    ----------
    profiles
        Of every model and version that is served.

    Returns
    -------
    dict
        A DNS label of at most 63 characters that starts with a letter, by name and version.
    """
    keys = [(profile.name, profile.version) for profile in profiles]
    versions = Counter(name for name, _ in keys)
    names = {}
    for name, version in keys:
        digest = hashlib.sha256(version.encode("utf-8", "surrogatepass")).hexdigest()[:4]
        slug = re.sub("[^a-z0-9]+", "-", version.lower()).strip("-")[:8].strip("-")
        apart = f"-{slug}-{digest}" if slug else f"-{digest}"
        names[name, version] = model_uid(name) + (apart if versions[name] > 1 else "")
    return names


def label_value(text: str) -> str:
    """Return a text as the value of a label, which may hold little.

    Examples
    --------
    >>> label_value("2026.11+git/abc")
    '2026.11-git-abc'
    """
    return re.sub("[^A-Za-z0-9._-]+", "-", text)[:63].strip("-._")
