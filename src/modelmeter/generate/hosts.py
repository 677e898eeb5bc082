"""Addresses that other programs are to connect to: ``host:port``."""

from __future__ import annotations

import re
from typing import Final

from modelmeter._errors import ConfigurationError

_LOOPBACK: Final = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?", re.IGNORECASE)
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s/:@?#\[\]]+)(:([0-9]{1,5}))?")


def check_host(value: object, *, field: str, port: bool = False, hint: str = "") -> str:
    """Return an address.

    Parameters
    ----------
    value
        Such as ``api-1:5000`` or ``[::1]:5000``.
    field
        The setting it belongs to, for the error.
    port
        Whether the port must be named.
    hint
        What else the error is to say.

    Raises
    ------
    ConfigurationError
        `value` is no such address.
    """
    match = _HOST.fullmatch(value) if isinstance(value, str) else None
    if not match or (port and not match[3]) or int(match[3] or 1) not in range(1, 65536):
        raise ConfigurationError(
            f"{field} must be 'host:port' without scheme or path{hint}, not {value!r}"
        )
    return match[0]


def is_loopback(host: str) -> bool:
    """Say whether an address means the machine that it is used on.

    Examples
    --------
    >>> is_loopback("localhost:5000"), is_loopback("api-1:5000")
    (True, False)
    """
    return _LOOPBACK.fullmatch(host) is not None
