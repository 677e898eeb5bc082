"""The folded file: what workers that ended have counted, together; see ``folding.py``."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from modelmeter.live.files import SCHEMA_VERSION
from modelmeter.live.peers import Model, Series, metric_of, resolved, rows_of, shape_of
from modelmeter.live.totals import Total
from modelmeter.names import Metric
from modelmeter.names.metric import MODEL

FOLDED: Final = f"folded-{SCHEMA_VERSION}.json"
TEMPORARY: Final = ".tmp"
"""What a file ends in that is to take the folded file's place."""

_STAMP: Final = 80  # bytes from the start: they hold the token


class Identity(NamedTuple):
    """Whose counts these are; all empty where no model is concerned."""

    model: Model = ("", "")
    profile: str = ""

    def served(self, served: Mapping[Model, set[str]]) -> bool:
        """Tell whether a worker serves this model, given the profiles by model served."""
        return self.model == ("", "") or (self.model in served and not self.disagrees(served))

    def disagrees(self, served: Mapping[Model, set[str]]) -> bool:
        """Tell whether workers serve this model, and all of them with another profile."""
        profiles = served.get(self.model)
        return bool(self.profile and profiles and self.profile not in profiles)


class Folded:
    """What workers that ended have counted, as one file says.

    Parameters
    ----------
    directory
        Where it is.
    known
        As of `PeerFile`.

    Attributes
    ----------
    series
        By whose they are; empty while there is no file.
    absorbed
        Names of the workers' files that are in it.
    since
        When a model was first found to be served by nobody, Unix time.
    damage
        What is wrong with the file; None for nothing.
    """

    def __init__(self, directory: Path, known: Mapping[str, Metric] | None) -> None:
        self.path = directory / FOLDED
        self._known = known
        self._stamp: bytes | None = None
        self.damage: str | None = None
        self._empty()

    def refresh(self) -> bool:
        """Read the file if it is another one than the last time; tell whether it was."""
        try:
            with self.path.open("rb") as file:
                # Not its inode and time: both come again when files are replaced quickly.
                stamp = file.read(_STAMP)
                if stamp == self._stamp:
                    return False
                data = stamp + file.read()
        except FileNotFoundError:
            changed, self._stamp = self._stamp is not None, None
            self._empty()
            return changed
        self._stamp = stamp
        self._empty()
        try:
            self._parse(json.loads(data))
        except (ValueError, KeyError, TypeError) as error:
            self._empty()
            self.damage = f"it cannot be read: {error}"
        return True

    def _empty(self) -> None:
        self.series: list[tuple[Identity, Series]] = []
        self.absorbed: frozenset[str] = frozenset()
        self.since: dict[Identity, float] = {}
        self.damage = None

    def _parse(self, content: Mapping[str, Any]) -> None:
        self.absorbed = frozenset(map(str, content["absorbed"]))
        for name, number, profile, since in content["since"]:
            self.since[Identity((name, number), profile)] = float(since)
        for entry in content["series"]:
            written = metric_of(entry)
            rows = rows_of(written, entry)
            values = np.array(entry["values"], np.float64).reshape(shape_of(written, len(rows)))
            created = np.array(entry["created"], np.float64).reshape(len(rows))
            metric = resolved(written, self._known)
            if metric is not None and rows:
                identity = Identity((entry["model"], entry["version"]), entry["profile"])
                self.series.append((identity, Series(metric, rows, values, created)))


def by_identity(series: Series, models: Mapping[Model, str]) -> Iterator[tuple[Identity, Series]]:
    """Split series by the model that they are about."""
    labels = series.metric.labels
    if not set(MODEL) <= set(labels):
        yield Identity(), series
        return
    model, number = (labels.index(label) for label in MODEL)
    groups: dict[Model, list[int]] = {}
    for place, row in enumerate(series.rows):
        groups.setdefault((row[model], row[number]), []).append(place)
    for key, places in groups.items():
        # Requests are labelled with a model too; only what begins with it depends on a profile.
        profile = models.get(key, "") if labels[:2] == MODEL else ""
        rows = tuple(series.rows[place] for place in places)
        yield Identity(key, profile), series._replace(rows=rows, values=series.values[places])


def write_folded(
    path: Path,
    totals: Mapping[tuple[Identity, Metric], Total],
    absorbed: list[str],
    since: Mapping[Identity, float],
) -> None:
    """Put a folded file in the place of another: at any moment one of the two is there.

    Parameters
    ----------
    path
        The file.
    totals
        All counts, by whose they are.
    absorbed, since
        As of `Folded`.

    Raises
    ------
    OSError
        There is no room; the old file stays.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "token": secrets.token_hex(16),
        "writer": f"modelmeter {version('modelmeter')}",
        "absorbed": absorbed,
        "since": [[*i.model, i.profile, at] for i, at in sorted(since.items())],
        "series": [_entry(identity, total) for (identity, _), total in totals.items()],
    }
    temporary = path.with_suffix(TEMPORARY)
    try:
        with temporary.open("wb") as file:
            file.write(json.dumps(content, separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _entry(identity: Identity, total: Total) -> dict[str, Any]:
    metric = total.metric
    return {
        "metric": metric.name,
        "type": metric.type,
        "labels": metric.labels,
        "buckets": metric.buckets,
        "merge": metric.merge,
        "live": metric.live,
        "model": identity.model[0],
        "version": identity.model[1],
        "profile": identity.profile,
        "created": total.created.tolist(),
        "rows": total.rows,
        "values": total.values.ravel().tolist(),
    }
