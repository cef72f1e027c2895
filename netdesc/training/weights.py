"""Initial weights from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from netdesc.training.errors import MissingWeightsError, WeightsError

Weights = Mapping[str, np.ndarray | torch.Tensor]
Loader = Callable[[Path], Weights]


def load_weights(path: Path, network: nn.Module, readers: Mapping[str, Loader]) -> None:
    """Copies the weights of a file into the network.

    ``readers`` maps a suffix in lower case to what reads such a file into ``state_dict`` names;
    ``.safetensors`` is known without. WeightsError where a name or a shape does not fit; it names
    them all.
    """
    known = {".safetensors": _read_safetensors, **readers}
    reader = known.get(path.suffix.lower())
    if reader is None:
        raise WeightsError(f"{path}: weights are read from {', '.join(known)} files only")
    given = {name: torch.as_tensor(value) for name, value in reader(path).items()}
    problems = _mismatches(given, network.state_dict())
    if problems:
        raise WeightsError(
            f"{path}: these weights do not fit the network:\n  " + "\n  ".join(problems)
        )
    network.load_state_dict(given)


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise MissingWeightsError(f"{path}: cannot read these weights: {reason}") from error
    except SafetensorError as error:
        raise WeightsError(f"{path}: is not a complete safetensors file: {error}") from error


def _mismatches(given: Mapping[str, torch.Tensor], wanted: Mapping[str, Any]) -> list[str]:
    problems = [f"{name} is missing" for name in wanted if name not in given]
    problems += [f"{name} has no place in this network" for name in given if name not in wanted]
    for name in wanted:
        if name in given and given[name].shape != wanted[name].shape:
            problems.append(
                f"{name} has shape {list(given[name].shape)}; the network's is "
                f"{list(wanted[name].shape)}"
            )
        elif name in given and not torch.isfinite(given[name]).all():
            problems.append(f"{name} holds NaN or infinity")
    return problems
