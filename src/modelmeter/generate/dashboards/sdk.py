"""Grafana's Foundation SDK, as far as it is used here: the one place that imports it.

Dashboards are written in Grafana's classic schema, which every Grafana from 11 on provisions
from files. The SDK would rather have its successor (``dashboardv2``) and warns when it is
imported; that one only newer servers read.
"""

from __future__ import annotations

import warnings

from modelmeter._errors import MissingExtraError

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from grafana_foundation_sdk.builders import (
            barchart,
            common,
            prometheus,
            stat,
            table,
            timeseries,
        )
        from grafana_foundation_sdk.builders import dashboard as build
        from grafana_foundation_sdk.cog.builder import Builder
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.models import common as kinds
        from grafana_foundation_sdk.models import dashboard
        from grafana_foundation_sdk.models.prometheus import PromQueryFormat
except ImportError as error:
    raise MissingExtraError("grafana-foundation-sdk", "generate") from error

__all__ = [
    "Builder",
    "JSONEncoder",
    "PromQueryFormat",
    "barchart",
    "build",
    "common",
    "dashboard",
    "kinds",
    "prometheus",
    "stat",
    "table",
    "timeseries",
]
