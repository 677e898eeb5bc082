"""Uids of dashboards."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from modelmeter.generate.dashboards.ids import OVERVIEW_UID, model_uid, path_of


@given(st.text())
def test_uid_of_any_name(name):
    """Any name gives a uid that Grafana takes, never that of the overview."""
    uid = model_uid(name)
    assert re.fullmatch("[a-z0-9-]{1,40}", uid)
    assert uid != OVERVIEW_UID
    assert path_of(uid).endswith(f"/{uid}.json")


def test_names_alike_in_all_but_signs_have_uids_of_their_own():
    """Names that are written alike in a uid are still told apart."""
    assert len({model_uid(name) for name in ("a b", "a-b", "A b", "a_b", "航班", "延误")}) == 6


def test_uids_never_change():
    """Bookmarks and alerts hold these: a change here breaks them."""
    assert model_uid("flight-delay") == "modelmeter-flight-delay-de85b53e"
