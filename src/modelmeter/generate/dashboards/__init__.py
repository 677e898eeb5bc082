"""Grafana dashboards made from profiles: an overview, and one for every model.

``spec`` says what a dashboard is, ``overview`` and ``model`` what is on them, ``drawing`` how
Grafana writes it. Names that other files link to are in ``ids``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby

from modelmeter.generate.dashboards.ids import path_of
from modelmeter.generate.dashboards.model import model_board
from modelmeter.generate.dashboards.overview import overview
from modelmeter.generate.dashboards.spec import Board
from modelmeter.generate.settings import Settings
from modelmeter.profile.profile import Profile

__all__ = ["boards", "dashboards"]


def dashboards(profiles: Iterable[Profile], settings: Settings) -> dict[str, str]:
    """Make the dashboards' files.

    Parameters
    ----------
    profiles
        Of every model and version that is served. Versions of one model share a dashboard.
    settings
        Windows, and labels that are kept.

    Returns
    -------
    dict of str to str
        JSON by path inside the generated directory: ``grafana/dashboards/<uid>.json``. The
        same, to the byte, for the same profiles in any order.

    Raises
    ------
    MissingExtraError
        Grafana's Foundation SDK is not installed.
    """
    # Nobody who reads a board's plain data needs the SDK.
    from modelmeter.generate.dashboards.drawing import draw

    return {
        path_of(board.uid): json.dumps(draw(board), indent=2, sort_keys=True, ensure_ascii=False)
        + "\n"
        for board in boards(profiles, settings)
    }


def boards(profiles: Iterable[Profile], settings: Settings) -> list[Board]:
    """Return what is on the dashboards: the overview, then every model by name."""
    known = sorted(profiles, key=lambda profile: (profile.name, profile.version))
    by_name = [list(versions) for _, versions in groupby(known, key=lambda one: one.name)]
    names = [versions[0].name for versions in by_name]
    return [
        overview(names, settings),
        *(model_board(versions, settings) for versions in by_name),
    ]
