"""What a document, a run or a ``.net`` file describes, in numbers and words, for ``netdesc show``.

Documents and runs are looked at without torch and without their data, so that they can be shown
where neither is there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from netdesc.cli.show.defaults import describe_defaults
from netdesc.description import Description, Document, load
from netdesc.description.files.training_set import training_samples
from netdesc.graph import Dense, Graph, build_graph, decay_range, summary
from netdesc.graph.memory import LayerMemory, batch_memory, layer_memory
from netdesc.graph.summary import SummaryRow
from netdesc.kernels.fixed_point import WEIGHT_UNIT, threshold_mantissa
from netdesc.runs.files import BEST, CHECKPOINTS, lock_of
from netdesc.runs.state import RunState, read_state

_STATES = {"adam": 2, "adamw": 2}
"""Numbers that an optimizer keeps for each one that it changes; SGD keeps one, if any."""


@dataclass(frozen=True, slots=True)
class Decay:
    """Share lost a step, and the time constant of that decay: 0 drops all at once, None keeps all.

    Low and high end of the range that neurons draw theirs from; equal for a single value. In a run
    that has learned them, those of the best weights.
    """

    share: tuple[float, float]
    time_constant_ms: tuple[float | None, float | None]
    is_learnt: bool


@dataclass(frozen=True, slots=True)
class NeuronView:
    """A layer's neurons; ``device_threshold`` is the threshold on the device's grid."""

    name: str
    type: str
    threshold: float
    device_threshold: float
    current_decay: Decay
    voltage_decay: Decay


class LayerView(NamedTuple):
    """A layer, or the input, which has no neurons."""

    row: SummaryRow
    neuron: NeuronView | None
    memory: LayerMemory


@dataclass(frozen=True)
class Overview:
    """A network at a glance. The first of ``layers`` is the input, and holds the batch's memory.

    ``samples`` and ``batch`` are for training. ``samples`` is None where no data are named or their
    file does not tell; ``batch`` is then the batch size asked for, or 1.
    """

    kind: str
    about: str
    graph: Graph
    layers: list[LayerView]
    samples: int | None
    batch: int
    run: RunState | None
    notes: list[str]
    warnings: list[str]


Learned = Mapping[tuple[str, str], tuple[float, float]]
"""The lowest and the highest of a layer's learned decays, by layer and decay."""


def overview(path: Path, overrides: Sequence[str] = ()) -> Overview:
    """What is in a document, in the folder of a run or in a ``.net`` file.

    DescriptionError, NetFileError or NoRunError where it cannot be read.
    """
    if path.is_dir():
        description = load(lock_of(path), with_files=False)
        return _of_description("run", description, read_state(path), path / CHECKPOINTS / BEST)
    if path.suffix.lower() != ".net":
        return _of_description("document", load(path, overrides, with_files=False), None)
    from netdesc.exchange import import_net  # loads torch

    imported = import_net(path)
    document = Document.model_validate_json(json.dumps(imported.description))
    notes = [*imported.assumed, "a .net file says nothing of data, loss and training"]
    return _overview("net", document, None, None, notes, imported.warnings)


def _of_description(
    kind: str, description: Description, run: RunState | None, best: Path | None = None
) -> Overview:
    document = description.document
    samples = training_samples(document, description.resolve)
    notes = describe_defaults(document, description.origins, samples)
    warnings = [finding.message for finding in description.warnings]
    learned = {} if best is None else _learned_decays(build_graph(document), best, warnings)
    return _overview(kind, document, samples, run, notes, warnings, learned)


def _learned_decays(graph: Graph, best: Path, warnings: list[str]) -> Learned:
    """Those of a run's best weights; none where there are no such weights yet."""
    learning = [each for each in graph.layers if isinstance(each, Dense) and each.neuron.learn]
    if not learning:
        return {}
    from netdesc.report import ReportError
    from netdesc.report.weights import open_weights

    found: dict[tuple[str, str], tuple[float, float]] = {}
    try:
        with open_weights(best) as weights:
            if weights is None:
                return {}
            for layer in learning:
                for name in layer.neuron.learn:
                    shares = weights.decay(layer, name)
                    found[layer.name, name] = float(shares.min()), float(shares.max())
    except ReportError as error:
        warnings.append(str(error))
    return found


def _overview(
    kind: str,
    document: Document,
    samples: int | None,
    run: RunState | None,
    notes: list[str],
    warnings: list[str],
    learned: Learned = MappingProxyType({}),
) -> Overview:
    graph, training = build_graph(document), document.training
    batch = min(training.batch_size or samples or 1, samples or training.batch_size or 1)
    momentum = getattr(training.optimizer, "momentum", 0.0)
    states = _STATES.get(training.optimizer.type, 1 if momentum else 0)
    first, *rows = summary(graph)
    layers = [LayerView(first, None, LayerMemory(0, None, 0, batch_memory(graph, batch)))]
    for row, layer in zip(rows, graph.layers, strict=True):
        neuron = _neuron(layer, graph.step_ms, learned) if isinstance(layer, Dense) else None
        layers.append(LayerView(row, neuron, layer_memory(graph, layer, batch, states)))
    about = document.description
    return Overview(kind, about, graph, layers, samples, batch, run, notes, warnings)


def _neuron(layer: Dense, step_ms: float, learned: Learned) -> NeuronView:
    neuron = layer.neuron

    def decay(name: Literal["current_decay", "voltage_decay"]) -> Decay:
        share = learned.get((layer.name, name), decay_range(getattr(neuron, name)))
        low, high = (time_constant_ms(each, step_ms) for each in share)
        return Decay(share, (low, high), name in neuron.learn)

    return NeuronView(
        name=layer.neuron_name,
        type="cuba",
        threshold=neuron.threshold,
        device_threshold=threshold_mantissa(neuron.threshold) / WEIGHT_UNIT,
        current_decay=decay("current_decay"),
        voltage_decay=decay("voltage_decay"),
    )


def time_constant_ms(share: float, step_ms: float) -> float | None:
    """After how many ms a share ``1/e`` is left where ``share`` is lost a step: -step / ln(1 - s).

    None where nothing is lost, 0 where all is.
    """
    if share <= 0:
        return None
    return 0.0 if share >= 1 else -step_ms / math.log1p(-share)
