"""What the writers of network files get beside the network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Sample:
    """An input of a network, and the output of its last layer for it.

    ``input_TN`` is float32 [steps, *input shape]. ``output_TN`` [steps, neurons] is what the
    integer run gives: bool, or float64 in threshold units if it is graded; of a network without
    integers, what the float run gives.
    """

    name: str
    """What messages call it, such as ``validation sample 0``."""
    input_TN: NDArray[np.float32]
    output_TN: NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class ExportOptions:
    """Options of an export, as ``netdesc export`` has them.

    ``target`` is the program or the chip that the file is for. With ``force``, the file is written
    also where it holds another network than the model, which a warning then says.
    ``document_sha256`` is that of the document, if there is one. ``sample`` is a sample of the
    network's own data, for formats that want one. ``note`` gets sentences for the user that are no
    warnings, such as sizes, one at a time.
    """

    target: str | None = None
    force: bool = False
    document_sha256: str | None = None
    sample: Sample | None = None
    note: Callable[[str], None] = lambda text: None


PLAIN = ExportOptions()
