"""What a real Prometheus needs as features, replicas and windows grow."""

from __future__ import annotations

import re
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from peers.tables import Table

import modelmeter as mm
from harness.figures import write
from modelmeter.generate.stack import generate
from modelmeter.live.exposition import Exposition
from modelmeter.live.observer import Observer
from real.prometheus import Prometheus
from real.replica import Replica

HEADER = (
    *("features", "replicas", "windows", "scraped series", "recorded series", "memory, MB"),
    *("evaluation, s", "of a minute, %", "scrape, ms"),
)
WINDOWS = ("1h", "24h", "7d", "30d")
MINUTE = 60  # seconds: the default interval between evaluations


@dataclass(frozen=True)
class Size:
    """What is served and recorded."""

    features: int
    replicas: int = 1
    windows: int = 2  # 0 for no rules
    scrape: str = "15s"


QUICK = (Size(10, scrape="2s"), Size(50, replicas=2, scrape="2s"))
FULL = (
    *(Size(features) for features in (10, 100, 1_000)),
    # With rules it would need 15 GB: who has so many features leaves some out.
    Size(10_000, windows=0),
    *(Size(100, replicas=replicas) for replicas in (10, 50)),
    *(Size(100, windows=windows) for windows in (1, 4)),
)


def tables(*, quick):
    """Return the table of cost by size."""
    rows = []
    for size in QUICK if quick else FULL:
        cells = measure(size)
        print("  ".join(cells), file=sys.stderr, flush=True)
        rows.append(cells)
    return (Table("What Prometheus needs as work grows", HEADER, tuple(rows)),)


def measure(size):
    """Serve a model, let Prometheus scrape and record it, and ask it what that took."""
    frame = make_frame(size.features)
    profile = mm.Profile.build(None, frame, name="bench", version="1", canary_rows=0)
    with ExitStack() as stack:
        observers = [Observer(profile) for _ in range(size.replicas)]
        renders = [Exposition([observer.counts]).render for observer in observers]
        replicas = [stack.enter_context(Replica(render)) for render in renders]
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        generate(
            [profile],
            directory,
            targets=tuple(replica.target for replica in replicas),
            windows=WINDOWS[: size.windows or 1],
            scrape_interval=size.scrape,
            evaluation_interval="5s",
        )
        if not size.windows:
            for rules in directory.rglob("*.rules.yml"):
                rules.write_text("groups: []\n")
        prometheus = stack.enter_context(Prometheus(directory))
        for replica in replicas:
            replica.wait_for_scrapes(1, seconds=120)
        # The counters must rise between two scrapes for there to be anything to judge.
        for observer in observers:
            observer.observe(frame)
        for replica in replicas:
            replica.wait_for_scrapes(2, seconds=120)
        if size.windows:
            prometheus.wait_for_evaluations(time.time(), seconds=600)
        return cells_of(size, prometheus)


def cells_of(size, prometheus):
    """Ask Prometheus about itself."""
    groups = prometheus.api("rules")["groups"]
    often = [group for group in groups if group["interval"] <= MINUTE]
    seconds = sum(group["evaluationTime"] for group in often)
    recorded = prometheus.value('count({__name__=~".+:.+"}) or vector(0)')
    scraped = prometheus.value("sum(scrape_samples_scraped)")
    scrape = prometheus.value("avg(scrape_duration_seconds)")
    return (
        f"{size.features:,}",
        str(size.replicas),
        ", ".join(WINDOWS[: size.windows]) or "no rules",
        f"{scraped:,.0f}",
        f"{recorded:,.0f}",
        f"{resident(prometheus) / 2**20:,.0f}",
        write(seconds),
        write(seconds / MINUTE * 100),
        write(scrape * 1e3),
    )


def resident(prometheus):
    """Return the bytes that the server holds in memory."""
    with urllib.request.urlopen(prometheus.url + "/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = re.search(r"^process_resident_memory_bytes (\S+)", text, re.MULTILINE)
    return float(found[1])


def make_frame(features, rows=2_000):
    """Return rows of numbers, every fifth a text of 12 categories."""
    random = np.random.default_rng(0)
    categories = np.asarray([f"category {i:02}" for i in range(12)], dtype=object)
    columns = {
        f"f{i:05}": categories[random.integers(12, size=rows)]
        if i % 5 == 4
        else random.normal(size=rows)
        for i in range(features)
    }
    return pd.DataFrame(columns)
