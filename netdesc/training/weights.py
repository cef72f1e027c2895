"""Reads weights from a file into a network."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from netdesc.atomic_write import failure_reason
from netdesc.data.array_files import read_array
from netdesc.data.data_errors import check_file
from netdesc.description import Description
from netdesc.description.models.layers import SynapticSection
from netdesc.exchange.formats import FORMATS
from netdesc.graph import Graph
from netdesc.modules import Network
from netdesc.modules.block import SynapticBlock
from netdesc.runs.errors import RunError

Warn = Callable[[str], None]
WeightReader = Callable[[Path, Graph, Warn], Mapping[str, Any]]
"""Function that reads a file for a network, and maps names of the ``state_dict`` to arrays. It
warns if the file is of another network."""


def load_initial_weights(description: Description, network: Network, warn: Warn) -> None:
    """Copies the weights and the masks that a document names, if it names any, into the network.

    Raises the errors of ``load_weights``, and DataError if the file has another SHA-256 than the
    document says.
    """
    load_masks(description, network)
    weights = description.document.weights
    if weights is None:
        return
    path = description.resolve(weights.path)
    if not path.exists():
        way = "if imported from a network file, `netdesc import` or imported.save() writes it"
        raise RunError(f"{path}: there is no such file; {way}", exit_code=3)
    check_file(path, weights.sha256)
    load_weights(path, network, warn)


def load_masks(description: Description, network: Network) -> None:
    """Copies the masks of files into the network.

    Raises DataError if a file of a mask cannot be read, RunError if it does not fit.
    """
    for layer in description.document.layers:
        section = layer.mask if isinstance(layer, SynapticSection) else None
        if section is None or section.path is None:
            continue
        path = description.resolve(section.path)
        check_file(path, section.sha256)
        mask = torch.from_numpy(read_array(path, section.name) != 0)
        block = cast(SynapticBlock, network.get_submodule(f"layers.{layer.name}"))
        for part in block.synapse.parts:
            assert part.mask is not None, "the section has a mask"
            if mask.shape != part.mask.shape:
                shapes = f"{list(mask.shape)}; the weights have {list(part.mask.shape)}"
                raise RunError(f"{path}: the mask has shape {shapes}")
            part.set_mask(mask)


def load_weights(path: Path, network: Network, warn: Warn = lambda text: None) -> None:
    """Copies the weights of a ``.safetensors`` or ``.net`` file into the network.

    Raises RunError if the file cannot be read or the weights do not fit the network. The message
    lists all weights that do not fit.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise RunError(f"{path}: weights are read from {', '.join(_READERS)} files only")
    weights = read(path, network.graph, warn)
    tensors = {name: torch.as_tensor(value) for name, value in weights.items()}
    expected = network.state_dict()
    if problems := _mismatches(tensors, expected):
        way = ""
        if expected.keys() - tensors.keys():
            way = f"; a {path.suffix} file may lack tensors other than weights"
        problem = f"these weights do not fit the network: {'; '.join(problems)}{way}"
        raise RunError(f"{path}: {problem}")
    network.load_state_dict(tensors)


def _read_safetensors(path: Path, _graph: Graph, _warn: Warn) -> dict[str, torch.Tensor]:
    if path.exists() and not path.is_file():  # opening a pipe may wait for ever
        raise RunError(f"{path}: is not a regular file")
    try:
        path.open("rb").close()  # of each file that it cannot open, load_file says it is missing
        return load_file(path)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        reason = "there is no such file" if is_missing else failure_reason(error)
        raise RunError(f"{path}: cannot read these weights: {reason}", exit_code=3) from error
    except (SafetensorError, UnicodeError) as error:
        raise RunError(f"{path}: is not a complete safetensors file: {error}") from error


_READERS: dict[str, WeightReader] = {
    ".safetensors": _read_safetensors,
    **{suffix: each.read_weights for suffix, each in FORMATS.items() if each.read_weights},
}
"""Suffix in lower case -> the reader of such files."""


def _mismatches(tensors: Mapping[str, torch.Tensor], expected: Mapping[str, Any]) -> list[str]:
    problems = [f"{name} is missing" for name in expected if name not in tensors]
    problems += [f"{name} has no place in this network" for name in tensors if name not in expected]
    shared = {name: tensors[name] for name in expected if name in tensors}
    for name, tensor in shared.items():
        if tensor.shape != (shape := expected[name].shape):
            sizes = f"{list(tensor.shape)}; the network's is {list(shape)}"
            problems.append(f"{name} has shape {sizes}")
        elif tensor.is_complex():
            problems.append(f"{name} holds complex numbers")
        elif not torch.isfinite(tensor).all():
            problems.append(f"{name} holds NaN or infinity")
    return problems
