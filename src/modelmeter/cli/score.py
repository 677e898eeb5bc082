"""`modelmeter score`: a file of rows, scored, counted and pushed."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from modelmeter._errors import ConfigurationError, PushError
from modelmeter.cli.shared import AlarmsPerMonth, Model, ProfilePath, Trust, errors, output

if TYPE_CHECKING:
    from modelmeter.profile.profile import Profile
    from modelmeter.serving.gateway import Gateway
    from modelmeter.serving.monitor import Monitor
    from modelmeter.serving.score import Columns, Scored
    from modelmeter.stats.budget import AlarmBudget


def score(
    model: Model,
    profile: ProfilePath,
    data: Annotated[
        Path, typer.Option(help="Rows to score: .parquet, .csv or .csv.gz.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option(help="Where to write: .parquet, .csv or .csv.gz.", show_default=False)
    ],
    keep: Annotated[
        list[str] | None,
        typer.Option(help="A column to write again; may be given again. All by default."),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            help="Column that names each prediction, for labels that come later. 'prediction_id' "
            "where there is such a column; else ids are made."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column with the true values, where they are known.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="Remember predictions for labels that come later: a file, sqlite:///... or "
            "postgresql://... Not remembered by default."
        ),
    ] = None,
    pushgateway: Annotated[
        str | None,
        typer.Option(
            help="Pushgateway that is told what the batch was like, such as http://gateway:9091.",
            envvar="MODELMETER_PUSHGATEWAY",
        ),
    ] = None,
    job: Annotated[
        str, typer.Option(help="Name of the job, for the gateway.")
    ] = "modelmeter-batch",
    push_label: Annotated[
        list[str] | None,
        typer.Option(
            help="name=value that tells this job from others with the same model and version; "
            "may be given again."
        ),
    ] = None,
    push_user: Annotated[str | None, typer.Option(help="Name that the gateway asks for.")] = None,
    push_password_file: Annotated[
        Path | None, typer.Option(help="File with the password that the gateway asks for.")
    ] = None,
    push_token_file: Annotated[
        Path | None, typer.Option(help="File with the bearer token for the gateway.")
    ] = None,
    push_patience: Annotated[
        float, typer.Option(help="Seconds for which a gateway that does not answer is tried again.")
    ] = 60.0,
    batch_rows: Annotated[
        int | None,
        typer.Option(
            help="Rows that the model is asked about at once, at most. 65,536 by default."
        ),
    ] = None,
    alarms_per_month: AlarmsPerMonth = 1.0,
    batches_per_month: Annotated[
        float, typer.Option(help="How many such batches are looked at in a month.")
    ] = 30.0,
    trust: Trust = None,
) -> None:
    """Score a file, write the answers, and say what has changed since training."""
    from modelmeter.profile.profile import Profile
    from modelmeter.serving.gateway import Gateway
    from modelmeter.serving.load import load_model
    from modelmeter.serving.monitor import Monitor
    from modelmeter.serving.score import Columns
    from modelmeter.stats.budget import AlarmBudget

    began = time.time()
    gateway = None
    if pushgateway is not None:
        gateway = Gateway(
            url=pushgateway,
            job=job,
            grouping=_labels(push_label or []),
            basic_auth=_password(push_user, push_password_file),
            token=None if push_token_file is None else _secret(push_token_file),
            patience=push_patience,
        )
    budget = AlarmBudget(alarms_per_month=alarms_per_month)
    known = Profile.load(profile)
    columns = Columns(keep=keep, id=id_column, target=target)
    with _failure_told(known, gateway), _ended_by_sigterm():
        monitor = Monitor(known, store=store)
        monitor.open()
        try:
            loaded = load_model(model, trusted=trust or ())
            scored = _score(loaded, monitor, data, out, columns, batch_rows)
        finally:
            monitor.close()
    _show(known, scored, budget, batches_per_month)
    if gateway is not None:
        _push(monitor, gateway, scored, began)


def _score(
    loaded: Any, monitor: Monitor, data: Path, out: Path, columns: Columns, batch_rows: int | None
) -> Scored:
    from modelmeter.report.terminal import counting_bar
    from modelmeter.serving.score import rows_in
    from modelmeter.serving.score import score as score_file

    with counting_bar(errors) as bar:
        task = bar.add_task("", total=rows_in(data))
        return score_file(
            loaded,
            monitor,
            data,
            out,
            columns=columns,
            batch_rows=batch_rows,
            on_rows=lambda rows: bar.update(task, completed=rows),
        )


def _show(profile: Profile, scored: Scored, budget: AlarmBudget, per_month: float) -> None:
    from modelmeter.drawing import draw_scored
    from modelmeter.report.judging import judge_batch
    from modelmeter.report.summary import summarise

    judging = judge_batch(budget, batches_per_month=per_month)
    findings = summarise(profile, scored.observed, judging=judging)
    draw_scored(scored, findings, result_on=output)


def _push(monitor: Monitor, gateway: Gateway, scored: Scored, began: float) -> None:
    try:
        monitor.push(gateway, labelled=scored.labelled, began=began)
    except PushError as error:
        raise PushError(f"{scored.out} is complete, but {error}") from error


@contextmanager
def _failure_told(profile: Profile, gateway: Gateway | None) -> Iterator[None]:
    """Tell the gateway when the batch fails, whatever the reason."""
    from dataclasses import replace

    from modelmeter.serving.monitor import Monitor

    try:
        yield
    except BaseException:
        if gateway is not None:
            try:
                # Once: what went wrong is to be said soon.
                Monitor(profile, store=None).push(replace(gateway, patience=0.0), failed=True)
            except PushError as error:
                errors.print(f"[bold yellow]warning:[/] {escape(str(error))}")
        raise


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Leave as after an error when a scheduler ends the job, so that nothing half is left."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _labels(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigurationError(f"--push-label is name=value, not {pair!r}")
        found[name] = value
    return found


def _password(user: str | None, file: Path | None) -> tuple[str, str] | None:
    if (user is None) != (file is None):
        raise ConfigurationError("give --push-user and --push-password-file together")
    return None if user is None or file is None else (user, _secret(file))


def _secret(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {error}") from error
