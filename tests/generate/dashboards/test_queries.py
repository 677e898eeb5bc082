"""What queries are made of: names that cannot break out, choices that fit."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from generate.dashboards.grafana import All, fill, variables_of
from modelmeter.generate.dashboards.queries import chosen, exactly, pattern, spoken

SIGNS = "$[]{}()`\\'\"a:.*|/"
ANY = st.text(st.characters(exclude_categories=["Cs"])) | st.text(SIGNS)


@given(ANY)
@example("`$window` [[job]]\n.*")
def test_pattern_is_the_text_and_nothing_else(text):
    """A pattern matches its text only, and holds no sign that Grafana or PromQL would take."""
    found = pattern(text)
    assert re.fullmatch(found, text)
    assert not re.fullmatch(found, text + "x")
    for i in range(len(text)):
        other = f"{text[:i]}x{text[i + 1 :]}"
        assert other == text or not re.fullmatch(found, other)
    assert not variables_of(found)
    assert "`" not in exactly("model", text)[len("model=~`") : -1]


@given(ANY)
@example("costs $window or ${window}")
@example("[[[window]]")
def test_spoken_text_has_no_variable(text):
    """A text for people holds nothing that Grafana would fill in."""
    assert not variables_of(spoken(text))


@given(ANY.filter(lambda name: name and "`" not in name))
def test_a_chosen_name_is_found(name):
    """What is chosen is matched exactly, whatever signs it has, but for a backquote."""
    filled = fill(chosen("feature"), {"feature": name})
    quoted = re.fullmatch("feature=~`([^`]*)`", filled, flags=re.DOTALL)
    assert quoted
    assert re.fullmatch(quoted[1], name)


def test_several_and_all():
    """Several values are alternatives; All is inserted as it is."""
    assert fill(chosen("v"), {"v": ["1.0", "2"]}) == r"v=~`(1\.0|2)`"
    assert fill(chosen("v"), {"v": All(".*")}) == "v=~`.*`"
