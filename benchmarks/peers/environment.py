"""Another library in a virtual environment of its own, which ours never gets.

It is asked by running a script there. Data go over in files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from modelmeter.demo import cache

NANNYML = "0.13.1"  # the newest in November 2026
WANTED = (
    f"nannyml=={NANNYML}",
    "statsmodels",  # NannyML 0.13.1 imports it and does not require it
    "pandas<3",  # its DLE fails on the texts of pandas 3
)

EVIDENTLY = "0.7.23"  # the newest in November 2026
EVIDENTLY_WANTED = (
    f"evidently=={EVIDENTLY}",
    "pandas<3",  # it does not import beside pandas 3
    "pyarrow",
)
WHYLOGS = "1.6.4"  # the newest in November 2026
WHYLOGS_WANTED = (f"whylogs=={WHYLOGS}", "numpy<2", "pandas<3", "pyarrow<20")
INSTRUMENTATOR = "8.1.0"  # the newest in November 2026

SCRIPT = Path(__file__).with_name("cbpe.py")


class NotInstalledError(Exception):
    """The other library cannot be had here; the message says why."""


@dataclass(frozen=True)
class Peer:
    """NannyML, ready to be asked.

    Parameters
    ----------
    python
        The interpreter of its environment.
    """

    python: Path

    def run(self, *arguments):
        """Run `cbpe.py` there; its last line of output is JSON, which is returned."""
        # NannyML reports each use to its makers unless told not to.
        quiet = os.environ | {"NML_DISABLE_USAGE_LOGGING": "1"}
        command = [str(self.python), "-W", "ignore", str(SCRIPT), *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, env=quiet)
        if result.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr[-2000:]}")
        return json.loads(result.stdout.splitlines()[-1])

    def data_set(self, name):
        """Return the frames that ``load_<name>`` gives: reference, analysis, targets."""
        import pandas as pd

        with tempfile.TemporaryDirectory() as directory:
            self.run("load", name, directory)
            parts = ("reference", "analysis", "targets")
            return tuple(pd.read_parquet(Path(directory, f"{part}.parquet")) for part in parts)

    def estimate(self, reference, analysis, request):
        """Return what it estimates: see `cbpe.py`. `analysis` must not hold the truth."""
        with tempfile.TemporaryDirectory() as directory:
            reference.to_parquet(Path(directory, "reference.parquet"), index=False)
            analysis.to_parquet(Path(directory, "analysis.parquet"), index=False)
            Path(directory, "request.json").write_text(json.dumps(request))
            return self.run("estimate", directory)


def interpreter(title, version, wanted, *, install=True):
    """Return the interpreter of a library's environment, installed first where it is not there.

    Parameters
    ----------
    title, version
        Of the library; its module has the title in small letters.
    wanted
        What pip is asked for.
    install
        Whether it may be installed now.

    Raises
    ------
    NotInstalledError
        It is not there and may not, or cannot be installed (no network, or a Python that it
        does not support).
    """
    directory = cache.directory() / "peers" / f"{title.lower()}-{version}"
    python = directory / "bin" / "python"
    done = directory / "installed.txt"  # an installation that was cut short lacks it
    if done.exists() and done.read_text() == "\n".join(wanted):
        return python
    if not install:
        raise NotInstalledError(f"{title} {version} is not installed yet: a full run does that")
    print(f"Installing {title} {version} into {directory}", file=sys.stderr)
    for command in (
        [sys.executable, "-m", "venv", str(directory)],
        [str(python), "-m", "pip", "install", "--quiet", "--retries", "1", *wanted],
        [str(python), "-c", f"import {title.lower().replace('-', '_')}"],
    ):
        _run(command, f"{title} {version}")
    done.write_text("\n".join(wanted))
    return python


def nannyml(*, install=True):
    """Return NannyML, installed first where it is not there yet (about 2 GB)."""
    return Peer(interpreter("NannyML", NANNYML, WANTED, install=install))


def evidently(*, install=True):
    """Return the interpreter of Evidently's environment."""
    return interpreter("Evidently", EVIDENTLY, EVIDENTLY_WANTED, install=install)


def whylogs(*, install=True):
    """Return the interpreter of whylogs' environment."""
    return interpreter("whylogs", WHYLOGS, WHYLOGS_WANTED, install=install)


def instrumentator(*, install=True):
    """Return the interpreter of prometheus-fastapi-instrumentator's environment."""
    title = "prometheus-fastapi-instrumentator"
    wanted = (f"{title}=={INSTRUMENTATOR}", "fastapi")
    return interpreter(title, INSTRUMENTATOR, wanted, install=install)


def _run(command, what):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        said = [line for line in result.stderr.splitlines() if not line.startswith("WARNING")]
        raise NotInstalledError(f"{what} cannot be installed: {' '.join(said[-2:])}")
