"""The rooms put together: from a document, a run or a network file to a module, and to a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from netdesc import training
from netdesc.description import Description, Document, load
from netdesc.exchange import ImportedNetwork, NetFileError, export_net, read_weights
from netdesc.graph import Graph, build_graph
from netdesc.kernels.engine import engine_name
from netdesc.losses import build_loss
from netdesc.modules import LayerReport, Network, build
from netdesc.report import ReportError, write_report
from netdesc.runs.files import BEST, CHECKPOINTS, LOCK, NETWORK, RECORD, REPORT, lock_of
from netdesc.runs.state import read_state, resume_command
from netdesc.training import Run
from netdesc.training.batches import Batch
from netdesc.training.errors import WeightsError
from netdesc.training.metrics import Figures
from netdesc.training.progress import Style
from netdesc.training.randomness import seeded_rng
from netdesc.training.setup import prepare
from netdesc.training.step import build_step
from netdesc.training.weights import Loader, load_weights


@dataclass(frozen=True, eq=False)
class Compiled:
    """A network ready to compute, and what it was made from.

    ``model`` maps float32 spikes ``[steps, batch, *input shape]`` to the same of the output shape;
    ``loss(output_TBN, target)`` is a scalar; the target is a float32 tensor of the output's shape,
    or int64 labels [batch] where the document has labels.
    """

    model: Network
    loss: torch.nn.Module
    graph: Graph


def compile(network: Description | Run | str | Path) -> Compiled:
    """Builds model and loss of a description, of a document's file, or of a run or its folder.

    A run has its best weights; else they come from the document's ``weights``, or from its seed.
    DescriptionError as ``load``, TrainingError where the weights are missing or do not fit,
    TypeError for anything else.
    """
    if isinstance(network, Run | str | Path):
        path = network.path if isinstance(network, Run) else Path(network)
        if path.is_dir():
            return compile_run(path)[1]
        network = load(path)
    description = _require_description(network)
    compiled = _compile(description.document)
    weights = description.document.weights
    if weights is not None:
        path = description.resolve(weights.path)
        load_weights(path, compiled.model, weight_readers(compiled.graph))
    return compiled


def _require_description(given: object) -> Description:
    if not isinstance(given, Description):
        raise TypeError(
            f"a description is needed, not {type(given).__name__}: netdesc.load(path) reads one"
        )
    return given


def weight_readers(graph: Graph) -> dict[str, Loader]:
    """Suffix of a weights file -> what reads it for ``graph``; training knows ``.safetensors``."""
    return {".net": lambda path: read_weights(path, graph)}


def _compile(document: Document) -> Compiled:
    graph = build_graph(document)
    return Compiled(build(graph, seed=document.training.seed), build_loss(graph), graph)


def compile_kernels(compiled: Compiled) -> None:
    """Runs the network on silence, forward and backward, so that its kernels exist.

    Numba keeps them on the disk; the next process loads them.
    """
    model, loss = compiled.model, compiled.loss
    # Of several samples a layer of few neurons is shared out among threads in another way.
    for samples in (1, 2):
        batch = _silence(compiled.graph, samples)
        value = loss(model(batch.input_TBN), batch.target)
        if value.requires_grad:  # else the output depends on no weights
            value.backward()
    model.zero_grad()
    _measure(model, loss, batch)


def compile_for_data(description: Description) -> list[LayerReport]:
    """Has the kernels compiled that the first batch takes, and says how layers were computed.

    Silence does not bring them all: inputs that spike often are read in other ways. DataError and
    TrainingError as training. There is nothing to do without data, or where another engine computes
    than the CPU's: data decide on no kernels of theirs.
    """
    document, device = description.document, torch.device("cpu")
    if document.data is None or engine_name(device) != "cpu":
        return []
    readers = weight_readers(build_graph(document))
    with seeded_rng(document.training.seed, device):
        setup = prepare(description, device, readers, warn=lambda text: None)  # training warns
        figures = Figures(setup.network, setup.new_counter())
        step = build_step(setup, figures, say=lambda text: None)
        step.compute_gradients(next(setup.train.shuffled(0)))
        figures.read()
        report = setup.network.engine_report()
        if setup.validation is not None:
            _measure(setup.network, setup.loss, next(setup.validation.in_order()))
    return report


@torch.no_grad()
def _measure(model: Network, loss: torch.nn.Module, batch: Batch) -> None:
    was_training = model.training
    model.eval()
    loss(model(batch.input_TBN), batch.target)
    model.train(was_training)


def _silence(graph: Graph, samples: int) -> Batch:
    """A batch without any spike."""
    silence = torch.zeros(graph.steps, samples, *graph.input_shape)
    if graph.classes is None:
        return Batch(silence, torch.zeros(graph.steps, samples, *graph.output_shape))
    return Batch(silence, torch.zeros(samples, dtype=torch.int64))


def compile_run(folder: Path) -> tuple[Description, Compiled]:
    """The network of a run with its best weights.

    TrainingError where they are missing, NoRunError where the folder is no run.
    """
    description = load(lock_of(folder))
    _require_best(folder)
    compiled = _compile(description.document)
    load_weights(folder / CHECKPOINTS / BEST, compiled.model, {})
    return description, compiled


def _require_best(folder: Path) -> None:
    """WeightsError where a run has come to no best weights yet; it says how they may come."""
    if (folder / CHECKPOINTS / BEST).exists():
        return
    state = read_state(folder)
    if state is not None and state.status == "running" and state.at_work:
        raise WeightsError(
            f"{folder}: this run has not come to its first checkpoint after an epoch, and has no "
            f"trained weights before; try again in some seconds"
        )
    if state is not None and state.status == "done":
        return  # somebody took them away: whoever reads them says so
    if state is not None and state.status == "diverged":
        raise WeightsError(f"{folder}: this run has no best weights: {state.message}")
    raise WeightsError(
        f"{folder}: this run ended before its first checkpoint after an epoch, so there are no "
        f"trained weights; go on with: {resume_command(folder)}"
    )


def untrained(document: Document) -> list[str]:
    """A warning where a document names no weights, so that its network is as it was drawn."""
    if document.weights is not None:
        return []
    return [
        f"these are the initial, untrained weights of seed {document.training.seed}: the document "
        f'names no "weights"; give a run to use trained ones'
    ]


def compile_imported(imported: ImportedNetwork) -> Compiled:
    """The network of a ``.net`` file with its weights."""
    compiled = _compile(imported.document)
    weights = {name: torch.from_numpy(value) for name, value in imported.weights.items()}
    compiled.model.load_state_dict(weights)
    return compiled


def train(
    description: Description | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    device: str = "auto",
    engine: str = "auto",
    progress: Style = "auto",
    tell: Callable[[str], None] = warnings.warn,
) -> Run:
    """Trains as ``netdesc.training.train`` does, and adds ``network.net`` and ``report.html``.

    A network that a ``.net`` file cannot hold is trained all the same; ``tell`` is called with the
    reason, and with warnings of the export. A run that diverged or was interrupted has a report,
    too; where it cannot be written, ``tell`` says why, and the run is as it is.
    """

    def finish(folder: Path, graph: Graph, weights: dict[str, torch.Tensor]) -> None:
        model = build(graph)
        model.load_state_dict(weights)
        try:
            for warning in export_net(model, folder / NETWORK):
                tell(warning)
        except NetFileError as error:
            if isinstance(error.__cause__, OSError):  # the disk, not the network, is in the way
                raise error.__cause__ from None
            tell(f"no network.net is written: {error}")

    if description is not None:
        _require_description(description)
    document = None if description is None else description.document
    if resume is not None and (Path(resume) / LOCK).is_file():
        document = load(Path(resume) / LOCK).document
    run = training.train(
        description,
        run_dir=run_dir,
        resume=resume,
        device=device,
        engine=engine,
        progress=progress,
        readers={} if document is None else weight_readers(build_graph(document)),
        finish=finish,
    )
    _report(run.path, tell)
    return run


def _report(folder: Path, tell: Callable[[str], None]) -> None:
    """Writes the report of a run, unless there is one that is newer than the run's record."""
    report, record = folder / REPORT, folder / RECORD
    if report.exists() and report.stat().st_mtime_ns >= record.stat().st_mtime_ns:
        return
    try:
        write_report(folder, tell=tell)
    except ReportError as error:
        tell(f"no {REPORT} is written: {error}")
