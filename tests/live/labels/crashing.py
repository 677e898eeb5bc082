"""Processes that use one label store at once, and are killed: ``python crashing.py TASK URL ...``.

Everything is imported here once; the processes are forked from it, so that a round takes as long
as what is tried. Each tells over a pipe what it was answered. The last line printed is JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable

from live.labels.common import check_books, item, label, made, open_store
from modelmeter._errors import StoreUnavailableError

IDS = 300


def ids():
    return [f"id{i:04}" for i in range(IDS)]


def truth(id_):
    return int(id_[2:]) % 3 == 0


class Child:
    """A forked process and what it has told so far.

    Parameters
    ----------
    work
        Run in the process, with a function that tells a line.
    """

    def __init__(self, work: Callable[[Callable[[str], None]], None]) -> None:
        self._pipe, end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                work(lambda line: os.write(end, f"{line}\n".encode()) and None)
                status = 0
            except BaseException:  # noqa: BLE001 - the status tells the parent
                traceback.print_exc()
            finally:
                # Not through the parent's exit handlers.
                sys.stderr.flush()
                os._exit(status)
        os.close(end)
        self._told = b""

    def listen(self, seconds: float) -> None:
        """Hear what it tells within a time; returns early when it has ended."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._pipe], [], [], left)[0]:
                heard = os.read(self._pipe, 1 << 16)
                if not heard:
                    return
                self._told += heard

    def wait_for_word(self) -> None:
        """Wait until it has told something, or has ended."""
        before = len(self._told)
        while len(self._told) == before and select.select([self._pipe], [], [], 30)[0]:
            heard = os.read(self._pipe, 1 << 16)
            if not heard:
                return
            self._told += heard

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def join(self) -> list[str]:
        """Wait for its end and return the lines it told in full."""
        while heard := os.read(self._pipe, 1 << 16):
            self._told += heard
        os.close(self._pipe)
        _, status = os.waitpid(self.pid, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise RuntimeError("a process failed; see above")
        return self._told.decode().split("\n")[:-1]


def labeller(url, seed):
    """Label in random batches, many ids more than once, until killed or done."""

    def work(tell):
        dice = random.Random(seed)
        store = open_store(url)
        for _ in range(400):
            batch = dice.sample(ids(), dice.randint(1, 15))
            found = label(store, *(item(id_, truth(id_)) for id_ in batch))
            for id_, kind in zip(batch, found, strict=True):
                tell(f"{kind} {id_}")

    return work


def kill_labellers(url, rounds, seed):
    """Kill processes at random moments while labels arrive; see after each that books agree."""
    dice = random.Random(seed)
    with open_store(url) as store:
        store.remember(made(*ids()))
        assert store.flush(30)
    answers, growth = [], []
    for _ in range(rounds):
        children = [Child(labeller(url, dice.random())) for _ in range(2)]
        # Now and then before it has said anything: while it opens the store.
        if dice.random() < 0.9:
            children[0].wait_for_word()
        for child in children:
            child.listen(dice.uniform(0, 0.01))
            child.kill()
        for child in children:
            answers += child.join()
        growth.append(check_books(url))
        if growth[-1] == IDS:
            break
    with open_store(url) as store:
        last = label(store, *(item(id_, truth(id_)) for id_ in ids()))
    labels = check_books(url)
    return {"answers": answers, "last": dict(zip(ids(), last, strict=True)), "growth": growth} | {
        "labels": labels
    }


def kill_writers(url, rounds, seed):
    """Kill processes while they write predictions; what was flushed is there, and in the books."""
    dice = random.Random(seed)
    told = []

    def writer(number):
        def work(tell):
            store = open_store(url)
            for i in range(200):
                mine = [f"w{number}-{i}-{k}" for k in range(random.randint(1, 20))]
                store.remember(made(*mine))
                if store.flush(10):
                    tell(" ".join(mine))

        return work

    for number in range(rounds):
        child = Child(writer(number))
        child.wait_for_word()
        child.listen(dice.uniform(0, 0.05))
        child.kill()
        told += [id_ for line in child.join() for id_ in line.split()]
        check_books(url)
    with open_store(url) as store:
        found = label(store, *map(item, told))
    return {"told": len(told), "counted": found.count("counted"), "labels": check_books(url)}


def race_labellers(url, processes, seed):
    """Let processes bring the same labels at once; each is counted by one of them."""
    with open_store(url) as store:
        store.remember(made(*ids()))
        assert store.flush(30)

    def work(tell):
        store = open_store(url)
        order = ids()
        random.shuffle(order)
        while order:
            batch = [order.pop() for _ in range(min(len(order), 25))]
            found = label(store, *(item(id_, truth(id_)) for id_ in batch))
            for id_, kind in zip(batch, found, strict=True):
                tell(f"{kind} {id_}")

    children = [Child(work) for _ in range(processes)]
    answers = [line for child in children for line in child.join()]
    return {"answers": answers, "labels": check_books(url)}


def race_predictions(url, processes, seed):
    """Let labels arrive in some processes while others still write the predictions."""

    def shuffled(part):
        random.Random(seed + len(part)).shuffle(part)
        return part

    def predict(number):
        def work(tell):
            store = open_store(url)
            for id_ in shuffled(ids()[number:150:processes]):
                store.remember(made(id_))
                store.flush(30)
            store.close()

        return work

    def feed(tell):
        store = open_store(url)
        for id_ in shuffled(ids()[:150]):
            tell(f"{label(store, item(id_, truth(id_)))[0]} {id_}")

    children = [Child(predict(i)) for i in range(processes)] + [Child(feed)]
    answers = [line for child in children for line in child.join()]
    # The last look: what is left is what two transactions passed each other by with.
    with open_store(url, clock=lambda: time.time() + 601) as store:
        waiting = store.snapshot().waiting
        store._tidy()
        left = store.snapshot().waiting
    return {"answers": answers, "waiting": waiting, "left": left, "labels": check_books(url)}


def open_together(folder, processes, seed):
    """Let processes open a database that is not there yet, at the same moment, ten times."""
    answers = []
    for number in range(10):
        url = f"sqlite:///{folder}/{number}.db"
        moment = time.time() + 0.2

        def work(tell, url=url, moment=moment):
            while time.time() < moment:  # sleeping would wake them one by one
                pass
            with open_store(url) as store:
                tell(label(store, item("nobody"))[0])

        children = [Child(work) for _ in range(processes)]
        answers += [line for child in children for line in child.join()]
    return {"answers": answers}


def label_until_down(url, rounds, seed):
    """Label until the server is gone, telling every answer; then end."""

    def work(tell):
        store = open_store(url, timeout_seconds=1)
        tell("ready")
        try:
            for id_ in ids():
                tell(f"{label(store, item(id_, truth(id_)))[0]} {id_}")
        except StoreUnavailableError:
            tell("down")

    with open_store(url) as store:
        store.remember(made(*ids()))
        assert store.flush(30)
    child = Child(work)
    child.wait_for_word()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    return {"answers": child.join()}


if __name__ == "__main__":
    task, url_, number_, seed_ = sys.argv[1:]
    found = globals()[task](url_, int(number_), int(seed_))
    sys.stdout.write(json.dumps(found) + "\n")
