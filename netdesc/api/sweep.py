"""Sweeps: trainings of a document with other values at some of its paths."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from netdesc.api.load import load
from netdesc.caller import warn
from netdesc.description import Description, DescriptionError
from netdesc.description.file_references import file_references
from netdesc.description.json_pointer import lookup
from netdesc.description.overrides import Overrides
from netdesc.report import write_report
from netdesc.report.sweep_page import write_sweep_report
from netdesc.runs.errors import RunError
from netdesc.runs.folder import REPORT, is_filled
from netdesc.runs.sweep_table import SweepTable
from netdesc.stop_signals import CTRL_C, ending_at_once
from netdesc.sweeps import sweep_folder
from netdesc.sweeps.jobs import run_jobs
from netdesc.sweeps.results import read_table
from netdesc.sweeps.study import open_sweep
from netdesc.sweeps.worker import OnTrial, changed_document, run_worker
from netdesc.training.setup import TrainingOptions
from netdesc.training.train import complete

SWEEP_PAGE = "sweep.html"


class SweepOptions(NamedTuple):
    """What a caller can choose for a sweep besides its document.

    ``trials`` is the number of trials, or such as "+20" to add some. ``jobs`` is the number of
    processes. ``on_trial`` is called after each trial, ``info`` and ``warn`` with what a user may
    know.
    """

    jobs: int = 1
    trials: int | str | None = None
    device: str = "auto"
    engine: str = "auto"
    is_worker: bool = False
    """Whether another process waits for this one, and writes the reports."""
    on_trial: OnTrial = lambda row: None
    info: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None


def sweep(
    network: Description | Mapping[str, Any] | str | Path,
    dir: str | Path,
    *,
    jobs: int = 1,
    trials: int | str | None = None,
    device: str = "auto",
    engine: str = "auto",
    overrides: Overrides = (),
    on_trial: OnTrial = lambda row: None,
) -> SweepTable:
    """Runs the trials of a document's section ``sweep``, or joins those who do, in the folder
    ``dir``.

    ``network`` is a description, a document's path, or the document as a dict. ``trials`` replaces
    the number of trials in the document; a text such as "+20" adds to the number so far. With
    ``jobs``, so many processes share the trials. After each trial, ``on_trial`` is called with its
    row: number, values, status, and results as the medians over its seeds.

    Returns all trials. The runs of the best ones get reports, and ``sweep.html`` shows all.
    Ctrl-C leaves trials open, which the next call resumes, and raises KeyboardInterrupt.
    DescriptionError if the document has errors, RunError if the folder holds something else.

    >>> table = netdesc.sweep("examples/sweep_learning_rate.json", "runs/rates", trials=1)
    >>> [trial.status for trial in table.trials]
    ['done']
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}, and must be 1 or more")
    description = network if isinstance(network, Description) else load(network, overrides)
    options = SweepOptions(jobs, trials, device, engine, on_trial=on_trial, warn=warn)
    code = run_sweep(description, Path(dir), options)
    if code:
        if code == CTRL_C:
            raise KeyboardInterrupt
        raise RunError(f"the sweep in {dir} has ended before its last trial", code)
    return read_table(Path(dir))


def run_sweep(description: Description, folder: Path, options: SweepOptions) -> int:
    """Runs trials until all are taken, and writes the reports. Returns 0 or an exit code.

    KeyboardInterrupt if a signal arrives between two trainings.
    """
    if description.document.sweep is None:
        message = 'there is no "sweep", which says what varies'
        example = (
            '{"trials": 20, "over": {"training.optimizer.learning_rate": {"log": [0.001, 0.1]}}}'
        )
        hint = f'add it, such as "sweep": {example}'
        raise DescriptionError([description.source_map.diagnostic("ND102", (), message, hint=hint)])
    text = "" if options.trials is None else str(options.trials)
    if text and not re.fullmatch(r"\+?[1-9][0-9]{0,4}", text):
        way = "give a number such as 40, or +20 for 20 more, up to 99,999"
        raise RunError(f"trials is {text}; {way}", exit_code=2)
    trials, more = (None, int(text)) if text.startswith("+") else (int(text or 0) or None, 0)
    training = TrainingOptions(device=options.device, engine=options.engine)
    with (
        ending_at_once(),
        torch.inference_mode(False),
        torch.enable_grad(),
        open_sweep(description, folder, more, trials) as study,
    ):
        if options.jobs == 1:
            code = run_worker(study, training, options.on_trial)
        else:
            arguments = ["--device", options.device, "--engine", options.engine]
            code = run_jobs(folder, options.jobs, arguments, options.on_trial, options.warn)
    if not (code or options.is_worker):
        with ending_at_once():
            write_reports(folder, options)
    return code


def write_reports(folder: Path, options: SweepOptions) -> SweepTable:
    """Writes ``sweep.html`` and, once no trial is open, the reports of the best trials' runs."""
    table = read_table(folder)
    is_over = len(table.trials) >= table.planned
    if is_over and all(row.has_ended for row in table.trials):
        rows = {row.number: row for row in table.trials}
        runs = [folder / run for number in table.front for run in rows[number].folders]
        todo = [run for run in runs if not is_filled(run / REPORT)]
        for number, run in enumerate(todo, 1):
            options.info(f"report of a best trial, {number} of {len(todo)}: {run / REPORT}")
            try:
                complete(run, TrainingOptions(progress="silent", warn=options.warn))
                write_report(run, warn=options.warn)
            except ValueError as error:
                options.warn(f"no {REPORT} of {run} is written: {error}")
    write_sweep_report(table, folder / SWEEP_PAGE)
    return table


def best_document(folder: Path) -> dict[str, Any]:
    """Returns the document of the best trial: with its values, and without its sweep.

    Paths of files are absolute. RunError if no trial is done.
    """
    table, space = read_table(folder), sweep_folder.read(folder)
    if not table.front:
        raise RunError(f"{folder} has no trial that is done", exit_code=3)
    row = next(row for row in table.trials if row.number == table.front[0])
    variant = next(form for form in space.variants if form.name == row.variant)
    best = changed_document(space, variant, row.values, 0)
    data = best.source_map.data
    for reference in file_references(best.document):
        holder, name = lookup(data, reference.parts[:-1]), reference.parts[-1]
        if isinstance(holder, dict) and holder.get(name) == reference.path:
            holder[name] = str(best.resolve(reference.path).absolute())
    return {name: value for name, value in data.items() if name not in ("sweep", "$schema")}
