"""Everything that issue 6 gives a figure for, beside what a user would pick instead.

Peers are installed in environments of their own; ways take turns, so that ratios hold on a
busy machine. One table is printed, and kept by version of a full run::

    python benchmarks [--quick] [--output benchmarks/results/<version>.md]

``--quick`` takes less than three minutes: fewer rows and repeats, a small Prometheus, only
those peers that are installed or small. A full run ends with `estimate.py` and `alarms.py`,
which keep results of their own.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))  # real servers

from harness import growth, requests, training  # noqa: E402
from harness.elsewhere import found, versions  # noqa: E402
from harness.figures import table  # noqa: E402
from peers.environment import evidently, instrumentator, nannyml, whylogs  # noqa: E402

LARGE = {"evidently": evidently, "nannyml": lambda *, install: nannyml(install=install).python}
SMALL = {"whylogs": whylogs, "instrumentator": instrumentator}
OURS = ("numpy", "pandas", "polars", "pyarrow", "scikit-learn", "prometheus_client")


def sections(there, *, quick):
    """Return what measures, one after another."""
    few, million = (3, 250_000) if quick else (9, 1_000_000)
    return (
        requests.observing(repeats=few, large=million),
        requests.added_per_request(there, repeats=few, requests=4_000 if quick else 20_000),
        requests.watching(repeats=20 if quick else 150),
        requests.scraping(repeats=few, seconds=2 if quick else 4),
        requests.importing(repeats=few),
        training.drifting(there, rows=20_000, repeats=few),
        training.building(there, rows=million, repeats=1 if quick else 3),
        training.from_parquet(millions=1 if quick else 8),
    )


def conditions(*, quick, seconds):
    """Return what ran where."""
    here = ", ".join(f"{name} {version(name)}" for name in OURS)
    there = ", ".join(f"{name} {number}" for name, number in sorted(versions.items())) or "none"
    kind = "Quick run" if quick else "Full run"
    load = os.getloadavg()
    return (
        f"{kind} of {time.strftime('%Y-%m-%d', time.gmtime())}, {seconds:.0f} s, modelmeter "
        f"{version('modelmeter')}, Python {platform.python_version()}, {_processor()}, "
        f"{os.cpu_count()} cores, load {load[0]:.1f} at the end. Here: {here}. In environments "
        f"of their own: {there}. Medians, ways taking turns; time on the clock for the middleware "
        "and whatever is in ms except the import, CPU time for the rest: read ratios."
    )


def _processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def main():
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less than three minutes")
    parser.add_argument("--output", type=Path, help="Markdown; of a full run results/<version>.md")
    options = parser.parse_args()
    quick, started = options.quick, time.perf_counter()
    there = found(SMALL, install=True) | found(LARGE, install=not quick)
    figures = []
    for section in sections(there, quick=quick):
        for figure in section:
            figures.append(figure)
            print("  ".join(figure.cells()), file=sys.stderr, flush=True)
    tables = [table(figures), *growth.tables(quick=quick)]
    about = conditions(quick=quick, seconds=time.perf_counter() - started)
    print("\n".join([*(one.text() for one in tables), about]))
    output = options.output
    if output is None and not quick:
        output = HERE / "results" / f"{version('modelmeter')}.md"
    if output:
        parts = ["# What monitoring costs", "Written by `make bench`.", about]
        parts += [one.markdown().rstrip() for one in tables]
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("\n\n".join(parts) + "\n")
    if not quick:
        for script in ("estimate.py", "alarms.py"):
            subprocess.run([sys.executable, HERE / script], check=True)


if __name__ == "__main__":
    main()
