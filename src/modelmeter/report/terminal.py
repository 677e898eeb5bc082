"""Findings in a terminal: for `check`, `top`, and people on a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from modelmeter._errors import MissingExtraError
from modelmeter.report.problems import figure_name
from modelmeter.report.schema import FeaturePart, FigurePart, Findings, SignalsPart
from modelmeter.report.words import count, duration, figure, percent, shortened

try:
    from rich.console import Console, Group, RenderableType
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.table import Table
    from rich.text import Text
except ImportError as error:
    raise MissingExtraError("rich", "cli") from error

COLOURS: Final = {
    "alarm": "bold red",
    "ok": "green",
    "few_rows": "yellow",
    "few_training_rows": "yellow",
}
WIDE: Final = 140
"""From so many characters on everything has room."""

_NAMED: Final = 0.005
_WORDS: Final = {
    "alarm": "drift",
    "ok": "ok",
    "few_rows": "too few rows",
    "few_training_rows": "too few in training",
}
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_WIDEST: Final = 14
_MOST_FIGURES: Final = 8


def findings_view(findings: Findings, *, most: int = 40, width: int = WIDE) -> RenderableType:
    """Return findings as rich draws them.

    Parameters
    ----------
    findings
        From `summarise`.
    most
        So many features are listed.
    width
        Of the terminal, in characters: a narrow one has fewer columns.
    """
    parts: list[RenderableType] = [_title(findings), _verdict(findings)]
    if findings["signals"] is not None and findings["signals"]["requests"]:
        parts.append(_signals(findings["signals"]))
    parts += [Text(), _features(findings, most, width)]
    hidden = len(findings["features"]) - most
    if hidden > 0:
        parts.append(Text(f"and {hidden:,} more features that drifted less", style="dim"))
    performance = _performance(findings)
    if performance is not None:
        parts += [Text(), performance]
    beside = [*_labels(findings), *_other_problems(findings)]
    if beside:
        parts += [Text(), *beside]
    return Group(*parts)


def counting_bar(console: Console) -> Progress:
    """Return a progress bar for rows that are counted; it goes away when it is done."""
    return Progress(
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.completed:,.0f} rows"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def spark(shares: Sequence[float | None]) -> str:
    """Draw shares by bin in one line of text, neighbours together where there are many.

    Examples
    --------
    >>> spark([0.1, 0.4, None])
    '▂█ '
    """
    size = -(-len(shares) // _WIDEST) if shares else 1
    groups = [shares[start : start + size] for start in range(0, len(shares), size)]
    values = [sum(share or 0.0 for share in group) for group in groups]
    highest = max(values, default=0.0)
    if not highest:
        return ""
    # What is there is seen, however little.
    steps = (max(round(v / highest * 8), 1 if v else 0) for v in values)
    return "".join(_BLOCKS[step] for step in steps)


def _title(findings: Findings) -> Text:
    model, source = findings["model"], findings["source"]
    text = Text(f"{shortened(model['name'])} {shortened(model['version'])}", style="bold")
    where = f", {source['where']}" if source["where"] else ""
    rows = f"  {count(findings['rows'])} rows, {findings['window']['text']}{where}"
    return text.append(rows, style="not bold dim")


def _verdict(findings: Findings) -> Text:
    return Text(findings["verdict"], style=COLOURS[findings["state"]])


def _signals(signals: SignalsPart) -> Text:
    latency = [
        f"{name} {duration(value)}"
        for name, value in (
            ("p50", signals["latency"]["p50"]),
            ("p95", signals["latency"]["p95"]),
            ("p99", signals["latency"]["p99"]),
        )
        if value is not None
    ]
    parts = [
        f"{figure(signals['requests_per_second'])} requests/s",
        f"{percent(signals['error_ratio'])} failed",
        *latency,
    ]
    if signals["in_progress"] is not None:
        parts.append(f"{count(signals['in_progress'])} in progress")
    busy = [b for w in signals["workers"] if (b := w["threadpool_busy_ratio"]) is not None]
    lag = [x for w in signals["workers"] if (x := w["event_loop_lag_seconds"]) is not None]
    if busy:
        parts.append(f"threads {percent(max(busy))} busy")
    if lag:
        parts.append(f"event loop lag {duration(max(lag))}")
    return Text(" · ".join(parts))


def _features(findings: Findings, most: int, width: int) -> Table:
    parts = [*findings["predictions"], *findings["features"][:most]]
    longest = max((len(shortened(part["name"])) for part in parts), default=0)
    # Heading, from how wide a terminal on, and how the column is drawn.
    columns: list[tuple[str, int, dict[str, Any]]] = [
        ("", 0, {"min_width": min(longest, 20 if width < WIDE else 32), "overflow": "fold"}),
        ("", 0, {"min_width": max((len(_word(part)) for part in parts), default=0)}),
        ("training", 100, {"no_wrap": True, "min_width": _WIDEST}),
        ("live", 0, {"no_wrap": True, "min_width": _WIDEST}),
        ("PSI", 0, {"no_wrap": True, "min_width": 5, "justify": "right"}),
        ("of", 100, {"no_wrap": True, "min_width": 4, "justify": "right"}),
        ("rates", 0, {"no_wrap": True, "overflow": "ellipsis", "max_width": 36}),
        ("moved most", 120, {"no_wrap": True, "overflow": "ellipsis", "ratio": 1}),
    ]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    for heading, least, options in columns:
        if width >= least:
            table.add_column(heading, **options)
    for part in parts:
        cells = zip(columns, _feature(part), strict=True)
        table.add_row(*(cell for (_, least, _), cell in cells if width >= least))
    return table


def _word(part: FeaturePart) -> str:
    drift = part["drift"]["state"]
    if not part["rows"]:
        return "no answers" if part["role"] == "prediction" else "no rows"
    changed = any(rate["state"] == "alarm" for rate in part["rates"])
    return "rates" if changed and drift != "alarm" else _WORDS[drift]


def _feature(part: FeaturePart) -> Iterator[Text]:
    drift = part["drift"]
    style = COLOURS[part["state"]]
    yield Text(shortened(part["name"]), style="italic" if part["role"] == "prediction" else "")
    yield Text(_word(part), style=style)
    yield Text(spark([one["training_share"] for one in part["bins"]]), style="blue")
    yield Text(spark([one["share"] for one in part["bins"]]), style=style)
    excess = drift["psi_excess"]
    yield Text("" if excess is None else f"{max(excess, 0.0):.3f}", style=COLOURS[drift["state"]])
    yield Text(f"{drift['threshold']:.2g}", style="dim")
    yield Text(", ").join(_rates(part))
    moved = ""
    if part["moved"] and part["state"] == "alarm":
        most = part["bins"][part["moved"][0]]
        shares = f"{percent(most['share'])}, was {percent(most['training_share'])}"
        moved = f"{shortened(most['label'])}: {shares}"
    yield Text(moved, style="dim")


def _rates(part: FeaturePart) -> Iterator[Text]:
    """Say the rates that changed, with training's, then those that are not 0."""
    for rate in sorted(part["rates"], key=lambda rate: rate["state"] != "alarm"):
        word = rate["check"].replace("_", " ")
        if rate["state"] == "alarm":
            was = f", was {percent(rate['training_rate'])}"
            yield Text(f"{word} {percent(rate['rate'])}{was}", style=COLOURS["alarm"])
        elif rate["rate"] and rate["rate"] >= _NAMED:
            yield Text(f"{word} {percent(rate['rate'])}")


