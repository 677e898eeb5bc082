"""Ids that the store makes."""

from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from live.labels.common import now
from modelmeter.live.labels import new_id
from modelmeter.live.labels.records import time_of_id


def test_new_ids_are_uuids_in_the_order_of_time():
    """An id is a UUID of version 8, no two are alike, and later ones sort later."""
    ids = [new_id(1.7e9 + i / 1000) for i in range(1000)]
    assert ids == sorted(set(ids))
    assert {(UUID(id_).version, UUID(id_).variant) for id_ in ids} == {(8, "specified in RFC 4122")}
    assert len({new_id(5) for _ in range(1000)}) == 1000


@given(st.floats(0, 2**47 / 1000))
def test_an_id_tells_its_time(moment):
    """The time of an id that was made here is known to the millisecond."""
    assert 0 <= moment - time_of_id(new_id(moment)) < 0.00101 + moment * 1e-15


def test_the_time_is_now_by_default():
    """Without a time, an id is of now."""
    assert abs(time_of_id(new_id()) - now()) < 10


def test_other_ids_tell_nothing():
    """Ids of other people tell no time, whatever they look like."""
    mine = new_id()
    others = [str(uuid4()), mine.upper()[:-1], mine[:14] + "7" + mine[15:], "", "x" * 36]
    assert [time_of_id(other) for other in others] == [None] * 5
    assert time_of_id(mine[:-1] + "x") is None
