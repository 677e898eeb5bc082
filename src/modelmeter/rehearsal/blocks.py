"""Counts and rules as blocks of Prometheus's database, made by promtool."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelmeter.rehearsal.rulebook import ALERTS, Recording
from modelmeter.rehearsal.server import PrometheusError, Server, promtool
from modelmeter.rehearsal.table import Chunk, Family, Table

HOUR: Final = 3_600_000

_SPANS: Final[tuple[int, ...]] = tuple(2 * HOUR * 3**power for power in range(10))
"""What a block can span: promtool knows these only."""

_MOST_STEPS: Final = 3_000
"""In one block; Prometheus answers with no more than 11,000."""

_MOST_SAMPLES: Final = 2_000_000
"""In one block of one rule: what promtool and Prometheus hold in memory grows with it."""

Firing = tuple[Mapping[str, str], range]
"""Labels of an alert, and the steps in which it fires."""

_RULES: Final = "rules.yml"


@dataclass(frozen=True)
class Grid:
    """The time stamps at which everything is counted and evaluated, in milliseconds.

    Parameters
    ----------
    start
        The first; nothing is counted by then.
    step
        Between two.
    steps
        How many.
    series
        How many a rule may give, about.
    """

    start: int
    step: int
    steps: int
    series: int = 1

    @property
    def span(self) -> int:
        """How long a block is."""
        most = self.step * min(_MOST_STEPS, _MOST_SAMPLES // self.series)
        return max((span for span in _SPANS if span <= most), default=_SPANS[0])

    def time(self, step: int) -> int:
        """Return the time stamp of a step."""
        return self.start + step * self.step

    def chunks(self) -> Iterator[range]:
        """Yield the steps of one block after the other."""
        first = 0
        while first < self.steps:
            end = (self.time(first) // self.span + 1) * self.span
            after = min(self.steps, first + -(-(end - self.time(first)) // self.step))
            yield range(first, after)
            first = after

    @property
    def options(self) -> tuple[str, str]:
        """What promtool is told of it."""
        return "create-blocks-from", f"--max-block-duration={self.span}ms"


def phase(server: Server, folder: Path, step: int) -> int:
    """Return by how much promtool's evaluations are off the multiples of a step, milliseconds.

    A group of rules has its own moment in every interval, by a hash of its name.
    """
    probe, grid = folder / "probe", Grid(10 * step, step, 3)
    rule = Recording("modelmeter:probe", {"record": "modelmeter:probe", "expr": "vector(1)"})
    evaluate(rule, server, grid, probe)
    (probe / "blocks" / "wal").mkdir()
    found = re.findall(r"\} 1 (\d+)$", promtool("tsdb", "dump", "blocks", folder=probe), re.M)
    if not found:
        raise PrometheusError("promtool evaluated no rule; is it of another version?")
    return int(found[0]) % step


def write_chunk(
    chunk: Chunk,
    table: Table,
    constant: Sequence[Family],
    grid: Grid,
    folder: Path,
    *,
    only: Container[str],
) -> None:
    """Make a block of what was counted by the end of some steps, in ``folder/data``.

    Each sample is there twice, a millisecond apart: so that the one at the far end of a window
    counts, whether or not Prometheus takes the end itself (version 2 does, 3 does not).

    Parameters
    ----------
    chunk
        What was counted.
    table
        Which series these are.
    constant
        Series that never change.
    grid
        When.
    folder
        Where to.
    only
        Names of the metrics that are needed.
    """
    times = [grid.time(step) for step in chunk.steps]
    stamps = [(f"{t / 1000:.3f}", f"{(t + 1) / 1000:.3f}") for t in times]
    path = folder / f"counts-{chunk.steps.start}.om"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for family in constant:
            assert family.constant is not None
            for row, value in zip(family.rows, family.constant.tolist(), strict=True):
                series = _series(family, row)
                file.writelines(f"{series} {value!r} {at}\n" for at, _ in stamps)
        for family in table.families:
            if family.name not in only:
                continue
            start = table.starts[family.name]
            for i, row in enumerate(family.rows):
                series = _series(family, row)
                file.writelines(
                    f"{series} {value!r} {at}\n{series} {value!r} {after}\n"
                    for value, (at, after) in zip(
                        chunk.values[:, start + i].tolist(), stamps, strict=True
                    )
                )
        file.write("# EOF\n")
    promtool("tsdb", *grid.options, "openmetrics", path, folder / "data", folder=folder)
    path.unlink()


def write_firing(fired: Sequence[Firing], grid: Grid, folder: Path) -> None:
    """Make blocks of which alerts fired, for other alerts to read.

    Parameters
    ----------
    fired
        Labels, and the steps in which they did.
    grid, folder
        As in `write_chunk`.
    """
    for chunk in grid.chunks():
        lines = [
            f"{_labelled(ALERTS, labels)} 1 {grid.time(step) / 1000:.3f}\n"
            for labels, steps in fired
            for step in range(max(steps.start, chunk.start), min(steps.stop, chunk.stop))
        ]
        if lines:
            path = folder / "alerts.om"
            path.write_text("".join(lines) + "# EOF\n", encoding="utf-8", newline="\n")
            promtool("tsdb", *grid.options, "openmetrics", path, folder / "data", folder=folder)
            path.unlink()


def evaluate(rule: Recording, server: Server, grid: Grid, folder: Path) -> None:
    """Make blocks of what a rule records, in ``folder/blocks``.

    Parameters
    ----------
    rule
        As it was generated.
    server
        Has what the rule reads.
    grid
        When it is evaluated.
    folder
        Made for this rule alone. Names within it are always the same, and so is the hash of
        them by which Prometheus chooses the moment.
    """
    folder.mkdir()
    group = {"name": "rehearsal", "interval": f"{grid.step}ms", "rules": [dict(rule.fields)]}
    (folder / _RULES).write_text(json.dumps({"groups": [group]}))  # JSON is YAML
    promtool(
        "tsdb",
        *grid.options,
        "rules",
        f"--url={server.url}",
        f"--start={grid.time(0) // 1000}",
        f"--end={grid.time(grid.steps - 1) // 1000 + 1}",
        f"--eval-interval={grid.step}ms",
        "--output-dir=blocks",
        _RULES,
        folder=folder,
    )


def _series(family: Family, row: Sequence[str]) -> str:
    return _labelled(family.name, dict(zip(family.labels, row, strict=True)))


def _labelled(name: str, labels: Mapping[str, str]) -> str:
    listed = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{listed}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
