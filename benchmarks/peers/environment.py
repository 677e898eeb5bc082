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


def nannyml():
    """Return NannyML, installed first where it is not there yet.

    Raises
    ------
    NotInstalledError
        pip cannot install it (no network, or a Python that it does not support).
    """
    directory = cache.directory() / "peers" / f"nannyml-{NANNYML}"
    python = directory / "bin" / "python"
    done = directory / "installed.txt"  # an installation that was cut short lacks it
    wanted = "\n".join(WANTED)
    if not done.exists() or done.read_text() != wanted:
        print(f"Installing NannyML {NANNYML} into {directory} (about 2 GB)", file=sys.stderr)
        _run([sys.executable, "-m", "venv", str(directory)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--retries", "1", *WANTED])
        _run([str(python), "-c", "import nannyml"])
        done.write_text(wanted)
    return Peer(python)


def _run(command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        said = [line for line in result.stderr.splitlines() if not line.startswith("WARNING")]
        raise NotInstalledError(f"NannyML {NANNYML} cannot be installed: {' '.join(said[-2:])}")