def _performance(findings: Findings) -> Table | None:
    performance = findings["performance"]
    shown = [
        metric
        for metric in (performance["metrics"] if performance else [])
        if metric["realised"] or metric["estimated"]
    ]
    if performance is None or not shown:
        return None
    shown.sort(key=lambda metric: not (metric["main"] or metric["judged"]))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    for name in ("realised", "estimated", "training"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = performance["labelled_rows"], performance["predicted_rows"], performance["baseline_rows"]
    table.add_row("rows", *(count(number) if number else "" for number in rows), style="dim")
    for metric in shown[:_MOST_FIGURES]:
        sides = (metric["realised"], metric["estimated"], metric["baseline"])
        table.add_row(Text(figure_name(metric)), *map(_figure, sides))
    if len(shown) > _MOST_FIGURES:
        table.add_row(Text(f"and {len(shown) - _MOST_FIGURES} more figures", style="dim"))
    return table


def _figure(part: FigurePart | None) -> Text:
    if part is None:
        return Text()
    text = figure(part["value"])
    if part["error"] is not None:
        text += f" ± {part['error']:.2g}"
    return Text(text, style=COLOURS[part["state"]] if part["state"] == "alarm" else "")


def _labels(findings: Findings) -> Iterator[Text]:
    labels = findings["labels"]
    if labels is None or not (labels["arrived"] or labels["pending"]):
        return
    parts = [f"{count(labels['arrived'])} labels"]
    if labels["lag_p50_seconds"] is not None:
        parts.append(f"{duration(labels['lag_p50_seconds'])} after their prediction (median)")
    if labels["pending"] is not None:
        parts.append(f"{count(labels['pending'])} predictions wait")
    yield Text(" · ".join(parts))


def _other_problems(findings: Findings) -> Iterator[Text]:
    """Say what is wrong beside features, which the table shows."""
    for problem in findings["problems"]:
        if problem["feature"] is None or problem["check"] == "schema":
            yield Text(f"! {problem['text']}", style="red")
