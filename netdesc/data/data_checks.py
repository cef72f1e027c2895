"""Reads and checks the data of a document, for ``validate`` and for training alike (ND3xx)."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from safetensors import SafetensorError, safe_open

from netdesc.data.array_files import ArrayFileError, open_arrays
from netdesc.data.array_samples import read_arrays, read_idx
from netdesc.data.data_context import DataContext, Problem, TrainingSet, diagnostics
from netdesc.data.file_checks import FileChecks
from netdesc.data.recordings import read_folders, read_tonic
from netdesc.data.samples import Samples, SampleSpec
from netdesc.data.spike_files import read_spike_files
from netdesc.data.training_set import check_training_set
from netdesc.description import Description
from netdesc.description.diagnostics.diagnostic import Diagnostic, first_diagnostics
from netdesc.description.file_references import FILE_SECTIONS
from netdesc.description.models import Arrays, EventFolders, Idx, SpikeFiles, Tonic
from netdesc.description.models.layers import SynapticSection
from netdesc.graph import Graph, build_graph

MAX_DIAGNOSTICS = 200
"""The check ends after this many diagnostics."""

_READERS: dict[type, Callable[[DataContext], Mapping[str, Any]]] = {
    Arrays: read_arrays,
    SpikeFiles: read_spike_files,
    Idx: read_idx,
    EventFolders: read_folders,
    Tonic: read_tonic,
}
"""Class of the section ``data`` -> what reads and checks the samples of its parts."""


def check_data(
    description: Description, is_valid: bool, sections: Collection[str] = FILE_SECTIONS
) -> list[Diagnostic]:
    """Returns the diagnostics of the files that some sections of a document name.

    ``is_valid`` says whether the document itself has no error. If it has, the contents of files
    cannot be compared with it, and only the files are checked.
    """
    checks = FileChecks(description)
    problems = list(itertools.islice(checks.run(sections), MAX_DIAGNOSTICS))
    unread = {problem.parts[0] for problem in problems} | {*FILE_SECTIONS}.difference(sections)
    if is_valid:
        graph = build_graph(description.document)
        if "data" not in unread and description.document.data is not None:
            spec, are_checked = SampleSpec.of(graph), checks.are_checked
            context = DataContext(description, spec, are_checked=are_checked)
            read_parts(context)
            problems += context.problems
        if "layers" not in unread:
            problems += _check_masks(description, graph)
        if "weights" not in unread:
            problems += _check_weights(description, graph)
    return first_diagnostics(diagnostics(description, problems), MAX_DIAGNOSTICS)


def read_training_set(description: Description) -> TrainingSet:
    """Returns what is known of the training set of a valid document, even if files are missing."""
    context = DataContext(description, SampleSpec.of(build_graph(description.document)))
    data = description.document.data
    lists_samples = type(data) is SpikeFiles
    if lists_samples or (data is not None and not any(FileChecks(description).run(("data",)))):
        read_parts(context)
    return context.training_set


def read_parts(context: DataContext) -> Mapping[str, Samples]:
    """Reads and checks the data and the training set of a document, whose files were checked.

    Returns the samples of each part; only for training unless they are small.
    """
    parts = _READERS[type(context.document.data)](context)
    classes = context.spec.classes
    context.problems += check_training_set(context.document, context.training_set, classes)
    return parts


def _check_masks(description: Description, graph: Graph) -> Iterator[Problem]:
    for index, node in enumerate(graph.layers):
        layer = node.section
        mask = layer.mask if isinstance(layer, SynapticSection) else None
        if mask is None or mask.path is None or not isinstance(layer, SynapticSection):
            continue
        try:
            with open_arrays(description.resolve(mask.path)) as source:
                header = source.header(mask.name)
            if not header.holds_numbers:
                raise ArrayFileError("holds no numbers of at most 8 bytes")
            if header.shape != (needed := layer.weight_shape(node.input_shape)):
                problem = f"has shape {list(header.shape)}; the weights have {list(needed)}"
                raise ArrayFileError(problem)
        except ArrayFileError as error:
            yield Problem("ND309", ("layers", index, "mask", "path"), f"{mask.path} {error}")


_MAX_WEIGHTS = 16
"""The most weights that a message names."""


def _check_weights(description: Description, graph: Graph) -> Iterator[Problem]:
    """Compares names and shapes of weights in a ``.safetensors`` file with those of the network."""
    weights = description.document.weights
    if weights is None or not weights.path.lower().endswith(".safetensors"):
        return
    try:
        with safe_open(description.resolve(weights.path), framework="numpy") as file:
            names = file.keys()
            shapes = {name: file.get_slice(name).get_shape() for name in names}
    except (SafetensorError, OSError, UnicodeError) as error:
        message = f"{weights.path} is not a complete safetensors file: {error}"
        yield Problem("ND309", ("weights", "path"), message)
        return
    problems = list[str]()
    needed = {
        f"layers.{node.name}.{name}": [*part.weight_shape]
        for node in graph.neuron_layers
        for part in filter(None, (node, node.recurrent))
        for name in part.weight_names
    }
    for name, shape in needed.items():
        if name not in shapes:
            problems.append(f"{name} is missing")
        elif shapes[name] != shape:
            problems.append(f"{name} has shape {shapes[name]}; the network's is {shape}")
    layers = tuple(f"layers.{node.name}." for node in graph.layers)
    others = [name for name in shapes if name.startswith("layers.") and not name.startswith(layers)]
    problems += [f"{name} has no place in this network" for name in others]
    if problems:
        problems[_MAX_WEIGHTS:] = ["…"] if len(problems) > _MAX_WEIGHTS else []
        message = f"{weights.path} does not fit the network: {'; '.join(problems)}"
        yield Problem("ND309", ("weights", "path"), message)
