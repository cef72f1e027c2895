"""Builds a torch module and its loss from a document, a run or a network file."""

import contextlib
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from netdesc.api.load import load
from netdesc.caller import warn
from netdesc.data.data_errors import DataError
from netdesc.data.randomness import seeded_rng
from netdesc.data.samples import Samples, SampleSpec
from netdesc.data.splits import read_splits
from netdesc.description import Description, DescriptionError, Document, render_text
from netdesc.description.diagnostics.wording import amount
from netdesc.description.outline import Outline, Outlined
from netdesc.description.overrides import Overrides
from netdesc.description.source import is_network_file
from netdesc.exchange.formats import read_network
from netdesc.exchange.importer import STEP_MS_WARNING, ImportedNetwork
from netdesc.exchange.verification import verify_shortly
from netdesc.graph import Graph, build_graph
from netdesc.graph.build import summary
from netdesc.kernels.engines import engine_name
from netdesc.losses import TotalLoss, build_loss
from netdesc.modules import LayerReport, Network, build
from netdesc.runs.errors import RunError
from netdesc.runs.folder import BEST, CHECKPOINTS, lock_of, refuse_link
from netdesc.runs.state import read_state, resume_command, saved_progress
from netdesc.training.class_weights import fill_class_weights
from netdesc.training.initial_scales import fill_scales, first_samples
from netdesc.training.interrupt import StopRequest
from netdesc.training.progress import Style, build_display
from netdesc.training.setup import prepare
from netdesc.training.step import compile_kernels
from netdesc.training.weights import load_initial_weights, load_weights

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False, repr=False)
class Compiled(Outlined):
    """A torch module, its loss, and the graph (the checked network) from which both are built.

    ``model`` maps float32 spikes ``[steps, batch, *input shape]`` to float32 spikes
    ``[steps, batch, *output shape]``. ``loss(output_TBN, target)`` returns a scalar. The target is
    what the loss learns from: float32 of the output's shape or, of whole samples, [batch, *output
    shape], or int64 labels [batch] or [steps, batch]. Losses that read more than the output of the
    last layer take ``model.signals(input_TBN)`` in its place.

    The model is in training mode, as every new torch module. Call ``model.eval()`` before you use
    it on other data than that of training: otherwise dropout acts, and a norm updates its mean.

    >>> output_TBN = compiled.model(input_TBN)
    >>> compiled.loss(output_TBN, torch.zeros(1900, 1, 200)).requires_grad
    True
    """

    model: Network
    loss: TotalLoss
    graph: Graph

    def outline(self) -> Outline:
        graph = self.graph
        title = f"compiled {graph.name}: {graph.steps:,} steps of {graph.step_ms:g} ms"
        rows = [
            (row.name, row.type, "×".join(map(str, row.output_shape)), row.neuron, row.parameters)
            for row in summary(graph)
        ]
        mode = "training" if self.model.training else "evaluation"
        model = f"{amount(graph.parameters, 'parameter')}, in {mode} mode"
        facts = [("model", model), ("loss", " + ".join(loss.type for loss in graph.losses))]
        headings = ("layer", "type", "shape", "neuron", "parameters")
        return Outline(title, facts, [headings, *rows])


Source = Description | ImportedNetwork | Compiled | Mapping[str, Any] | str | os.PathLike[str]
"""Where a network comes from: a description, the result of ``import_net`` or ``compile``, a run, a
document as a dict, or the path of a document, of a network file (``.net``, ``.nir``) or of a run's
folder."""


def compile(network: Source, overrides: Overrides = ()) -> Compiled:
    """Builds the model and the loss of ``network``.

    ``network`` is a description, the file of a document or the document as a dict, a run or its
    folder, a network file, or the result of ``import_net``. The model of a run has the run's best
    weights (see ``training.best``), that of a network file the file's. Any other model has the
    weights that the document names, or else random initial weights from the document's seed.
    DescriptionError if the document is invalid, NetFileError if the network file is, RunError
    if weights are missing or do not fit, TypeError if ``network`` has another type. The data files
    of a document are checked, too, but not those of a run. ``overrides`` change values of a
    document, the path or a dict, as in ``load``. Warnings about a document that is read here are
    given as one Python warning; a description has its own in ``warnings``.

    >>> compiled = netdesc.compile("examples/oxford.json")
    >>> compiled.model(torch.zeros(1900, 1, 200)).shape
    torch.Size([1900, 1, 200])
    """
    is_read = not isinstance(network, Description)
    if overrides:
        network = load(cast("str | Path | Mapping[str, Any]", network), overrides)
    compiled, description, folder, *_ = open_network(network)
    if is_read and description is not None and folder is None and description.warnings:
        warn(render_text(description.warnings))
    return compiled


class OpenedNetwork(NamedTuple):
    """A compiled network, and its document; None for a network file, which holds no document.

    ``folder`` is that of the run whose best weights the network has; None for other networks.
    ``is_imported`` is True for a network file. ``file_warnings`` are those of this file, or of the
    one that a document names.
    """

    compiled: Compiled
    description: Description | None = None
    folder: Path | None = None
    is_imported: bool = False
    file_warnings: Sequence[str] = ()

    @property
    def warnings(self) -> list[str]:
        """The warnings of a network file, or of the weights that a document names or does not."""
        description = self.description
        if description is None or self.folder is not None or description.document.weights:
            return [*self.file_warnings]
        seed = description.document.training.seed
        return [
            f"these are the initial, untrained weights of seed {seed}: the document names no "
            '"weights"; give a run to use trained ones'
        ]


