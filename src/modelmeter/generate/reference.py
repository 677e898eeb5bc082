"""The table of recorded series in the documentation."""

from __future__ import annotations

from modelmeter.generate.series import ALL, LEVELS

START, END = "<!-- recorded series: start -->", "<!-- recorded series: end -->"


def series_table() -> str:
    """Describe every recorded series as a Markdown table.

    Returns
    -------
    str
        What stands between `START` and `END` in ``docs/rules.md``.
    """
    lines = ["| series | labels | unit | formula | meaning |", "|---|---|---|---|---|"]
    for one in ALL:
        level = one.name.partition(":")[0]
        labels = ", ".join(f"`{label}`" for label in ("…", *one.labels)) if one.labels else "…"
        formula = one.formula.replace("|", "\\|")
        cells = (f"`{one.name}`", labels.replace("`…`", "…"), one.unit or "none", formula)
        assert level in LEVELS
        lines.append(f"| {' | '.join((*cells, one.meaning))} |")
    return "\n".join(lines) + "\n"


def update(page: str) -> str:
    """Return a page with the table in it brought up to date."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{series_table()}{END}{after}"
