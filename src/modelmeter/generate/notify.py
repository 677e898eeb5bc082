"""Who is told of alerts: a small settings file, checked when it is read.

::

    [email.team]
    to = ["ml-team@example.com"]
    from = "modelmeter@example.com"
    smarthost = "smtp.example.com:587"

    [route]
    critical = ["email.team"]

Secrets never stand in it, only the paths of files that hold them: it can be committed, and so
can what is made from it.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from modelmeter._errors import ConfigurationError
from modelmeter.generate.alerts.names import INFO, SEVERITIES
from modelmeter.generate.durations import parse_duration
from modelmeter.generate.hosts import check_host

TIMING: Final = {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "12h"}
"""When notifications are sent, unless the file says otherwise."""

_SECRETS: Final = {
    "password": "password_file",
    "auth_password": "password_file",
    "api_url": "api_url_file",
    "credentials": "credentials_file",
    "token": "credentials_file",
    "bearer_token": "credentials_file",
}
"""What people write a secret into, and what they are to write instead."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to reach somebody.

    Parameters
    ----------
    kind
        ``email``, ``slack`` or ``webhook``.
    name
        As the user calls it.
    fields
        The checked settings, by name.
    """

    kind: str
    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Who is told of which alerts, and how often. By default nobody.

    Parameters
    ----------
    channels
        By their full name, such as ``email.team``.
    route
        Names of the channels that are told, by severity.
    timing
        Durations by name, see `TIMING`.
    """

    channels: Mapping[str, Channel] = field(default_factory=dict)
    route: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: dict.fromkeys(SEVERITIES, ())
    )
    timing: Mapping[str, str] = field(default_factory=lambda: dict(TIMING))

    @classmethod
    def load(cls, path: str | Path) -> Notify:
        """Read a settings file.

        Parameters
        ----------
        path
            Of a TOML file, see docs/alerts.md.

        Raises
        ------
        ConfigurationError
            The file cannot be read, or something in it cannot work; the message names the
            file and the field.
        """
        try:
            with Path(path).open("rb") as stream:
                document = tomllib.load(stream)
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"cannot read notify file {str(path)!r}: {error}") from error
        try:
            return cls.of(document)
        except ConfigurationError as error:
            raise ConfigurationError(f"in notify file {str(path)!r}: {error}") from None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Notify:
        """Check settings given as nested mappings, as the file holds them.

        Raises
        ------
        ConfigurationError
            Something cannot work; the message names the field.
        """
        _refuse_unknown(document, (*_KINDS, "route", "timing"), where="")
        channels = {
            f"{kind}.{name}": _channel(kind, name, fields)
            for kind in _KINDS
            for name, fields in _table(document, kind).items()
        }
        route = _route(_table(document, "route"), channels)
        return cls(channels=channels, route=route, timing=_timing(_table(document, "timing")))


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name, {})
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} must be a table such as [{name}], not {value!r}")
    return value


def _channel(kind: str, name: str, given: Any) -> Channel:
    where = f"{kind}.{name}"
    if not isinstance(given, Mapping):
        # The value may be a secret that stands in the wrong place: it is not repeated.
        raise ConfigurationError(f"{where} must be a table: name it, as in [{kind}.team]")
    checks, required = _KINDS[kind]
    for key, instead in _SECRETS.items():
        if key in given and instead in checks:
            raise ConfigurationError(
                f"{where}.{key} would put a secret into this file and all that is made from it: "
                f"write it to a file that only Alertmanager can read, and give the path as "
                f"{instead}"
            )
    _refuse_unknown(given, checks, where=f"{where}.")
    for alternatives in required:
        if len(given.keys() & set(alternatives)) != 1:
            raise ConfigurationError(f"{where} needs {' or '.join(alternatives)}")
    if ("username" in given) != ("password_file" in given):
        raise ConfigurationError(f"{where} needs username and password_file, or neither")
    fields = {key: checks[key](given[key], f"{where}.{key}") for key in checks if key in given}
    return Channel(kind, name, MappingProxyType(fields))