def open_network(network: Source, with_files: bool = True) -> OpenedNetwork:
    """Compiles a network of any form, with the errors of ``compile``.

    ``with_files=False`` skips the checks of data files, which those of a run never get here.
    """
    if isinstance(network, Compiled):
        return OpenedNetwork(network)
    if isinstance(network, os.PathLike):  # a run is one
        network = Path(network)
    if isinstance(network, str | Path):
        if os.path.isdir(network):  # False, too, for a name that the system refuses
            description, compiled = compile_run(Path(network))
            return OpenedNetwork(compiled, description, Path(network))
        if is_network_file(Path(network)):
            network = read_network(network)
    if isinstance(network, ImportedNetwork):
        problems = [*network.warnings, *([STEP_MS_WARNING] * network.step_ms_is_assumed)]
        compiled = _build(network.document)
        weights = {name: torch.from_numpy(value) for name, value in network.weights.items()}
        compiled.model.load_state_dict(weights)
        return OpenedNetwork(compiled, is_imported=True, file_warnings=problems)
    if isinstance(network, str | Path | Mapping):
        network = load(network, with_files=with_files)
    if not isinstance(network, Description):
        is_model = isinstance(network, torch.nn.Module)
        way = "; pass the result of compile, which has model and loss" if is_model else ""
        raise TypeError(
            "a network is a path, a dict, a description, a run, or the result of compile or "
            f"import_net, not {type(network).__name__}{way}"
        )
    problems: list[str] = []
    train = functools.cache(functools.partial(_training_samples, network))
    take = functools.partial(_take_first, train, network.document.training.seed)
    network = fill_scales(network, take, problems.append)
    network = fill_class_weights(network, lambda: getattr(train(), "labels", None), problems.append)
    compiled = _build(network.document)
    load_initial_weights(network, compiled.model, problems.append)
    return OpenedNetwork(compiled, network, file_warnings=problems)


def _training_samples(description: Description) -> Samples | None:
    spec = SampleSpec.of(build_graph(description.document))
    try:
        return read_splits(description, spec, lambda text: None).train
    except (DescriptionError, DataError):
        return None


def _take_first(read: Callable[[], Samples | None], seed: int, count: int) -> torch.Tensor | None:
    """Returns the first samples of training, if they are there and not silent."""
    samples = read()
    input_TBN = None if samples is None else first_samples(samples, seed)(count)
    return input_TBN if input_TBN is not None and input_TBN.any() else None


def compile_run(folder: Path) -> tuple[Description, Compiled]:
    """Reads the document of a run, and builds the network with the run's best weights.

    The files with which the run was trained need not exist any more. RunError if the run has no
    best weights, RunError if the folder is not a run directory.
    """
    description = load(lock_of(folder), with_files=False)
    _require_best_weights(folder)
    refuse_link(folder / CHECKPOINTS / BEST)
    compiled = _build(description.document)
    load_weights(folder / CHECKPOINTS / BEST, compiled.model)
    for _, block in compiled.model.blocks():
        for part in block.synapses.values():
            part.restore_mask()
    return description, compiled


def _build(document: Document) -> Compiled:
    graph = build_graph(document)
    return Compiled(build(graph, seed=document.training.seed), build_loss(graph), graph)


def _require_best_weights(folder: Path) -> None:
    """Raises RunError if a run has no best weights yet; the message says what to do."""
    if (folder / CHECKPOINTS / BEST).exists():
        return
    state = read_state(folder)
    if state is not None and state.status == "running" and state.at_work:
        raise RunError(
            f"{folder}: this run has not written its first checkpoint after an epoch yet, so it "
            f"has no trained weights; try again in some seconds"
        )
    if state is not None and state.status == "done":
        return  # the file was removed; loading the weights reports this
    if state is not None and state.status == "diverged":
        raise RunError(f"{folder}: this run has no best weights: {state.message}")
    progress = saved_progress(folder)
    saved = progress is not None and progress.epochs
    if saved or (state is not None and state.epochs_done):
        way = f"; go on with: {resume_command(folder)}" if saved else ""
        problem = f"there is no such file, although this run had one{way}"
        raise RunError(f"{folder / CHECKPOINTS / BEST}: {problem}", exit_code=3)
    raise RunError(
        f"{folder}: this run ended before its first checkpoint after an epoch, so it has no "
        f"trained weights; go on with: {resume_command(folder)}"
    )


def layer_reports(
    description: Description, compiled: Compiled, progress: Style = "quiet"
) -> list[LayerReport]:
    """Computes a training step with the first batch of the data, and reports of each layer.

    The step compiles the kernels that training needs, and the proof of an export those of its end.
    If the document has no data or the engine is not the CPU's, computes a sample without spikes
    instead. DataError or RunError if data or weights do not fit, KeyboardInterrupt after a signal
    that stops.
    """
    document, graph = description.document, compiled.graph
    if document.data is None or engine_name(CPU) != "cpu":
        with torch.no_grad():
            compiled.model(torch.zeros(graph.steps, 1, *graph.input_shape))
        return compiled.model.engine_report()
    with (
        seeded_rng(document.training.seed, CPU),
        build_display(progress) as display,
        StopRequest() as stop,
    ):
        setup = prepare(description, CPU)
        compile_kernels(setup, display, stop)
        batch = setup.train.example()
        input_TBN = batch.input_TBN
        with torch.no_grad():
            setup.network(input_TBN)
        reports = setup.network.engine_report()
        for value in (0.0, 1.0):  # sparse and dense spikes have different kernels
            signals = setup.network.signals(torch.full_like(input_TBN, value))
            setup.loss(signals, batch.target).backward()
        with contextlib.suppress(ValueError):  # the network cannot be exported
            verify_shortly(setup.network.eval(), None, "train", input_TBN[:, :1])
        return reports
