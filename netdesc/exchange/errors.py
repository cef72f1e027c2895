"""Errors of reading and writing network files."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from netdesc.caller import UserError
from netdesc.hardware.integers import HardwareError


class LayerError(ValueError):
    """A layer breaks a rule of the ``.net`` format.

    ``dataset`` is the name of the wrong dataset, or "" if the whole layer is wrong. ``layer`` is
    the layer's index in the file, or None if the index is not known yet. ``hint`` is a way out.
    """

    def __init__(
        self, dataset: str, problem: str, layer: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(f"{dataset} {problem}" if dataset else problem)
        self.hint = hint
        self.layer = layer
        self.dataset = dataset
        self.problem = problem


class NetFileError(UserError):
    """A ``.net`` file cannot be read or written, or the format cannot hold a network.

    ``layer`` is the index of the wrong layer, or None if the error is not in one layer. ``dataset``
    is the path of the wrong dataset in this layer, or in the file if ``layer`` is None.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, path: str | Path, problem: str, layer: int | None = None, dataset: str = ""
    ) -> None:
        places = [str(path), "" if layer is None else f"layer {layer}", dataset, problem]
        super().__init__(": ".join(filter(None, places)))
        self.path = Path(path)
        self.problem = problem
        self.layer = layer
        self.dataset = dataset


class NetFileAccessError(NetFileError):
    """The file is missing, or the system does not let netdesc open or write it."""

    exit_code = 3


class NetFileNameError(NetFileError):
    """The name of a file to write does not end in ``.net``."""

    exit_code = 2


@contextlib.contextmanager
def explain_layer(path: str | Path, name: str, code: str, clause: str = "") -> Iterator[None]:
    """Turns the error of a layer that a file cannot hold into a NetFileError with its ``code``."""
    try:
        yield
    except (LayerError, HardwareError) as error:
        problem = str(error)
        if isinstance(error, LayerError):
            problem = f'layer "{name}" {error}{clause}{error.hint and f": {error.hint}"}'
        raise NetFileError(path, f"{problem} (see netdesc explain {code})") from error


def require(
    dataset: str, values: NDArray[np.int32], is_valid: NDArray[np.bool_], rule: str
) -> None:
    """Raises LayerError with the first of ``values`` that is not valid, and the ``rule``."""
    if not is_valid.all():
        raise LayerError(dataset, f"{describe_first_wrong(values, is_valid)}; {rule}")


def describe_first_wrong(values: NDArray, is_valid: NDArray[np.bool_]) -> str:
    """Returns index and value of the first of ``values`` that is not valid, in words."""
    index = np.argwhere(~is_valid)[0].tolist()
    return f"{f'{index} ' if index else ''}is {values[tuple(index)]}"
