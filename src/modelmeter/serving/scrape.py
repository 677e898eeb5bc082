"""What ``/metrics`` answers: the counts, and the user's own metrics beside them.

A metric family of the user's that has a name of ours is left out (and named once in the log):
two families of one name make a scrape invalid, and merging, say, the requests that
prometheus-fastapi-instrumentator counts into ours would double every sum over them. It stays
in the user's registry, for whoever exports that elsewhere.

In prometheus_client's multiprocess mode (``PROMETHEUS_MULTIPROC_DIR``) the user's metrics are
those of all workers, as its ``MultiProcessCollector`` merges them. What that leaves out, collectors
of the user's own and ``Info``, is exported as well, as this worker has it; an ``Enum`` or the
garbage collector's counters of whichever worker happens to answer would only confuse.
"""

from __future__ import annotations

import gzip
import hmac
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from modelmeter import names
from modelmeter._errors import ConfigurationError
from modelmeter.live.exposition import Exposition, family_name
from modelmeter.live.multiproc import multiproc_directory
from modelmeter.serving.failures import Failures

logger = logging.getLogger("modelmeter")

Headers = list[tuple[str, str]]

_EOF: Final = b"# EOF\n"
_SUFFIXES: Final = {
    "counter": ("_total", "_created"),
    "summary": ("_sum", "_count", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
    "info": ("_info",),
}


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    headers: Headers
    body: bytes


class Scrape:
    """Answers scrapes.

    Parameters
    ----------
    exposition
        The counts.
    registry
        The user's own metrics; None for none.
    bearer
        Who may scrape; None for everybody.
    failures
        Where to count failures of the user's collectors.
    """

    def __init__(
        self,
        exposition: Exposition,
        registry: Collector | None,
        bearer: Bearer | None,
        failures: Failures,
    ) -> None:
        self._exposition = exposition
        self._users = None if registry is None else _WithoutOurs(registry)
        self._bearer = bearer
        self._failures = failures
        failures.expect("metrics")
        failures.expect("counts")

    def answer(
        self, accept: str = "", accept_encoding: str = "", authorization: str = ""
    ) -> Answer:
        """Return the response to a GET with these request headers."""
        if self._bearer is not None and not self._bearer.allows(authorization):
            challenge = ("WWW-Authenticate", 'Bearer realm="metrics"')
            plain = ("Content-Type", "text/plain; charset=utf-8")
            return Answer(401, [challenge, plain], b"a bearer token is needed here\n")
        encoder, content_type = choose_encoder(accept)
        body = self._users_part(encoder)
        openmetrics = content_type.startswith("application/openmetrics-text")
        body += self._exposition.render(openmetrics=openmetrics)
        for _ in self._exposition.problems():  # by the next scrape they are in the counts
            self._failures.tally("counts")
        if openmetrics:
            body += _EOF
        headers = [("Content-Type", content_type), ("Vary", "Accept, Accept-Encoding")]
        if accepts_gzip(accept_encoding):
            # The fastest level: 40 % larger than the default's output, in a tenth of its time.
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers.append(("Content-Encoding", "gzip"))
        return Answer(200, headers, body)

    def _users_part(self, encoder: Any) -> bytes:
        if self._users is None:
            return b""
        try:
            encoded: bytes = encoder(self._users)
        except Exception as error:  # noqa: BLE001 - a collector of the user's is broken
            self._failures.count("metrics", error)
            return b""
        return encoded.removesuffix(_EOF)


class Bearer:
    """A bearer token that scrapes have to present.

    Parameters
    ----------
    token
        The token itself.
    token_file
        A file that holds it; read again when it changes, so that tokens can be rotated.

    Raises
    ------
    ConfigurationError
        When both or neither are given, or the token is empty or cannot be read.
    """

    def __init__(self, token: str | None = None, token_file: str | Path | None = None) -> None:
        if (token is None) == (token_file is None):
            raise ConfigurationError("give either a token or a token_file")
        self._path = None if token_file is None else Path(token_file)
        self._stamp: tuple[int, int, int] | None = None
        self._token = (token or "").encode()
        if self._path is not None:
            try:
                self._read(self._path)
            except OSError as error:
                raise ConfigurationError(
                    f"cannot read the token in {str(token_file)!r}: {error}"
                ) from error
        if not self._token:
            raise ConfigurationError("the bearer token for metrics is empty")

    def allows(self, authorization: str) -> bool:
        """Tell whether an ``Authorization`` header carries the token."""
        if self._path is not None:
            with suppress(OSError):  # being replaced, or gone: the last one holds
                self._read(self._path)
        scheme, _, given = authorization.partition(" ")
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)
        return same and scheme.lower() == "bearer"

    def _read(self, path: Path) -> None:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if stamp != self._stamp:
            # An empty file is one that is just being written.
            self._token = path.read_bytes().strip() or self._token
            self._stamp = stamp


class _WithoutOurs:
    """A registry as it is, but for families that have a name of ours."""

    def __init__(self, registry: Collector) -> None:
        self._registry = registry
        self._logged: set[str] = set()

    def collect(self) -> Iterator[Any]:
        for family in self._collected():
            if _names(family.name, family.type).isdisjoint(_OURS):
                yield family
            elif not family.name.startswith("process_") and family.name not in self._logged:
                # process_* are the same figures, of this worker alone.
                self._logged.add(family.name)
                logger.warning(
                    "%s is left out of /metrics: modelmeter exports a metric of that name",
                    family.name,
                )

    def _collected(self) -> Iterator[Any]:
        directory = multiproc_directory() if self._registry is REGISTRY else None
        if directory is None:
            yield from self._registry.collect()
            return
        from prometheus_client.multiprocess import MultiProcessCollector

        merged = list(MultiProcessCollector(None, directory).collect())  # type: ignore[no-untyped-call]
        yield from merged
        done = {family.name for family in merged}
        for family in self._registry.collect():
            alone = family.type == "stateset" or family.name.startswith("python_gc_")
            if family.name not in done and not alone:
                yield family


def _names(family: str, kind: str) -> set[str]:
    """Return every name that a family may use in either format."""
    return {family, *(family + suffix for suffix in _SUFFIXES.get(kind, ()))}


def _all_names(metrics: Iterable[names.Metric]) -> frozenset[str]:
    pairs = ((family_name(metric, openmetrics=True), metric.type) for metric in metrics)
    return frozenset(name for family, kind in pairs for name in _names(family, kind))


_OURS: Final = _all_names(names.ALL)


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether a client takes what is packed, from its header."""
    for part in accept_encoding.split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            quality = parameters.replace(" ", "").lower()
            return quality not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
