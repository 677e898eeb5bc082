"""Names that outlive a regeneration: uids of dashboards, ids of panels, paths of files.

Alerts, notes and bookmarks link to them. A dashboard's uid follows from the model's name alone;
a panel's id stands in a table and is never given to another panel.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

OVERVIEW_UID: Final = "modelmeter-overview"

FOLDER: Final = "grafana/dashboards"
"""Where the dashboards are, inside the generated directory."""

_MAX_SLUG: Final = 20

OVERVIEW_PANELS: Final = {
    "row:now": 1,
    "models": 2,
    "alerts": 3,
    "targets": 4,
    "drifted": 5,
    "list": 6,
    "row:traffic": 20,
    "traffic": 21,
    "errors": 22,
    "latency": 23,
    "saturation": 24,
    "row:quality": 40,
    "drift": 41,
    "performance": 42,
    "coverage": 43,
    "row:monitoring": 60,
    "failures": 61,
    "dropped": 62,
}
"""Ids of the overview's panels and rows; append, never renumber."""

MODEL_PANELS: Final = {
    "row:signals": 100,
    "requests": 101,
    "errors": 102,
    "latency": 103,
    "rows": 104,
    "model-errors": 105,
    "model-latency": 106,
    "busy": 107,
    "memory": 108,
    "processor": 109,
    "waiting": 110,
    "progress": 111,
    "row:predictions": 200,
    "answers": 201,
    "scores": 202,
    "answers-drift": 203,
    "answers-real": 204,
    "answers-version": 205,
    "row:ranking": 300,
    "ranking": 301,
    "drifted": 302,
    "quality": 303,
    "row:feature": 400,
    "feature-bins": 401,
    "feature-drift": 402,
    "feature-missing": 403,
    "feature-outside": 404,
    "feature-invalid": 405,
    "feature-age": 406,
    "row:performance": 500,
    "figure-0": 501,
    "figure-1": 502,
    "figure-2": 503,
    "figure-3": 504,
    "figures": 505,
    "evidence": 506,
    "confusion": 507,
    "confusion-estimated": 508,
    "reliability": 509,
    "error-bins": 510,
    "row:labels": 600,
    "label-outcomes": 601,
    "label-lag": 602,
    "coverage": 604,
    "pending": 605,
    "oldest": 606,
    "last-label": 607,
    "row:skew": 700,
    "canary": 701,
    "libraries": 702,
    "schema": 703,
    "row:batch": 800,
    "batch-age": 801,
    "batch-rows": 802,
    "batch-duration": 803,
}
"""Ids of a model dashboard's panels and rows; append, never renumber."""


def model_uid(model: str) -> str:
    """Return the uid of a model's dashboard: readable, unique, at most 40 characters.

    Parameters
    ----------
    model
        The model's name, any text.

    Examples
    --------
    >>> model_uid("flight-delay")
    'modelmeter-flight-delay-de85b53e'
    >>> model_uid("航班/延误")
    'modelmeter-model-80210af6'
    """
    slug = re.sub("[^a-z0-9]+", "-", model.lower()).strip("-")[:_MAX_SLUG].strip("-")
    digest = hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"modelmeter-{slug or 'model'}-{digest}"


def path_of(uid: str) -> str:
    """Return the path of a dashboard's file inside the generated directory."""
    return f"{FOLDER}/{uid}.json"
