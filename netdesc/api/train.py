"""Trains a network, then writes ``network.net`` and ``report.html`` into the run's folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from netdesc import training
from netdesc.api.compile import require_description, weight_readers
from netdesc.description import Description, load
from netdesc.exchange import NetFileError, export_net
from netdesc.graph import Graph, build_graph
from netdesc.modules import build
from netdesc.report import ReportError, write_report
from netdesc.runs.files import LOCK, NETWORK, RECORD, REPORT
from netdesc.training import Run
from netdesc.training.device import choose_device
from netdesc.training.memory import require_memory
from netdesc.training.progress import Style


def train(
    description: Description | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    device: str = "auto",
    engine: str = "auto",
    progress: Style = "auto",
    warn: Callable[[str], None] = warnings.warn,
    ignore_memory: bool = False,
) -> Run:
    """Trains like ``netdesc.training.train``, then writes ``network.net`` and ``report.html``.

    ``warn`` is called with each warning of the export. If a ``.net`` file cannot hold the network
    or the report cannot be written, ``warn`` is called with the reason, and the run still counts as
    successful. A run that diverged or was interrupted has a report but no ``network.net``.
    MemoryShortageError if the device has too little free memory, unless ``ignore_memory`` is true.
    This is checked before anything is written.
    """

    def finish(folder: Path, graph: Graph, weights: dict[str, torch.Tensor]) -> None:
        model = build(graph)
        model.load_state_dict(weights)
        try:
            for warning in export_net(model, folder / NETWORK):
                warn(warning)
        except NetFileError as error:
            if isinstance(error.__cause__, OSError):  # the file cannot be written
                raise error.__cause__ from None
            warn(f"no network.net is written: {error}")

    if description is not None:
        require_description(description)
    trained = description
    if resume is not None and (Path(resume) / LOCK).is_file():
        trained = load(Path(resume) / LOCK)
    if trained is not None and not ignore_memory:
        require_memory(trained, choose_device(device))
    run = training.train(
        description,
        run_dir=run_dir,
        resume=resume,
        device=device,
        engine=engine,
        progress=progress,
        readers={} if trained is None else weight_readers(build_graph(trained.document)),
        finish=finish,
    )
    _write_report(run.path, warn)
    return run


def _write_report(folder: Path, warn: Callable[[str], None]) -> None:
    """Writes the report of a run, unless it is at least as new as ``run.json``."""
    report, record = folder / REPORT, folder / RECORD
    if report.exists() and report.stat().st_mtime_ns >= record.stat().st_mtime_ns:
        return
    try:
        write_report(folder, warn=warn)
    except ReportError as error:
        warn(f"no {REPORT} is written: {error}")
