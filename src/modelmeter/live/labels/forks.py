"""What must stay right when a process forks, as gunicorn does with ``--preload``.

Fork handlers are one list per process and can never be taken back, so they are registered
once, and find the objects that are still alive here.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Forkable(Protocol):
    """An object with state that a fork would tear."""

    def before_fork(self) -> None:
        """Come to rest; called in the parent."""

    def after_fork(self) -> None:
        """Go on; called in the parent."""

    def after_fork_in_child(self) -> None:
        """Begin anew; called in the child, where no other thread is left."""


_alive: weakref.WeakSet[Forkable] = weakref.WeakSet()
_forking: list[Forkable] = []
_lock = threading.Lock()
_registered: list[bool] = []


def survive_forks(thing: Forkable) -> None:
    """Tell an object of every fork for as long as it lives."""
    with _lock:
        _alive.add(thing)
        if _registered or not hasattr(os, "register_at_fork"):
            return
        _registered.append(True)
        os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)


def _before() -> None:
    _lock.acquire()
    _forking[:] = _alive
    for thing in _forking:
        thing.before_fork()


def _after() -> None:
    for thing in _forking:
        thing.after_fork()
    _forking.clear()
    _lock.release()


def _after_in_child() -> None:
    try:
        for thing in _forking:
            thing.after_fork_in_child()
    finally:
        _forking.clear()
        _lock.release()
