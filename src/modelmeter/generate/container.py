"""How a model's container is told what to do, by Compose and by Kubernetes alike.

`modelmeter serve` reads these variables where an option is not given; a service of one's own
may read them, or not.
"""

from __future__ import annotations

from typing import Final

PORT: Final = 5000

PROFILE: Final = "/etc/modelmeter/profile.json"
DATA: Final = "/var/lib/modelmeter"
"""Where a container may write what must outlive it."""

STORE: Final = f"{DATA}/labels.db"
HEALTH: Final = "/health"
READY: Final = "/ready"


def environment(*, token_file: str | None) -> dict[str, str]:
    """Return the variables, without the store, which may be a secret.

    Parameters
    ----------
    token_file
        Where the bearer token is; None where none is asked for.
    """
    variables = {
        "MODELMETER_HOST": "0.0.0.0",  # the container's own
        "MODELMETER_PORT": str(PORT),
        "MODELMETER_WORKERS": "1",
        "MODELMETER_PROFILE": PROFILE,
    }
    if token_file is not None:
        variables["MODELMETER_TOKEN_FILE"] = token_file
    return variables
