"""Builds a torch module and its loss from a document, a run or a ``.net`` file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from netdesc.description import Description, Document, load
from netdesc.exchange import ImportedNetwork, read_weights
from netdesc.graph import Graph, build_graph
from netdesc.losses import build_loss
from netdesc.modules import Network, build
from netdesc.runs.files import BEST, CHECKPOINTS, lock_of
from netdesc.runs.state import read_state, resume_command
from netdesc.training import Run
from netdesc.training.errors import WeightsError
from netdesc.training.weights import WeightReader, load_weights


@dataclass(frozen=True, eq=False)
class Compiled:
    """A torch module, its loss, and the graph (the checked network) from which both are built.

    ``model`` maps float32 spikes ``[steps, batch, *input shape]`` to float32 spikes
    ``[steps, batch, *output shape]``. ``loss(output_TBN, target)`` returns a scalar. The target is
    float32 of the output's shape, or int64 labels [batch] if the document has labels.
    """

    model: Network
    loss: torch.nn.Module
    graph: Graph


def compile(network: Description | Run | str | Path) -> Compiled:
    """Builds the model and the loss of ``network``.

    ``network`` is a description, the file of a document, a run, or the folder of a run. The model
    of a run has the run's best weights (lowest loss). Any other model has the weights that the
    document names in ``weights``, or else random initial weights from the document's seed.
    DescriptionError if the document is invalid, TrainingError if weights are missing or do not fit,
    TypeError if ``network`` has another type.
    """
    if isinstance(network, Run | str | Path):
        path = network.path if isinstance(network, Run) else Path(network)
        if path.is_dir():
            return compile_run(path)[1]
        network = load(path)
    description = require_description(network)
    compiled = _build(description.document)
    weights = description.document.weights
    if weights is not None:
        path = description.resolve(weights.path)
        load_weights(path, compiled.model, weight_readers(compiled.graph))
    return compiled


def compile_run(folder: Path) -> tuple[Description, Compiled]:
    """Reads the document of a run, and builds the network with the run's best weights.

    WeightsError if the run has no best weights, NoRunError if the folder is not a run directory.
    """
    description = load(lock_of(folder))
    _require_best_weights(folder)
    compiled = _build(description.document)
    load_weights(folder / CHECKPOINTS / BEST, compiled.model, {})
    return description, compiled


def compile_imported(imported: ImportedNetwork) -> Compiled:
    """Builds the network of a ``.net`` file with its weights."""
    compiled = _build(imported.document)
    weights = {name: torch.from_numpy(value) for name, value in imported.weights.items()}
    compiled.model.load_state_dict(weights)
    return compiled


def _build(document: Document) -> Compiled:
    graph = build_graph(document)
    return Compiled(build(graph, seed=document.training.seed), build_loss(graph), graph)


def require_description(value: object) -> Description:
    """Returns ``value`` if it is a description; TypeError otherwise."""
    if not isinstance(value, Description):
        raise TypeError(
            f"a description is needed, not {type(value).__name__}: netdesc.load(path) reads one"
        )
    return value


def weight_readers(graph: Graph) -> dict[str, WeightReader]:
    """Maps the suffix ``.net`` to a function that reads such a file's weights for ``graph``."""
    return {".net": lambda path: read_weights(path, graph)}


def untrained_warnings(document: Document) -> list[str]:
    """Returns one warning if the document names no weights (the network is untrained), else []."""
    if document.weights is not None:
        return []
    return [
        f"these are the initial, untrained weights of seed {document.training.seed}: the document "
        f'names no "weights"; give a run to use trained ones'
    ]


def _require_best_weights(folder: Path) -> None:
    """Raises WeightsError if a run has no best weights yet; the message says what to do."""
    if (folder / CHECKPOINTS / BEST).exists():
        return
    state = read_state(folder)
    if state is not None and state.status == "running" and state.at_work:
        raise WeightsError(
            f"{folder}: this run has not written its first checkpoint after an epoch yet, so it "
            f"has no trained weights; try again in some seconds"
        )
    if state is not None and state.status == "done":
        return  # the file was removed; loading the weights reports this
    if state is not None and state.status == "diverged":
        raise WeightsError(f"{folder}: this run has no best weights: {state.message}")
    raise WeightsError(
        f"{folder}: this run ended before its first checkpoint after an epoch, so it has no "
        f"trained weights; go on with: {resume_command(folder)}"
    )
