"""What Alertmanager runs: who is told, what is told together, and what goes without saying.

Prometheus decides that something is wrong. Alertmanager decides that forty wrong features are
one message, that drift of a feature whose values are missing is no news, and where it goes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files as resources
from typing import Any, Final

from modelmeter.generate.alerts import names
from modelmeter.generate.inhibitions import INHIBITIONS, Inhibition
from modelmeter.generate.notify import Channel, Notify
from modelmeter.generate.rulefile import quote
from modelmeter.generate.settings import Settings

ALERTMANAGER_FILE: Final = "alertmanager.yml"
TEMPLATE_FILE: Final = "templates/modelmeter.tmpl"

NOBODY: Final = "nobody"
"""The receiver of alerts that are only looked up."""

GROUP_BY: Final = ("job", "model", "area")
"""What is told together. Versions are not apart: a broken source breaks them all."""

_ABOUT: Final = (
    "Who is told comes from the file given as --notify. Everything is also to be seen, and "
    "silenced, in Alertmanager's own pages."
)
_HOW_TO: Final = """\
# Nobody is told: alerts are to be seen in Alertmanager's own pages, and that is all. To be told
# by email, Slack or a webhook, write a small file and give it as --notify (see docs/alerts.md):
#
#   [email.team]
#   to = ["ml-team@example.com"]
#   from = "modelmeter@example.com"
#   smarthost = "smtp.example.com:587"
#   username = "modelmeter"
#   password_file = "/run/secrets/smtp-password"
""".splitlines()


def alertmanager_files(settings: Settings, start: str) -> dict[str, str]:
    """Make Alertmanager's configuration and the texts of its messages.

    Parameters
    ----------
    settings
        Who is told (`notify`), and further labels that tell services apart.
    start
        The comment that the configuration starts with.

    Returns
    -------
    dict of str to str
        Text by path inside the generated directory.
    """
    lines = [
        *(_comment(_ABOUT) if settings.notify.channels else _HOW_TO),
        "templates:",
        f"  - {quote(TEMPLATE_FILE)}",
        "",
        *_routes(settings),
        "",
        *_receivers(settings.notify),
        "",
        "inhibit_rules:",
        *(line for rule in INHIBITIONS for line in _inhibition(rule, settings.keep_labels)),
    ]
    template = resources("modelmeter.generate").joinpath("notification.tmpl")
    return {
        ALERTMANAGER_FILE: start + "\n".join(lines) + "\n",
        TEMPLATE_FILE: template.read_text(encoding="utf-8"),
    }


def _routes(settings: Settings) -> Iterator[str]:
    notify = settings.notify
    group = ", ".join((*settings.keep_labels, *GROUP_BY))
    yield "route:"
    # Alerts of other rules, which may have no severity.
    yield f"  receiver: {_receiver(notify, names.WARNING)}"
    yield f"  group_by: [{group}]"
    yield from (f"  {key}: {value}" for key, value in notify.timing.items())
    yield "  routes:"
    for severity in names.SEVERITIES:
        yield f"    - receiver: {_receiver(notify, severity)}"
        yield "      matchers:"
        yield f"        - 'severity=\"{severity}\"'"


def _receiver(notify: Notify, severity: str) -> str:
    return severity if notify.route[severity] else NOBODY


def _receivers(notify: Notify) -> Iterator[str]:
    yield "receivers:"
    yield f"  - name: {NOBODY}"
    for severity, chosen in notify.route.items():
        if not chosen:
            continue
        yield f"  - name: {severity}"
        channels = [notify.channels[one] for one in chosen]
        for kind in dict.fromkeys(channel.kind for channel in channels):
            yield f"    {kind}_configs:"
            for channel in channels:
                if channel.kind == kind:
                    yield f"      # {channel.name!a}"
                    yield from _listed(_CONFIGS[kind](channel), "      ")


def _email(channel: Channel) -> dict[str, Any]:
    given = channel.fields
    login = {"auth_username": given["username"]} if "username" in given else {}
    login |= {"auth_password_file": given["password_file"]} if login else {}
    return {
        "to": ", ".join(given["to"]),
        "from": given["from"],
        "smarthost": given["smarthost"],
        **login,
        "require_tls": given.get("require_tls", True),
        "send_resolved": True,
        "headers": {"Subject": _template("title")},
        "html": _template("html"),
        "text": _template("text"),
    }


def _slack(channel: Channel) -> dict[str, Any]:
    return {
        **channel.fields,
        "send_resolved": True,
        "color": _template("slack.color"),
        "title": _template("slack.title"),
        "title_link": _template("link"),
        "fallback": _template("title"),
        "text": _template("slack.text"),
    }


def _webhook(channel: Channel) -> dict[str, Any]:
    given = dict(channel.fields)
    token = given.pop("credentials_file", None)
    if token is not None:
        given["http_config"] = {"authorization": {"type": "Bearer", "credentials_file": token}}
    return {**given, "send_resolved": True}


_CONFIGS: Final = {"email": _email, "slack": _slack, "webhook": _webhook}


def _template(name: str) -> str:
    return f'{{{{ template "modelmeter.{name}" . }}}}'


def _listed(fields: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Write one item of a list."""
    marker = "- "
    for line in _mapping(fields, f"{indent}  "):
        yield f"{indent}{marker}{line[len(indent) + 2 :]}"
        marker = "  "


def _mapping(fields: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in fields.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _mapping(value, f"{indent}  ")
        elif isinstance(value, bool):
            yield f"{indent}{key}: {str(value).lower()}"
        else:
            yield f"{indent}{key}: {_quoted(value)}"


def _inhibition(rule: Inhibition, keep: Sequence[str]) -> Iterator[str]:
    yield ""
    yield from (f"  {line}" for line in _comment(rule.why, width=96))
    for marker, key, matchers in (("- ", "source", rule.source), ("  ", "target", rule.target)):
        yield f"  {marker}{key}_matchers:"
        yield from (f"      - {_quoted(matcher)}" for matcher in matchers)
    yield f"    equal: [{', '.join((*keep, *rule.equal))}]"


def _quoted(text: str) -> str:
    """Return a YAML scalar that is easy to read where it holds double quotes."""
    return f"'{text}'" if '"' in text and "'" not in text and text.isprintable() else quote(text)


def _comment(text: str, *, width: int = 98) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, width=width)]
