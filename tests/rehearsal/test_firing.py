"""When alerts fire, against Prometheus's own state machine written out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modelmeter.rehearsal.firing import episodes


def as_prometheus(active, *, step, hold, keep, steps):
    """Walk through the evaluations as `AlertingRule.Eval` does."""
    state, since, resting, firing = "inactive", 0.0, None, []
    for i in range(steps):
        now = i * step
        if i in active:
            if state == "inactive":
                state, since = "pending", now
            resting = None
        elif state == "firing" and keep > 0:
            resting = now if resting is None else resting
            if now - resting >= keep:
                state = "inactive"
        else:
            state = "inactive"
        if state == "inactive":
            resting = None
        if state == "pending" and now - since >= hold:
            state = "firing"
        firing.append(state == "firing")
    return firing


@given(
    active=st.sets(st.integers(0, 39)),
    step=st.sampled_from([60.0, 300.0, 1800.0]),
    hold=st.sampled_from([0.0, 60.0, 600.0, 3600.0]),
    keep=st.sampled_from([0.0, 60.0, 900.0, 3600.0]),
)
def test_episodes_are_those_of_prometheus(active, step, hold, keep):
    """Whatever is active when, ``for`` and ``keep_firing_for`` act as in Prometheus."""
    settings = {"step": step, "hold": hold, "keep": keep, "steps": 40}
    found = [False] * 40
    before = -1
    for began, ended in episodes(sorted(active), **settings):
        assert began > before
        before = 40 if ended is None else ended
        found[began:before] = [True] * (before - began)
    assert found == as_prometheus(active, **settings)


def test_what_is_too_short_never_fires():
    """An expression that does not last for ``for`` makes no episode."""
    assert list(episodes([3, 4, 7], step=60, hold=120, keep=0, steps=9)) == []
    assert list(episodes([], step=60, hold=0, keep=0, steps=9)) == []