def _route(given: Mapping[str, Any], channels: Mapping[str, Channel]) -> dict[str, tuple[str, ...]]:
    _refuse_unknown(given, SEVERITIES, where="route.")
    route = {}
    for severity in SEVERITIES:
        # What is only good to know is looked up, not sent, unless somebody asks for it.
        chosen = given.get(severity, [] if severity == INFO else list(channels))
        if not isinstance(chosen, list) or not all(isinstance(one, str) for one in chosen):
            raise ConfigurationError(
                f"route.{severity} must be a list of channels such as ['email.team'], "
                f"not {chosen!r}"
            )
        for one in chosen:
            if one not in channels:
                raise ConfigurationError(
                    f"route.{severity} names {one!r}, which is not there{_hint(one, channels)}"
                )
        route[severity] = tuple(dict.fromkeys(chosen))
    if unused := sorted(channels.keys() - {one for chosen in route.values() for one in chosen}):
        raise ConfigurationError(
            f"route sends nothing to {', '.join(unused)}: name it or remove it"
        )
    return route


def _timing(given: Mapping[str, Any]) -> dict[str, str]:
    _refuse_unknown(given, TIMING, where="timing.")
    timing = {**TIMING, **given}
    lengths = {key: parse_duration(text, field=f"timing.{key}") for key, text in timing.items()}
    if lengths["repeat_interval"] < lengths["group_interval"]:
        raise ConfigurationError(
            "timing.repeat_interval must be at least timing.group_interval "
            f"({timing['group_interval']}), not {timing['repeat_interval']!r}"
        )
    return timing


def _refuse_unknown(given: Iterable[str], known: Iterable[str], *, where: str) -> None:
    known = list(known)
    for key in given:
        if key not in known:
            raise ConfigurationError(
                f"{where}{key} is not known{_hint(key, known)}; there are {', '.join(known)}"
            )


def _hint(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else ""


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ConfigurationError(f"{where} must be a printable text, not {value!r}")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{where} must be true or false, not {value!r}")
    return value


def _file(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.isprintable() or not _is_absolute(value):
        # Not repeated: it may be the secret itself.
        raise ConfigurationError(
            f"{where} must be the absolute path of a file, as Alertmanager sees it, such as "
            "'/run/secrets/name'"
        )
    return value


def _is_absolute(path: str) -> bool:
    return PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()


def _address(value: Any, where: str) -> str:
    address = parseaddr(_text(value, where))[1]
    if not all(address.rpartition("@")) or " " in address:
        raise ConfigurationError(f"{where} must be an address such as 'a@b.org', not {value!r}")
    return str(value)


def _addresses(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ConfigurationError(f"{where} must be a list of addresses, not {value!r}")
    return tuple(_address(one, where) for one in value)


def _smarthost(value: Any, where: str) -> str:
    return check_host(value, field=where, port=True)


def _url(value: Any, where: str) -> str:
    try:
        parts = urlsplit(_text(value, where))
    except ValueError:
        parts = urlsplit("")
    if parts.username is not None or parts.password is not None or parts.query:
        raise ConfigurationError(
            f"{where} may hold a secret (a password or a query): write the URL to a file, and "
            "give the path as url_file"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{where} must be an http or https URL, not {value!r}")
    return str(value)


_KINDS: Final[
    Mapping[str, tuple[Mapping[str, Callable[[Any, str], Any]], tuple[tuple[str, ...], ...]]]
] = {
    "email": (
        {
            "to": _addresses,
            "from": _address,
            "smarthost": _smarthost,
            "username": _text,
            "password_file": _file,
            "require_tls": _flag,
        },
        (("to",), ("from",), ("smarthost",)),
    ),
    "slack": ({"api_url_file": _file, "channel": _text}, (("api_url_file",), ("channel",))),
    "webhook": (
        {"url": _url, "url_file": _file, "credentials_file": _file},
        (("url", "url_file"),),
    ),
}
"""Fields of each kind of channel and how they are checked; of each list one must be there."""
